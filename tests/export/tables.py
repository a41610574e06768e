"""Reads an export of calls as Parquet by DuckDB, Polars and PyArrow: the rows and types of the JSON lines."""

from __future__ import annotations

import json
import sys

import duckdb
import polars
import pyarrow.parquet


def main(parquet: str, jsonl: str, csv: str) -> None:
    with open(jsonl, encoding="ascii") as lines:
        rows = [json.loads(line) for line in lines]
    assert len(rows) == 18
    moments = [name for name in rows[0] if name.endswith("_unix_ns")]
    texts = [name for name in rows[0] if any(isinstance(row[name], str) for row in rows)]

    frame = polars.read_parquet(parquet)
    assert frame.columns == list(rows[0])
    for name in rows[0]:
        if name in moments:
            assert frame.schema[name] == polars.Datetime("ns", "UTC"), name
        elif name in texts:
            assert frame.schema[name] == polars.String, name
    assert frame.schema["wall_us"] == polars.Int64
    assert frame.with_columns(polars.col(moments).cast(polars.Int64)).to_dicts() == rows

    table = pyarrow.parquet.read_table(parquet)
    for name in moments:
        assert table.schema.field(name).type == pyarrow.timestamp("ns", "UTC"), name
        assert table[name].cast(pyarrow.int64()).to_pylist() == [row[name] for row in rows]

    query = "SELECT count(*), count(dns_us), sum(queue_us), avg(wall_us) FROM "
    ((count, dns, queue, wall),) = duckdb.sql(f"{query} '{parquet}'").fetchall()
    assert (count, dns) == (18, 0), "nulls are nulls"
    assert queue == sum(row["queue_us"] for row in rows)
    assert wall == sum(row["wall_us"] for row in rows) / 18
    assert duckdb.sql(f"{query} '{csv}'").fetchall() == [(count, dns, queue, wall)]
    ((kind, sent),) = duckdb.sql(
        f"SELECT typeof(min(sent_unix_ns)), epoch_us(min(sent_unix_ns)::TIMESTAMPTZ) FROM '{parquet}'"
    ).fetchall()
    assert kind.startswith("TIMESTAMP"), kind
    assert sent == min(row["sent_unix_ns"] for row in rows) // 1000, sent
    print(f"parquet, csv: {count} rows are the same to DuckDB, Polars and PyArrow")


main(*sys.argv[1:])
