"""Logs to measure the reader with: of every ten lines seven are somebody else's, and a call has five."""

from __future__ import annotations

import random
from pathlib import Path

NOISE = [
    "INFO 11-24 18:35:12 [loggers.py:259] Engine 000: Avg prompt throughput: 12.3 tokens/s, "
    "Avg generation throughput: 345.6 tokens/s, Running: 100 reqs",
    'INFO:     127.0.0.1:51234 - "POST /v1/completions HTTP/1.1" 200 OK',
    "2026-11-24 18:35:12,345 DEBUG httpcore.http11 receive_response_body.started request=<Request [b'POST']>",
    "(EngineCore pid=1234) WARNING 11-24 18:35:12 [scheduler.py:1011] "
    "preempting request cmpl-0123456789abcdef because of memory",
]


def call(number: int, rng: random.Random) -> list[str]:
    """The five lines of a call, as firstbyte writes them."""
    tid = f"{rng.getrandbits(64):016x}"
    t = 1000 + number / 100
    rpc, queue = rng.uniform(100, 400), rng.expovariate(1 / 300)
    received, answered = t + queue / 1000, t + (queue + rpc) / 1000
    return [
        f"[weights][{tid}] client.send url=http://10.0.0.1:8000/update_weights t={t:.6f}",
        f"[weights][{tid}] server.recv path=/update_weights t={received:.6f}",
        f"[weights][{tid}] rpc.start op=update_weights t={received:.6f}",
        f"[weights][{tid}] rpc.done op=update_weights t={answered:.6f} rpc_ms={rpc:.1f}",
        f"[weights][{tid}] client.done wall_ms={rpc + queue:.1f} rpc_ms={rpc:.1f} queue_ms={queue:.1f}",
    ]


def unusual(line: str, number: int) -> str:
    """The line as a logging library, a terminal or a JSON sink would have it."""
    kind = number % 3
    if kind == 0:
        return f"2026-11-24 18:35:12.345 | INFO     | orchestrator:update:{number % 900} - {line}"
    if kind == 1:
        return f"\x1b[32m2026-11-24 18:35:12\x1b[0m | \x1b[1mINFO\x1b[0m | {line}\x1b[0m"
    return as_json(line, number)


def as_json(line: str, number: int) -> str:
    """The same event as a JSON line; an address stays as it is."""
    head, *fields = line.split(" ")[1:]
    tid = line.split("[")[2].split("]")[0]
    values = dict(field.split("=", 1) for field in fields)
    t_ns = int(float(values.pop("t", "1000")) * 1e9)
    texts = "".join(
        f',"{key[:-3]}_us":{round(float(value) * 1000)}' if key.endswith("_ms") else f',"{key}":"{value}"'
        for key, value in values.items()
    )
    return (
        f'{{"v":1,"seq":{number},"pid":7,"boot":"b","tag":"weights","tid":"{tid}","name":"{head}",'
        f'"t_ns":{t_ns},"unix_ns":1790000000000000000{texts}}}'
    )


def write(path: Path, size: int, *, tolerant: bool = False) -> None:
    """Writes about `size` bytes, unless the file is there already."""
    if path.exists() and path.stat().st_size >= size:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = random.Random(1)
    number = written = 0
    with path.open("w", buffering=1 << 20) as out:
        while written < size:
            lines: list[str] = []
            for _ in range(1000):
                for line in call(number, rng):
                    number += 1
                    lines.append(unusual(line, number) if tolerant else line)
                    lines.extend(rng.choices(NOISE, k=2 + (number % 3 == 0)))
            block = "\n".join(lines) + "\n"
            out.write(block)
            written += len(block)


def write_ids(path: Path, ids: int) -> None:
    """One line for each of so many calls."""
    if path.exists() and path.stat().st_size > ids * 80:
        return
    with path.open("w", buffering=1 << 20) as out:
        for first in range(0, ids, 1000):
            numbers = range(first, first + 1000)
            out.writelines(
                f"[weights][{n * 0x9E3779B97F4A7C15 & (1 << 64) - 1:016x}] client.done "
                "wall_ms=447.9 rpc_ms=437.5 queue_ms=10.4\n"
                for n in numbers
            )
