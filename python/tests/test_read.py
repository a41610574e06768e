"""Logs as Python reads them."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import threading
import time
from pathlib import Path

import nanoarrow
import pytest

import firstbyte

CORPUS = Path(__file__).parents[2] / "tests" / "corpus"
DEMO = [CORPUS / "demo" / "client.log", CORPUS / "demo" / "server.log"]


@pytest.fixture
def demo():
    return firstbyte.read(DEMO)


def test_calls_are_a_sequence_made_when_asked_for(demo):
    assert len(demo.calls) == 18
    call = demo.calls[0]
    assert (call.trace_id, call.halves, call.op) == ("3340fdff4d70c40a", "both", "reload_weights")
    assert (call.status, call.outcome, call.target) == (200, "ok", "127.0.0.1:43909")
    assert (call.wall_ms, call.queue_ms, call.rpc_ms) == (51.8, 0.7, 51.1)
    assert call.until_received_ms == 0.508
    assert (call.sent_t_ns, call.sent_unix_ns) == (29136138534000, 1795546838200285000)
    assert (call.step, call.error, call.resume_ms) == (None, None, None)
    assert list(call.phases) == [
        *("setup", "pool", "connect", "send", "wait", "receive"),
        *("kernel", "handler", "respond", "network"),
    ]
    assert call.phases["connect"] == 0.2
    assert demo.calls[-1] == list(demo.calls)[17]
    assert demo.calls[:2] == [demo.calls[0], demo.calls[1]]
    assert demo.calls[0] in demo.calls
    for index in (18, -19):
        with pytest.raises(IndexError):
            demo.calls[index]


def test_calls_and_events_have_every_column_of_an_export(demo):
    """Parts of wall and wait are in `phases`, the other durations in milliseconds."""

    def names(record):
        return {field.name for field in dataclasses.fields(record)} - {"phases"}

    def columns(table):
        fields = nanoarrow.ArrayStream(demo.to_arrow(table)).schema.fields
        return {field.name.replace("_us", "_ms") for field in fields}

    parts = {f"{part}_ms" for part in demo.calls[0].phases} | {"dns_ms", "tls_ms", "unattributed_ms"}
    assert names(firstbyte.Call) == columns("calls") - parts
    assert names(firstbyte.Event) == columns("events")


def test_events_tally_and_findings():
    log = firstbyte.read(str(CORPUS / "seed" / "*.log"))
    assert [event.event for event in log.events][:3] == ["ckpt.write", "ckpt.write", "ckpt.wait"]
    assert (log.events[0].step, log.events[0].dur_ms, log.events[0].t_ns) == (11, 812.4, None)
    tally = log.tally
    assert tally["total"] == 20 == tally["parsed"] + tally["skipped"]
    assert tally["skipped"] == sum(tally["reasons"].values())
    assert tally["events_over_limit"] == 0
    assert repr(log) == f"<firstbyte.Log: {len(log.calls)} calls of {tally['parsed']} of 20 lines>"
    findings = log.findings(model="small")
    assert {finding.severity for finding in findings} <= {"notice", "warning", "critical"}
    worst = findings[0]
    assert worst.title
    assert worst.numbers
    assert worst.next
    # A slow engine is none for a large model.
    assert len(log.findings("large")) < len(findings)


def test_rules_and_notices(tmp_path):
    log = tmp_path / "client.log"
    log.write_text("[weights][00f067aa0ba902b7] client.done wall_ms=203.0 rpc_ms=9202.0 queue_ms=1.0\n")
    assert "longer than its wall" in firstbyte.read(log).notices[0]
    log.write_text(
        "[weights][00f067aa0ba902b7] client.done wall_ms=203.0 rpc_ms=2.0 queue_ms=201.0 pool_ms=200.0\n"
    )
    assert firstbyte.read(log).findings() == []
    rules = tmp_path / "rules.toml"
    rules.write_text("[thresholds.medium]\nqueue = 100\n[[rule]]\nid = 'client-pool'\ntitle = 'Ours'\n")
    assert [finding.title for finding in firstbyte.read(log).findings(rules=rules)] == ["Ours"]
    rules.write_text("[thresholds.medium]\nqueue = nan\n")
    with pytest.raises(firstbyte.ConfigError, match=r"thresholds\.medium: queue"):
        firstbyte.read(log).findings(rules=rules)
    with pytest.raises(OSError, match="nowhere"):
        firstbyte.read(log).findings(rules=tmp_path / "nowhere")
    rules.write_bytes(b"# caf\xe9\n")
    with pytest.raises(firstbyte.ConfigError, match=r"rules\.toml.*utf-8"):
        firstbyte.read(log).findings(rules=rules)


def test_stats_are_those_of_the_command(demo):
    whole = demo.stats()
    assert whole["lines"]["total"] == demo.tally["total"]
    assert whole["groups"][0]["calls"] == 18
    walls = [call.wall_ms for call in demo.calls]
    assert whole["groups"][0]["metrics"]["wall"]["max"] == max(walls)
    assert [group["name"] for group in demo.stats("op")["groups"]] == ["reload_weights"]
    targets = [group["name"] for group in demo.stats(by="target")["groups"]]
    assert sorted(targets) == sorted({call.target for call in demo.calls})


@pytest.mark.parametrize("table", ["calls", "events"])
def test_arrow_has_the_same_rows(demo, table):
    rows = [json.loads(line) for line in (CORPUS / "demo" / "events.jsonl").read_text().splitlines()]
    stream = nanoarrow.ArrayStream(demo.to_arrow(table)).read_all()
    names = [field.name for field in stream.schema.fields]
    got = [dict(zip(names, row, strict=True)) for row in stream.iter_tuples()]
    if table == "events":
        assert [row.pop("file").rsplit("/", 1)[1] for row in got] == [row.pop("file") for row in rows]
        assert got == rows
        return
    assert [row["trace_id"] for row in got] == [call.trace_id for call in demo.calls]
    assert [row["queue_us"] for row in got] == [round(call.queue_ms * 1000) for call in demo.calls]
    assert all(row["dns_us"] is None for row in got)
    sent = stream.schema.fields[names.index("sent_unix_ns")]
    assert (sent.type.name, sent.unit.name, sent.timezone) == ("TIMESTAMP", "NANO", "UTC")


def test_a_log_is_arrow_itself_and_may_be_read_again(demo):
    first, second = (nanoarrow.ArrayStream(demo).read_all() for _ in range(2))
    assert len(first) == len(second) == 18
    # A stream that nobody reads is given back too, and one outlives its log.
    demo.__arrow_c_stream__()
    stream = nanoarrow.ArrayStream(demo.to_arrow())
    del demo
    assert len(stream.read_all()) == 18


def test_what_cannot_be_read_is_named(tmp_path):
    missing = tmp_path / "no.log"
    with pytest.raises(FileNotFoundError) as caught:
        firstbyte.read(missing)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, str(missing))
    assert caught.value.strerror == os.strerror(errno.ENOENT)
    with pytest.raises(FileNotFoundError, match="no file matches") as caught:
        firstbyte.read([str(tmp_path / "*.log")])
    assert caught.value.filename == str(tmp_path / "*.log")
    with pytest.raises(IsADirectoryError, match="is a directory; name its files"):
        firstbyte.read(tmp_path)
    broken = tmp_path / "broken.log.zst"
    broken.write_bytes(b"no zstd")
    with pytest.raises(OSError, match=r"broken\.log\.zst"):
        firstbyte.read(broken)
    # Of several the others are read.
    log = firstbyte.read([missing, *DEMO, broken])
    assert [why.split(": ")[0] for why in log.unread] == [str(missing), str(broken)]
    assert log.notices[0] == f"{log.unread[0]}; nothing of it counts."
    assert len(log.calls) == len(firstbyte.read(DEMO).calls) > 0
    assert firstbyte.read(DEMO).unread == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: firstbyte.read([]), "at least one"),
        (lambda: firstbyte.read(b"a.log"), "text is needed"),
        (lambda: firstbyte.read([b"a.log"]), "text is needed"),
        (lambda: firstbyte.read(7), "paths=7"),
        (lambda: firstbyte.read("a[.log"), "no valid pattern"),
        (lambda: firstbyte.read(DEMO, max_traces=-1), "max_traces=-1"),
        (lambda: firstbyte.read(DEMO, max_traces="1"), "max_traces='1'"),
        (lambda: firstbyte.read(DEMO).findings("tiny"), "not one of"),
        (lambda: firstbyte.read(DEMO).stats("phase"), "not one of"),
        (lambda: firstbyte.read(DEMO).to_arrow("rows"), "not one of"),
    ],
)
def test_what_cannot_work_is_said(call, message):
    with pytest.raises(firstbyte.ConfigError, match=message):
        call()


def test_traces_beyond_the_limit_are_counted():
    log = firstbyte.read(DEMO, max_traces=3)
    assert len(log.calls) == 3
    assert log.tally["reasons"]["over the limit of traces"] > 0
    assert len(firstbyte.read(DEMO, max_traces=1 << 80).calls) == 18


def test_hostile_text_stays_text(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(
        b"[weights][x] client.done wall_ms=5.0 rpc_ms=NaN op=%00%0A%22=1 target=%FF\n\xff\xfe\x00\n"
        b"[weights][x] client.fail wall_ms=1.0 phase=%1B outcome=%7F error=a,b\n"
    )
    (done, failed) = firstbyte.read(log).calls
    assert (done.op, done.rpc_ms, done.target) == ('\0\n"=1', None, "\ufffd")
    assert (failed.failed_phase, failed.outcome, failed.error) == ("\x1b", "\x7f", "a,b")


def test_other_threads_go_on_while_it_reads(tmp_path):
    line = b"INFO: a line of somebody else, which is of no use to us at all, but long enough\n"
    path = tmp_path / "long.log"
    path.write_bytes(line * 2_000_000)
    ticks, done = [], threading.Event()

    def tick() -> None:
        while not done.wait(0.002):
            ticks.append(time.monotonic())

    ticking = threading.Thread(target=tick)
    ticking.start()
    begun = time.monotonic()
    log = firstbyte.read(path)
    ended = time.monotonic()
    done.set()
    ticking.join()
    assert log.tally["total"] == 2_000_000
    # Were the interpreter held, there would be none until the end.
    assert any(begun < at < begun + (ended - begun) / 2 for at in ticks)
