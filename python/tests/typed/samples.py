"""Code as users write it, for the type checker: strict, and nothing of it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import firstbyte

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def app(scope: Scope, receive: Receive, send: Send) -> None: ...


middleware = firstbyte.FirstByteMiddleware(app, loop_lag=False)
in_flight: int = middleware.in_flight


class Client:
    """Any client keeps its type."""


client: Client = firstbyte.instrument(Client())
client = firstbyte.uninstrument(client)


def threads() -> float | None:
    firstbyte.configure(log="orchestrator.log")
    with firstbyte.AdminClient("http://10.0.0.7:8000", token="t", max_connections=1) as admin:
        with admin.paused() as paused:
            response = admin.post("/update_weights", json={"weight_dir": "/ckpt"}, step=7)
            response.raise_for_status()
        wall: float = response.wall_ms
        parts: dict[str, float] = response.parts
        flags: list[str] = response.flags
        print(paused.status, wall, parts, flags)
        return response.queue_ms


async def asyncio_code() -> str | None:
    async with firstbyte.AsyncAdminClient("http://10.0.0.7:8000") as admin, admin.paused():
        try:
            response = await admin.post("/update_weights", operation_class="idempotent", timeout=60.0)
        except firstbyte.OutcomeUnknown as error:
            phase: str | None = error.phase
            return phase
    return response.trace_id


def loaded(client: firstbyte.AdminClient) -> firstbyte.AdminResponse | None:
    response = client.get("/version")
    return response if response.json()["step"] == 7 else None


async def loaded_by(client: firstbyte.AsyncAdminClient) -> bool:
    return (await client.get("/version")).status == 404


def found_by(name: str) -> firstbyte.Probe:
    return lambda client: name in client.get("/version").text or None


def options(step: int) -> firstbyte.CallOptions:
    return {"step": step, "timeout": 60.0}


def told(outcome: firstbyte.Outcome, states: list[firstbyte.CallState]) -> str:
    return f"{outcome} {states[0]['phase']} {firstbyte.accounting()['offered']}"


async def probes() -> None:
    firstbyte.AdminClient("http://10.0.0.7:8000").post("/update_weights", probe=loaded, **options(7))
    firstbyte.AdminClient("http://10.0.0.7:8000").post("/update_weights", probe=found_by("step_7"))
    await firstbyte.AsyncAdminClient("http://10.0.0.7:8000").post("/update_weights", probe=loaded_by)


async def fleets(urls: list[str]) -> list[str]:
    fleet = firstbyte.AsyncAdminFleet(firstbyte.AsyncAdminClient(url) for url in urls)
    result = await fleet.post("/update_weights", json={}, step=7)
    waited: list[float] = [target.waited_ms for target in result.targets]
    slowest: firstbyte.TargetResult | None = result.slowest
    same: firstbyte.FanOutResult = firstbyte.AdminFleet([]).get("/health").raise_for_outcome()
    print(waited, slowest, same.trace_id)
    async with fleet, fleet.paused(step=7) as paused:
        print(paused.wall_ms)
    with firstbyte.AdminFleet([]) as threads, threads.paused():
        threads.post("/update_weights")
    return [target.target for target in result.of("unknown")]


@firstbyte.rpc("reload")
async def reload(path: str) -> int:
    return len(path)


async def timers() -> None:
    async with firstbyte.rpc("update_weights") as r:
        length: int = await reload("/ckpt")
    rpc_ms: float | None = r.rpc_ms
    with firstbyte.trace() as trace_id, firstbyte.ckpt_write(7, path="/ckpt") as write:
        write.bytes = length
    async with firstbyte.trace() as again:
        trace_id = again
    with firstbyte.gen_batch(inflight=1, target_batch=2) as batch:
        batch.completions = 2
    firstbyte.rollout(trunc_pct=0.5, current_step=3, ckpt_step=2)
    offered: int = firstbyte.accounting()["offered"]
    print(rpc_ms, trace_id, offered)


def logs() -> float:
    log = firstbyte.read(["orchestrator.log", "server.log"], max_traces=1000)
    walls = [call.wall_ms for call in log.calls if call.wall_ms is not None]
    first: firstbyte.Call = log.calls[0]
    some: list[firstbyte.Call] = log.calls[:10]
    finding: firstbyte.Finding = log.findings(model="small")[0]
    steps = [event.dur_ms for event in log.events if event.event == "step"]
    print(first.phases.get("pool"), some, finding.next, steps, log.stats("op"), log.tally["reasons"])
    return max(walls)
