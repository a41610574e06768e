"""The reader of logs against what people use today: `make bench-reader`.

Every program runs as a process of its own on a warm page cache, in turns, and all of them on one core
unless a row says so. A figure is the median of its rounds. Peers compute the mean of queue_ms;
`firstbyte stats` does all of its work: the join by trace id, and every statistic. The locale is one of
UTF-8, as that of most shells is; grep and sed are faster in the C locale, which has a row of its own.
"""

from __future__ import annotations

import os
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

import reader_log
from rows import OUT, Table

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SIZE = int(os.environ.get("SIZE_MB", "1000")) * 1_000_000
CORES = sorted(os.sched_getaffinity(0))

#: Programs that compute the mean of one field.
PEERS = (
    "grep | sed | awk",
    "grep | sed | awk in the C locale",
    "ripgrep | awk",
    "angle-grinder",
    "DuckDB",
    "Polars",
)

DUCKDB = """
import duckdb, sys
con = duckdb.connect()
con.execute("SET threads = 1")
print(con.execute('''
    SELECT avg(CAST(regexp_extract(line, ' queue_ms=([0-9.]+)', 1) AS DOUBLE))
    FROM read_csv(?, columns = {'line': 'VARCHAR'}, delim = chr(1), quote = '', escape = '',
                  header = false, auto_detect = false)
    WHERE contains(line, ' queue_ms=')''', [sys.argv[1]]).fetchone()[0])
"""
POLARS = """
import polars as pl, sys
lines = pl.scan_csv(sys.argv[1], separator="\\x01", has_header=False, new_columns=["line"], quote_char=None)
queue = lines.filter(pl.col("line").str.contains(" queue_ms=", literal=True)).select(
    pl.col("line").str.extract(r" queue_ms=([0-9.]+)").cast(pl.Float64).mean())
print(queue.collect(engine="streaming").item())
"""


def run(
    command: list[str] | str, cores: list[int], env: dict[str, str] | None = None
) -> tuple[float, int, str]:
    """Seconds, KiB at its largest, and what it prints."""
    start = time.monotonic()
    shell = isinstance(command, str)
    process = subprocess.Popen(
        command,
        shell=shell,
        stdout=subprocess.PIPE,
        env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    assert process.stdout
    out = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command}: exit code {process.returncode}")
    return seconds, usage.ru_maxrss, out


def main() -> None:
    firstbyte, peers = (Path(argument).resolve() for argument in sys.argv[1:3])
    log, tolerant, ids = OUT / "reader.log", OUT / "reader-tolerant.log", OUT / "reader-ids.log"
    small = OUT.parents[1] / "tests" / "corpus" / "demo" / "client.log"
    print("writing logs ...", file=sys.stderr)
    reader_log.write(log, SIZE)
    reader_log.write(tolerant, SIZE // 4, tolerant=True)
    reader_log.write_ids(ids, SIZE // 100)

    quoted = shlex.quote(str(log))
    python = {"POLARS_MAX_THREADS": "1"}
    stats = [str(firstbyte), "stats"]
    awk = "awk '{s+=$1} END {print s/NR}'"
    shell = f"grep 'queue_ms=' {quoted} | sed -n 's/.*queue_ms=\\([0-9.]*\\).*/\\1/p' | {awk}"
    commands: dict[str, tuple[list[str] | str, list[int]]] = {
        "join": ([*stats, str(log)], CORES[:1]),
        "join on two cores": ([*stats, str(log)], CORES[:2]),
        "field": ([*stats, "--field", "queue_ms", str(log)], CORES[:1]),
        "tolerant": ([*stats, str(tolerant)], CORES[:1]),
        "ids": ([*stats, str(ids)], CORES[:1]),
        "small": ([*stats, str(small)], CORES[:1]),
        "grep | sed | awk": (shell, CORES[:1]),
        "grep | sed | awk in the C locale": (f"export LC_ALL=C; {shell}", CORES[:1]),
        "ripgrep | awk": (f"{peers}/rg -o -r '$1' 'queue_ms=([0-9.]+)' {quoted} | {awk}", CORES[:1]),
        "angle-grinder": (
            [f"{peers}/agrind", "-f", str(log), '"queue_ms=" | parse "queue_ms=*" as q | avg(q)'],
            CORES[:1],
        ),
        "DuckDB": ([sys.executable, "-c", DUCKDB, str(log)], CORES[:1]),
        "Polars": ([sys.executable, "-c", POLARS, str(log)], CORES[:1]),
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    memory: dict[str, int] = {}
    means: dict[str, str] = {}
    for path in (log, tolerant, ids):
        path.read_bytes()  # into the page cache
    for round_ in range(ROUNDS):
        for name, (command, cores) in commands.items():
            print(f"\r{round_ + 1}/{ROUNDS} {name:<24}", end="", file=sys.stderr)
            took, kib, means[name] = run(command, cores, python)
            seconds[name].append(took)
            memory[name] = max(memory.get(name, 0), kib)
    print("\r", end="", file=sys.stderr)

    def speed(name: str, size: int) -> float:
        return size / 1e6 / statistics.median(seconds[name])

    size = log.stat().st_size
    table = Table()
    peers_speed = {name: speed(name, size) for name in PEERS}
    for name, mb_per_s in peers_speed.items():
        table.context(f"reader: mean of queue_ms by {name}", mb_per_s, "MB/s")
    join, field = speed("join", size), speed("field", size)
    table.at_least("reader: join by trace id and all statistics, one core", join, "MB/s", 2500)
    two = speed("join on two cores", size)
    table.times_at_least("reader: the same on two cores", two, "MB/s", "one core", join, 1.8)
    table.at_least("reader: statistics of one field, one core", field, "MB/s", 5000)
    for name, limit in (
        ("grep | sed | awk", 35),
        ("ripgrep | awk", 2),
        ("angle-grinder", 1),
        ("DuckDB", 1),
        ("Polars", 1),
    ):
        table.times_at_least("reader: statistics of one field", field, "MB/s", name, peers_speed[name], limit)
    tolerant_speed = speed("tolerant", tolerant.stat().st_size)
    table.at_least("reader: prefixes, colours and JSON lines, one core", tolerant_speed, "MB/s", 800)
    calls = f"{SIZE // 100:,} calls"
    table.at_most(f"reader: memory for {calls}", memory["ids"] / 1024, "MiB", 256)
    table.at_most("reader: a small log", statistics.median(seconds["small"]) * 1e3, "ms", 20)
    table.write("reader")


if __name__ == "__main__":
    main()
