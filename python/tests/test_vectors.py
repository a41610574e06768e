"""The conformance vectors of `tests/vectors`, which Rust meets as well."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

import firstbyte
from firstbyte import FirstByteMiddleware, _firstbyte

VECTORS = Path(__file__).parents[2] / "tests" / "vectors"


def vectors(name: str) -> list[dict]:
    return json.loads((VECTORS / name).read_text())


def test_lines(tmp_path):
    lines = vectors("lines.json")
    firstbyte.configure(log=tmp_path / "text", json=tmp_path / "json")
    for line in lines:
        _firstbyte.record(line["tag"], line["name"], line["fields"], line.get("trace_id"))
    firstbyte.configure(log=tmp_path / "after")
    written = (tmp_path / "text").read_text().splitlines()
    assert written[1:-1] == [line["text"] for line in lines]
    objects = [json.loads(line) for line in (tmp_path / "json").read_text().splitlines()][1:-1]
    for line, written_object in zip(lines, objects, strict=True):
        known = {"v", "seq", "pid", "boot", "tag", "tid", "name", "t_ns", "unix_ns"}
        assert {k: v for k, v in written_object.items() if k not in known} == line["json"]
        assert written_object.get("tid") == line.get("trace_id")


@pytest.mark.parametrize("call", vectors("calls.json"), ids=lambda call: call["about"])
def test_calls(trace, call):
    def at(micros: int) -> int:
        return 1_000_000 + micros * 1_000

    url = "http://h:1/update_weights"
    ours = _firstbyte.ClientCall.begin("POST", url, "/update_weights", "h:1", entered_ns=at(0))
    assert ours is not None
    for phase, micros in call["enter"]:
        ours.enter(phase, at(micros))
    ours.head(call["status"], call.get("server_timing"), call.get("content_type"), at(call["head"]))
    if "body" in call:
        ours.piece(call["body"].encode())
    assert ours.done(unread=call.get("unread", False), at_ns=at(call["done"]))
    assert firstbyte.flush()
    line = next(line for line in trace.path.read_text().splitlines() if "client.done" in line)
    assert line == f"[weights][{ours.trace_id}] {call['text']}"


def test_ids(trace):
    async def app(scope, receive, send):
        seen.append(firstbyte.current_trace_id())

    seen: list[str | None] = []
    middleware = FirstByteMiddleware(app)
    expected = vectors("ids.json")
    for ids in expected:
        headers = [(name.encode(), value.encode()) for name, value in ids["headers"]]
        scope = {"type": "http", "method": "POST", "path": "/pause", "headers": headers}
        asyncio.run(awaited(middleware(scope, None, None)))
    for ids, trace_id in zip(expected, seen, strict=True):
        if ids["id"] is None:
            assert len(trace_id) == 16
            assert all(trace_id not in value for _, value in ids["headers"])
        else:
            assert trace_id == ids["id"]


async def awaited(awaitable) -> None:
    await awaitable


def test_routes():
    for routed in vectors("routes.json"):
        found = _firstbyte.find_route(routed["method"], routed["path"])
        if routed["operation"] is None:
            assert found is None
        else:
            assert found == (routed["operation"], routed["tag"] == "weights")


def test_urls(trace):
    for redacted in vectors("urls.json"):
        _firstbyte.ClientCall.begin("POST", redacted["url"], "/pause", "h:1")
    fields = [line["url"] for line in trace.named("client.send")]
    assert fields == [redacted["field"] for redacted in vectors("urls.json")]
