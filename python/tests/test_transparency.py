"""The same application with and without us: what it sees and what it sends are the same."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import firstbyte
from firstbyte import FirstByteMiddleware

OURS = (b"x-trace-id", b"server-timing")

tokens = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).map(str.encode)
names = tokens.filter(
    lambda name: (
        name not in (*OURS, b"connection", b"upgrade", b"te", b"content-length", b"transfer-encoding")
        and name.strip(b"-") == name
    )
)
values = st.binary(max_size=20).map(lambda raw: bytes(b"!~"[b & 1] if b < 33 or b > 126 else b for b in raw))
bodies = st.binary(max_size=300)


@dataclass
class Plan:
    """What an application does with one request."""

    path: str
    reads: int = 0
    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    explicit: bool = True
    raises_after: int | None = None
    odd: list[object] = field(default_factory=list)


plans = st.builds(
    Plan,
    path=st.sampled_from(["/update_weights", "/pause", "/v1/completions", "/"]),
    reads=st.integers(0, 2),
    status=st.sampled_from([200, 201, 204, 304, 400, 404, 500, 503]),
    headers=st.lists(st.tuples(names, values), max_size=5),
    pieces=st.lists(bodies, max_size=5),
    explicit=st.booleans(),
    raises_after=st.none() | st.integers(0, 6),
    odd=st.lists(
        st.sampled_from([{}, {"type": "http.response.debug", "info": {}}, {"type": 7}, []]), max_size=2
    ),
)


class Fault(Exception):
    pass


def application(plan: Plan, seen: list[object]):
    async def app(scope, receive, send):
        seen.append(scope)
        for _ in range(plan.reads):
            seen.append(await receive())
        for sent, message in enumerate(messages(plan)):
            if sent == plan.raises_after:
                raise Fault
            seen.append(await send(message))

    return app


def messages(plan: Plan):
    yield {"type": "http.response.start", "status": plan.status, "headers": plan.headers}
    for piece in plan.pieces:
        yield {"type": "http.response.body", "body": piece, "more_body": True}
    yield {"type": "http.response.body"} | ({"body": b"", "more_body": False} if plan.explicit else {})


def run(app, plan: Plan) -> tuple[list[object], object]:
    """What reaches the server, and how it ended."""
    sent: list[object] = []
    inbox = iter([{"type": "http.request", "body": b"x"}, {"type": "http.disconnect"}])

    async def receive():
        await asyncio.sleep(0)
        return next(inbox)

    async def send(message):
        sent.append(message)
        await asyncio.sleep(0)
        return len(sent)

    scope = {"type": "http", "method": "POST", "path": plan.path, "headers": [(b"host", b"a")]}

    async def drive():
        await app(scope, receive, send)

    try:
        asyncio.run(drive())
    except Exception as error:
        return sent, type(error)
    return sent, None


def without_ours(message):
    if not isinstance(message, dict) or message.get("type") != "http.response.start":
        return message
    return message | {"headers": [(k, v) for k, v in message["headers"] if k not in OURS]}


@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(plan=plans)
def test_sequences_of_messages_are_the_same(quiet, plan):
    bare_seen: list[object] = []
    our_seen: list[object] = []
    bare = run(application(plan, bare_seen), plan)
    ours = run(FirstByteMiddleware(application(plan, our_seen)), plan)
    assert [without_ours(message) for message in ours[0]] == bare[0]
    assert ours[1] == bare[1]
    assert our_seen == bare_seen, "scope, what receive gave, what send returned"


def test_raw_responses_of_a_thousand_exchanges_are_the_same(quiet, serve):
    current: list[Plan] = []

    async def app(scope, receive, send):
        await application(current[0], [])(scope, receive, send)

    options = {"date_header": False, "log_config": None}
    bare, ours = serve(app, **options), serve(FirstByteMiddleware(app), **options)
    count = [0]

    @settings(max_examples=1200, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(plan=plans.filter(lambda plan: plan.status not in (204, 304)))
    def exchange(plan: Plan) -> None:
        # A second read would wait for the client to leave, and it waits for the answer.
        plan.reads = min(plan.reads, 1)
        current[:] = [plan]
        count[0] += 1
        assert raw(ours, plan) == raw(bare, plan)

    exchange()
    assert count[0] >= 1000


def raw(server, plan: Plan) -> bytes:
    """The bytes of the whole connection, less our headers."""
    host, port = server.target.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            b"POST %b HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx"
            % plan.path.encode()
        )
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    head, end, body = received.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if line.split(b":")[0].lower() not in OURS]
    return b"\r\n".join(lines) + end + body


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """A log for all examples; every event of them is accounted for."""
    firstbyte.configure(log=tmp_path_factory.mktemp("transparency") / "log", capacity=65536)
    failures = firstbyte.accounting()["failures"]
    yield
    assert firstbyte.flush(5.0)
    balance = firstbyte.accounting()
    assert balance["offered"] == balance["written"] > 1000
    assert balance["failures"] == failures
