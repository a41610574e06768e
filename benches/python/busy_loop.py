"""The orchestrator's own event loop is a queue: control calls beside 500 streams on one asyncio loop.

A mock server streams, a second one that is idle takes the control calls. They are made, turn by turn, by
httpx on the loop that reads the streams, by `AsyncAdminClient` on that loop, and by the `firstbyte call`
of a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

import firstbyte
from rows import Table, percentile

STREAMS = 500
TOKENS_PER_SECOND = 20
SECONDS = 20
IDLE_CALLS = 500
ROUNDS = 5
#: From one call to the next, in seconds.
PAUSE = 0.02
#: The cheapest thing that the server can do: what is left is the way there and back.
ROUTE = "/health"

FIRSTBYTE = sys.argv[1] if len(sys.argv) > 1 else "firstbyte"


class Mock:
    """A `firstbyte mock` that ends with this process."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [
                FIRSTBYTE,
                "mock",
                "--port=0",
                "--until-stdin-closes",
                f"--tokens-per-second={TOKENS_PER_SECOND}",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        ready = self.process.stdout.readline()
        self.url = next(word for word in ready.split() if word.startswith("url=")).removeprefix("url=")

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(10)


async def native_process(url: str, calls: int, pause: float) -> list[float]:
    """Wall times of the same call by a process of its own, in milliseconds."""
    process = await asyncio.create_subprocess_exec(
        FIRSTBYTE, "call", "-X", "GET", url + ROUTE, "--watch", str(pause), "-n", str(calls), "--json",
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    out, _ = await process.communicate()
    events = [json.loads(line) for line in out.splitlines() if line.startswith(b"{")]
    return [event["wall_us"] / 1e3 for event in events if event.get("name") == "client.done"]


#: How many events were read.
events = [0]


async def stream(client: httpx.AsyncClient, url: str) -> None:
    body = {"stream": True, "max_tokens": 100_000, "prompt": "x", "model": "m"}
    async with client.stream("POST", f"{url}/v1/completions", json=body) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                json.loads(line.removeprefix("data: "))
                events[0] += 1


async def idle(url: str) -> dict[str, list[float]]:
    """Calls on a loop that does nothing else, and those of the other process, round by round."""
    client = firstbyte.AsyncAdminClient(url)
    results: dict[str, list[float]] = {"whole": [], "native": []}
    for _ in range(ROUNDS):
        results["native"] += await native_process(url, IDLE_CALLS // ROUNDS, PAUSE)
        for _ in range(IDLE_CALLS // ROUNDS):
            start = time.perf_counter_ns()
            await client.get(ROUTE)
            results["whole"].append((time.perf_counter_ns() - start) / 1e6)
            await asyncio.sleep(PAUSE)
    return results


async def busy(streaming: str, control: str) -> dict[str, list[float]]:
    limits = httpx.Limits(max_connections=None)
    results: dict[str, list[float]] = {"wall": [], "resume": [], "httpx": []}
    admin = firstbyte.AsyncAdminClient(control)
    async with httpx.AsyncClient(limits=limits, timeout=None) as client, httpx.AsyncClient() as other:
        streams = [asyncio.create_task(stream(client, streaming)) for _ in range(STREAMS)]
        await asyncio.sleep(5)
        native = asyncio.create_task(native_process(control, int(SECONDS / PAUSE), PAUSE))
        start_events, end = events[0], time.monotonic() + SECONDS
        while time.monotonic() < end:
            response = await admin.get(ROUTE)
            results["wall"].append(response.wall_ms)
            results["resume"].append(response.resume_ms)
            start = time.perf_counter_ns()
            await other.get(control + ROUTE)
            results["httpx"].append((time.perf_counter_ns() - start) / 1e6)
            await asyncio.sleep(PAUSE)
        results["rate"] = [(events[0] - start_events) / SECONDS]
        results["native"] = await native
        for task in streams:
            task.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
    return results


def main() -> None:
    streaming, control = Mock(), Mock()
    with tempfile.TemporaryDirectory() as folder:
        firstbyte.configure(log=Path(folder) / "log")
        quiet = asyncio.run(idle(control.url))
        loaded = asyncio.run(busy(streaming.url, control.url))
        firstbyte.shutdown()
    streaming.close()
    control.close()

    table = Table()
    native = percentile(quiet["native"], 0.5)
    table.context(f"idle loop: a process of its own, wall p50 (n={len(quiet['native'])})", native, "ms")
    table.times(
        f"idle loop: AsyncAdminClient, from await to result, p50 (n={len(quiet['whole'])})",
        percentile(quiet["whole"], 0.5), "ms", "the process of its own", native, 1.5,
    )  # fmt: skip
    rates = f"{STREAMS} streams x {TOKENS_PER_SECOND}/s"
    table.context(f"{rates}: events that the loop read", loaded["rate"][0], "/s")
    for name, share, limit in [("p50", 0.5, 0.1), ("p99", 0.99, 5.0)]:
        theirs, ours = percentile(loaded["native"], share), percentile(loaded["wall"], share)
        count = len(loaded["wall"])
        table.context(f"{rates}: a process of its own, wall {name} (n={len(loaded['native'])})", theirs, "ms")
        table.context(f"{rates}: AsyncAdminClient, wall {name} (n={count})", ours, "ms")
        table.at_most(f"{rates}: AsyncAdminClient, wall {name} over that", ours - theirs, "ms", limit)
        table.context(f"{rates}: AsyncAdminClient, resume {name}", percentile(loaded["resume"], share), "ms")
        table.context(f"{rates}: httpx on the same loop {name}", percentile(loaded["httpx"], share), "ms")
    table.write("python-busy-loop")


if __name__ == "__main__":
    main()
