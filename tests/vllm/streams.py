"""Control calls of a real vLLM beside streams on one event loop, in three ways; what their split says.

    python tests/vllm/streams.py URL SERVER_LOG [--streams 150] [--rounds 5] [--strict]

(a) `shared`: through the httpx client of the streams, which has 100 connections; (b) `fresh`: through an
httpx client made for the call, on the same loop; (c) `native`: by `AsyncAdminClient`, on the same loop.

Exit code 1: ids do not join, or the split of (a) does not name the pool; with --strict also a missed bar.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import httpx

import firstbyte

CONNECTIONS = 100
PHASES = ["setup", "pool", "dns", "connect", "tls", "send", "wait", "receive"]
PARTS = ["kernel", "handler", "rpc", "respond", "network", "unattributed"]
LINE = re.compile(r"\[\w+\]\[(\w+)\] ([\w.]+) (.*)")

#: How long an arm may take, or the streams until they flow, in seconds.
PATIENCE = 300

#: Tokens of a completion: of many lengths, so that they do not all end together.
LENGTHS = (200, 600)

#: What the pool needs to be full at all times once the first streams have ended, in seconds.
SETTLING = 5

#: The calls of a round. All but the last are made while the streams run; the resume says so to a server that
#: is not paused. Behind streams that are paused, the pool would have no slot for any call, for ever: the end
#: of the pause is nobody's measurement.
CALLS = [
    ("/collective_rpc", {"method": "check_health"}),
    ("/reset_prefix_cache", None),
    ("/resume", None),
    ("/pause?mode=keep", None),
]


class Streams:
    """So many completions at any time, through one client."""

    def __init__(self, client: httpx.AsyncClient, url: str, count: int) -> None:
        self.client, self.url, self.count = client, url, count
        self.tokens = 0
        self.flowing = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self.count):
                group.create_task(self._one_after_another())

    async def _one_after_another(self) -> None:
        body = {"model": "tiny", "prompt": "once", "stream": True, "ignore_eos": True}
        while True:
            body["max_tokens"] = random.randint(*LENGTHS)
            async with self.client.stream("POST", f"{self.url}/v1/completions", json=body) as response:
                response.raise_for_status()
                async for line in response.aiter_lines():
                    self.tokens += line.startswith("data: {")
                    if self.tokens >= self.count:
                        self.flowing.set()


async def drive(url: str, arm: str, streams: Streams, rounds: int, ids: dict[str, list[str]]) -> None:
    admin = firstbyte.AsyncAdminClient(url)
    for _ in range(rounds):
        for path, body in CALLS:
            with firstbyte.trace() as trace_id:
                ids[arm].append(trace_id)
                if arm == "native":
                    response = await admin.post(path, **({} if body is None else {"json": body}))
                    assert response.status == 200, (path, response.status, response.text)
                    continue
                client = streams.client if arm == "shared" else httpx.AsyncClient(timeout=None)
                answer = await firstbyte.instrument(client).post(url + path, json=body)
                assert answer.status_code == 200, (path, answer.status_code, answer.text)
                if arm == "fresh":
                    await client.aclose()
        await admin.post("/resume")
        await asyncio.sleep(0.5)


async def run(url: str, count: int, rounds: int) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = defaultdict(list)
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx.AsyncClient(limits=limits, timeout=None) as client:
        streams = Streams(client, url, count)
        # A stream that fails ends all: beside fewer of them the figures would be of something else.
        async with asyncio.TaskGroup() as group:
            flow = group.create_task(streams.run())
            await asyncio.wait_for(streams.flowing.wait(), PATIENCE)
            await asyncio.sleep(SETTLING)
            for arm, how_often in [("native", rounds), ("fresh", rounds), ("shared", 2)]:
                started = time.monotonic()
                await asyncio.wait_for(drive(url, arm, streams, how_often, ids), PATIENCE)
                print(f"{arm}: {len(ids[arm])} calls in {time.monotonic() - started:.1f} s", file=sys.stderr)
            flow.cancel()
    return ids


def read(log: Path) -> dict[str, dict[str, dict[str, str]]]:
    """The fields of every line, by trace id and name."""
    events: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for line in log.read_text().splitlines():
        if match := LINE.fullmatch(line):
            trace_id, name, rest = match.groups()
            events[trace_id][name] = dict(pair.split("=", 1) for pair in rest.split())
    return events


def engine(log: Path) -> dict[str, dict[str, str]]:
    """The fields of the engine's lines, by call id."""
    calls = {}
    for line in log.read_text().splitlines():
        if line.startswith("[engine] call.done "):
            fields = dict(pair.split("=", 1) for pair in line.split()[2:])
            calls[fields["call_id"]] = fields
    return calls


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("server_log", type=Path)
    parser.add_argument("--streams", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--strict", action="store_true")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "client.log"
        firstbyte.configure(log=log)
        ids = asyncio.run(run(options.url, options.streams, options.rounds))
        firstbyte.flush(5)
        time.sleep(0.5)
        client, server = read(log), read(options.server_log)
    engines = engine(options.server_log)

    wrong = []
    median: dict[str, dict[str, float]] = {}
    print(f"{options.streams} streams on {CONNECTIONS} connections; milliseconds, medians but where said\n")
    columns = ["wall", *PHASES, *PARTS, "resume", "engine_queue", "engine_exec"]
    print(f"{'':<14}" + "".join(f"{arm:>12}" for arm in ids))
    print(f"{'n':<14}" + "".join(f"{len(calls):>12}" for calls in ids.values()))
    table: dict[str, dict[str, list[float]]] = {arm: defaultdict(list) for arm in ids}
    for arm, calls in ids.items():
        for trace_id in calls:
            done = client[trace_id].get("client.done")
            names = {"server.recv", "rpc.start", "rpc.done", "server.done"}
            if done is None or not names <= set(server[trace_id]):
                wrong.append(f"{arm} {trace_id}: {sorted(client[trace_id])} and {sorted(server[trace_id])}")
                continue
            call = engines.get(server[trace_id]["rpc.done"].get("call_id", "").split(",")[0], {})
            if not call:
                wrong.append(f"{arm} {trace_id}: no [engine] line")
            for column in columns:
                value = (call if column.startswith("engine") else done).get(f"{column}_ms")
                if value is not None:
                    table[arm][column].append(float(value))
        median[arm] = {column: statistics.median(values) for column, values in table[arm].items()}
    for column in columns:
        cells = [f"{median[arm][column]:>12.1f}" if column in median[arm] else f"{'-':>12}" for arm in ids]
        print(f"{column:<14}" + "".join(cells))
    print(f"{'wall p99':<14}" + "".join(f"{percentile(table[arm]['wall'], 0.99):>12.1f}" for arm in ids))

    print()
    shared = {phase: sum(table["shared"][phase]) for phase in PHASES}
    largest = max(shared, key=lambda phase: shared[phase])
    if options.streams > CONNECTIONS:
        share = shared[largest] / sum(table["shared"]["wall"])
        print(f"shared: the largest phase is {largest}, {share:.1%} of wall")
        if largest != "pool":
            wrong.append(f"the split of the shared client names {largest}, not the pool")
    native, fresh, shared_wall = (median[arm]["wall"] for arm in ("native", "fresh", "shared"))
    bars = [
        ("native p50 <= 35 ms", native, native <= 35),
        ("fresh / native >= 15", fresh / native, fresh >= 15 * native),
        ("shared / native >= 500", shared_wall / native, shared_wall >= 500 * native),
    ]
    for name, value, holds in bars:
        print(f"{name:<26} {value:>10.1f}  {'holds' if holds else 'MISSED'}")
    for complaint in wrong:
        print(f"WRONG: {complaint}")
    return int(bool(wrong) or (options.strict and not all(holds for _, _, holds in bars)))


if __name__ == "__main__":
    sys.exit(main())
