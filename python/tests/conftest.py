"""What every test needs: lines of its own, laws that hold at its end, real servers."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

import firstbyte

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LINE = re.compile(r"\[(\w+)\](?:\[(\w+)\])? (?:([a-z_]+(?:\.[a-z_]+)+)(?= |$) ?)?(.*)")


@dataclass
class Line:
    """One line of the log, taken apart."""

    tag: str
    trace_id: str | None
    name: str | None
    fields: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, key: str) -> str:
        return self.fields[key]

    def ms(self, key: str) -> float:
        return float(self.fields[key])

    def __contains__(self, key: str) -> bool:
        return key in self.fields


def parse(text: str) -> list[Line]:
    lines = []
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        assert match is not None, f"no line of ours: {line!r}"
        tag, trace_id, name, rest = match.groups()
        fields = dict(pair.split("=", 1) for pair in rest.split())
        lines.append(Line(tag, trace_id, name, fields))
    return lines


class Trace:
    """The lines of this process, in a file of the test's own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[Line]:
        """Everything written so far, without firstbyte's own lines."""
        assert firstbyte.flush(5.0)
        return [line for line in parse(self.path.read_text()) if line.tag != "firstbyte"]

    def named(self, name: str) -> list[Line]:
        return [line for line in self.lines() if line.name == name]

    def only(self, name: str) -> Line:
        lines = self.named(name)
        assert len(lines) == 1, self.path.read_text()
        return lines[0]

    def wait_for(self, name: str, count: int = 1) -> list[Line]:
        """Lines of another thread come when they come."""
        deadline = time.monotonic() + 10
        while len(lines := self.named(name)) < count:
            assert time.monotonic() < deadline, self.path.read_text()
            time.sleep(0.005)
        return lines

    def check_laws(self) -> None:
        """Every event is accounted for; every call has one end; nothing of ours failed."""
        assert firstbyte.flush(5.0)
        balance = firstbyte.accounting()
        assert balance["offered"] == balance["written"], balance
        assert not any(balance["dropped"].values()), balance
        lines = self.lines()
        for begin, ends in [
            ("client.send", ("client.done", "client.fail")),
            ("server.recv", ("server.done",)),
            ("rpc.start", ("rpc.done",)),
        ]:
            begun = [line.trace_id for line in lines if line.name == begin]
            ended = [line.trace_id for line in lines if line.name in ends]
            assert sorted(map(str, begun)) == sorted(map(str, ended)), self.path.read_text()


def rust_panic() -> type[BaseException]:
    """What PyO3 makes of a panic, and what becomes a panic again where Rust calls Python that raises it."""
    with contextlib.suppress(ValueError):
        firstbyte._firstbyte.record("no", "record", {})
    (kind,) = [kind for kind in BaseException.__subclasses__() if kind.__name__ == "PanicException"]
    return kind


@pytest.fixture
def trace(tmp_path: Path) -> Iterator[Trace]:
    """A log of the test's own; the laws are checked when the test is over."""
    failures = firstbyte.accounting()["failures"]
    path = tmp_path / "firstbyte.log"
    firstbyte.configure(log=path)
    firstbyte._firstbyte.forget_targets()  # an earlier server may have had the port of ours
    trace = Trace(path)
    yield trace
    trace.check_laws()
    assert firstbyte.accounting()["failures"] == failures, "a part of firstbyte failed"
    firstbyte.configure(log=tmp_path / "after.log")


@dataclass
class Server:
    """A real uvicorn on a port of its own, in a thread of this process."""

    url: str
    server: uvicorn.Server

    @property
    def target(self) -> str:
        return self.url.removeprefix("http://")


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """`serve(app, **options)` starts uvicorn; all that were started end with the test."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: Any, **options: Any) -> Server:
        options = {"loop": "asyncio", "http": "h11", "log_level": "error", "lifespan": "off"} | options
        config = uvicorn.Config(app, host="127.0.0.1", port=0, **options)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        deadline = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < deadline, "uvicorn did not start"
            time.sleep(0.002)
        running.append((server, thread))
        port = server.servers[0].sockets[0].getsockname()[1]
        return Server(f"http://127.0.0.1:{port}", server)

    with contextlib.ExitStack() as stack:
        yield start
        for server, thread in running:
            server.should_exit = True
            server.force_exit = True
            stack.callback(thread.join, 10)
