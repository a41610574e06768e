"""A log that Python has read, as a table of Polars, PyArrow, pandas and DuckDB: without a file between."""

from __future__ import annotations

import sys

import duckdb
import pandas
import polars
import pyarrow

import firstbyte


def main(*logs: str) -> None:
    log = firstbyte.read(logs)
    queue = [round(call.queue_ms * 1000) for call in log.calls if call.queue_ms is not None]
    assert len(queue) == 18

    frame = polars.DataFrame(log)
    assert frame["queue_us"].to_list() == queue
    assert frame["dns_us"].null_count() == 18
    assert frame.schema["sent_unix_ns"] == polars.Datetime("ns", "UTC")

    table = pyarrow.table(log)
    assert table["queue_us"].to_pylist() == queue
    assert table.schema.field("sent_unix_ns").type == pyarrow.timestamp("ns", "UTC")
    assert pyarrow.table(log.to_arrow("events"))["completions"].to_pylist() == [30, 5, 1]

    assert pandas.DataFrame.from_arrow(log)["queue_us"].tolist() == queue

    assert duckdb.sql("SELECT sum(queue_us), count(dns_us) FROM log").fetchall() == [(sum(queue), 0)]
    print(f"arrow: {len(queue)} calls are the same to Polars, PyArrow, pandas and DuckDB")


main(*sys.argv[1:])
