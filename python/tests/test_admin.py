"""The native admin client on threads: where the time went, what failed, and what was really sent."""

from __future__ import annotations

import copy
import json
import pickle
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from scripted_server import (
    ScriptedServer,
    answer,
    babble,
    close,
    full_backlog,
    gated,
    head,
    huge,
    noted,
    redirect,
    refusing_port,
    reset,
    silent,
    truncate,
)

import firstbyte
from firstbyte import (
    AdminClient,
    AdminResponse,
    BodyError,
    ConfigError,
    FirstByteError,
    NotSent,
    OutcomeUnknown,
    OverlapError,
    StatusError,
)

PHASES = ("setup", "pool", "dns", "connect", "tls", "send", "wait", "receive")
SERVER = ("kernel", "handler", "respond", "network", "unattributed")


def phases_of(response):
    return {name: ms for name, ms in response.parts.items() if name in PHASES}


@contextmanager
def stuck(client, server, path="/update_weights", **options):
    """A call in another thread that the server does not answer before it stops."""
    failed = []

    def call():
        try:
            client.post(path, **options)
        except FirstByteError as error:
            failed.append(error)

    thread = threading.Thread(target=call)
    before = len(server.requests)
    thread.start()
    server.wait_for(before + 1)
    try:
        yield failed
    finally:
        server.stop()
        thread.join(10)
        assert not thread.is_alive()


# Where the time went.


def test_the_time_is_cut_where_the_server_delayed(trace):
    with ScriptedServer(answer(delay=0.15, body_delay=0.1, rpc_ms=60)) as server:
        response = AdminClient(server.url).post("/pause", json={"mode": "keep"}, step=7)
    assert (response.status, response.json(), response.attempts) == (200, {"status": "ok", "rpc_ms": 60}, 1)
    phases = phases_of(response)
    assert list(phases) == ["setup", "connect", "send", "wait", "receive"]
    assert 150 <= phases["wait"] < 5000
    assert 95 <= phases["receive"] < 5000
    assert sum(phases.values()) == pytest.approx(response.wall_ms, abs=1e-6)
    assert response.rpc_ms == 60.0
    assert response.queue_ms == pytest.approx(response.wall_ms - 60.0, abs=1e-6)
    assert response.parts["unattributed"] == pytest.approx(phases["wait"] - 60.0, abs=1e-6)
    assert response.flags == []
    assert server.requests[0].body == b'{"mode": "keep"}'
    assert server.requests[0].headers["content-type"] == "application/json"
    assert server.requests[0].headers["x-trace-id"] == response.trace_id

    send, done = trace.lines()
    assert (send.tag, send.trace_id, send.name) == ("weights", response.trace_id, "client.send")
    assert (send["url"], send["target"]) == (f"{server.url}/pause", server.target)
    assert (send["op"], send["attempt"], send["step"]) == ("pause", "1", "7")
    assert (done.tag, done.trace_id, done.name) == ("weights", response.trace_id, "client.done")
    assert list(done.fields)[:3] == ["wall_ms", "rpc_ms", "queue_ms"]
    for name, ms in [("wall", response.wall_ms), ("resume", response.resume_ms), *phases.items()]:
        assert done.ms(f"{name}_ms") == pytest.approx(ms, abs=0.051), name
    assert 0 <= response.resume_ms < 5000


def test_the_server_half_adds_up_to_the_wait(trace):
    timing = "kernel;dur=10.5, handler;dur=20.25, rpc;dur=60, total;dur=95"
    with ScriptedServer(answer(delay=0.15, server_timing=timing)) as server:
        response = AdminClient(server.url).post("/pause")
    parts = response.parts
    assert (parts["kernel"], parts["handler"], parts["respond"]) == (10.5, 20.25, 14.75)
    assert response.rpc_ms == 60
    assert "unattributed" not in parts
    half = sum(parts[name] for name in SERVER if name in parts)
    assert half + response.rpc_ms == pytest.approx(parts["wait"], abs=1e-6)
    assert trace.only("client.done").ms("network_ms") == pytest.approx(parts["network"], abs=0.051)


def test_a_server_that_accepts_late_is_part_of_the_wait(trace):
    with ScriptedServer(accept_after=0.5) as server:
        phases = phases_of(AdminClient(server.url).post("/pause"))
    assert phases["wait"] > 100
    assert phases["connect"] < 400


def test_a_syn_that_was_dropped_is_part_of_connect(trace):
    with full_backlog() as (url, free):
        threading.Timer(0.2, free).start()
        phases = phases_of(AdminClient(url).post("/pause"))
    # The kernel sends the next one after a second.
    assert 500 <= phases["connect"] < 20_000
    assert sum(phases.values()) == pytest.approx(trace.only("client.done").ms("wall_ms"), abs=0.1)


def test_a_server_that_does_not_read_is_part_of_send(trace):
    body = bytes(32 << 20)
    with ScriptedServer(accept_after=0.3) as server:
        phases = phases_of(AdminClient(server.url).post("/update_weights", body=body))
    assert len(server.requests[0].body) == len(body)
    assert phases["send"] >= 200


def test_a_host_name_is_looked_up(trace):
    with ScriptedServer() as server:
        response = AdminClient(f"http://localhost:{server.port}").get("/is_paused")
    assert list(phases_of(response))[:3] == ["setup", "dns", "connect"]


@pytest.mark.parametrize(
    ("body", "rpc_ms", "flag"),
    [
        (b"{}", None, "rpc_missing"),
        (b"no JSON", None, "rpc_missing"),
        (b'{"rpc_ms": -1}', None, "rpc_invalid"),
        (b'{"rpc_ms": "soon"}', None, "rpc_invalid"),
        (b'{"rpc_ms": 1e9}', None, "rpc_exceeds_wall"),
    ],
)
def test_what_the_server_says_of_its_engine_is_not_believed_blindly(trace, body, rpc_ms, flag):
    with ScriptedServer(answer(body=body)) as server:
        response = AdminClient(server.url).post("/pause")
    assert response.flags == [flag]
    assert response.rpc_ms == rpc_ms
    assert response.queue_ms is None
    done = trace.only("client.done")
    assert done["flags"] == flag
    assert "queue_ms" not in done


# What failed.


def test_not_sent(trace):
    client = AdminClient(f"http://127.0.0.1:{refusing_port()}")
    with pytest.raises(NotSent) as caught:
        client.post("/pause")
    error = caught.value
    assert (error.reason, error.phase, error.bytes_sent) == ("connect_refused", "connect", 0)
    assert (error.status, error.is_timeout) == (None, False)
    assert client.unknown is None
    sends, fails = trace.named("client.send"), trace.named("client.fail")
    assert [line["attempt"] for line in sends] == [line["attempt"] for line in fails] == ["1", "2", "3"]
    assert {line.trace_id for line in sends} == {error.trace_id}
    for fail in fails:
        assert (fail["phase"], fail["outcome"], fail["error"]) == ("connect", "not_sent", "connect_refused")


def test_not_sent_because_there_is_no_such_host(trace):
    with pytest.raises(NotSent) as caught:
        AdminClient("http://no-such-host.invalid", attempts=1).post("/pause")
    assert (caught.value.reason, caught.value.phase) == ("dns", "dns")


def test_not_sent_because_there_was_no_connection_in_time(trace):
    with full_backlog() as (url, _), pytest.raises(NotSent) as caught:
        AdminClient(url, connect_timeout=0.2, attempts=1).post("/pause")
    assert (caught.value.reason, caught.value.phase) == ("connect_timeout", "connect")
    assert caught.value.is_timeout
    assert 190 <= trace.only("client.fail").ms("wall_ms") < 10_000


@pytest.mark.parametrize(
    ("script", "reason", "phase", "status"),
    [
        (reset, "reset", "wait", None),
        (close, "closed", "wait", None),
        (truncate, "body_truncated", "receive", 200),
        (silent, "total_timeout", "wait", None),
        (babble, "protocol", "receive", None),
    ],
)
def test_the_outcome_is_unknown_and_a_post_is_sent_once(trace, script, reason, phase, status):
    with ScriptedServer(script) as server:
        client = AdminClient(server.url, timeout=0.5 if script is silent else None)
        with pytest.raises(OutcomeUnknown) as caught:
            client.post("/update_weights", json={"path": "/ckpt/7"})
        time.sleep(0.3 if script is reset else 0)
        assert server.posts == 1
    error = caught.value
    assert (error.reason, error.phase, error.status) == (reason, phase, status)
    assert error.bytes_sent > 100
    assert error.is_timeout == (script is silent)
    assert client.unknown == error.trace_id
    assert str(error.bytes_sent) in str(error)
    assert error.trace_id in str(error)
    fail = trace.only("client.fail")
    assert (fail.trace_id, fail["phase"], fail["error"]) == (error.trace_id, phase, reason)
    assert fail["outcome"] == "unknown"
    assert fail["attempt"] == "1"


def test_the_outcome_is_unknown_when_only_a_part_was_accepted(trace):
    with ScriptedServer(accept_after=60) as server, pytest.raises(OutcomeUnknown) as caught:
        AdminClient(server.url, send_timeout=0.3).post("/update_weights", body=bytes(32 << 20))
    assert (caught.value.reason, caught.value.phase) == ("send_timeout", "send")
    assert caught.value.is_timeout
    assert 0 < caught.value.bytes_sent < 32 << 20


def test_a_timeout_of_the_call_goes_before_the_clients(trace):
    with ScriptedServer(answer(delay=0.4)) as server:
        client = AdminClient(server.url, timeout=0.1)
        assert client.post("/pause", timeout=30.0).status == 200
        with pytest.raises(OutcomeUnknown):
            client.post("/pause")


def test_a_second_operation_is_refused_while_one_is_in_flight(trace):
    with ScriptedServer(silent, answer()) as server:
        client = AdminClient(server.url)
        with stuck(client, server):
            with pytest.raises(OverlapError, match=r"in flight.*allow_overlap=True") as caught:
                client.post("/update_weights")
            assert (caught.value.reason, caught.value.bytes_sent) == ("overlap", 0)
            assert client.get("/health").status == 200
            assert client.post("/resume").status == 200
            assert client.post("/update_weights", allow_overlap=True).status == 200
    assert server.paths() == ["/update_weights", "/health", "/resume", "/update_weights"]


def test_no_operation_begins_on_top_of_an_unknown_outcome(trace):
    with ScriptedServer(reset, answer()) as server:
        client = AdminClient(server.url)
        with pytest.raises(OutcomeUnknown) as unknown:
            client.post("/update_weights")
        with pytest.raises(OverlapError, match=r"forget_unknown\(\).*allow_overlap=True") as caught:
            client.post("/update_weights")
        assert caught.value.trace_id == client.unknown == unknown.value.trace_id
        assert server.posts == 1
        client.forget_unknown()
        assert client.unknown is None
        client.post("/update_weights")
        assert server.posts == 2


def test_an_allowed_overlap_that_succeeds_settles_the_unknown_outcome(trace):
    with ScriptedServer(reset, answer(500), answer()) as server:
        client = AdminClient(server.url)
        with pytest.raises(OutcomeUnknown) as unknown:
            client.post("/update_weights")
        client.post("/resume")
        client.post("/update_weights", allow_overlap=True)
        assert client.unknown is None
        assert unknown.value.trace_id is not None


@pytest.mark.parametrize("status", [301, 404, 429, 500, 503])
def test_a_status_is_an_error_only_if_asked(trace, status):
    with ScriptedServer(answer(status, b"no")) as server:
        response = AdminClient(server.url).post("/pause")
        assert (response.status, response.text) == (status, "no")
        with pytest.raises(StatusError) as caught:
            response.raise_for_status()
        assert server.posts == 1
    assert caught.value.status == status
    assert caught.value.trace_id == response.trace_id
    assert (caught.value.reason, caught.value.is_timeout) == ("status", False)
    assert trace.only("client.done")["status"] == str(status)


def test_success_is_raised_for_nothing(trace):
    with ScriptedServer(answer(204, b"")) as server:
        response = AdminClient(server.url).post("/pause")
    assert response.raise_for_status() is response
    assert response.body == b""


def test_a_body_without_an_end_is_cut_off_at_the_limit(trace):
    with ScriptedServer(huge) as server, pytest.raises(BodyError) as caught:
        AdminClient(server.url).get("/get_weights")
    assert len(server.requests) == 1
    assert (caught.value.reason, caught.value.phase) == ("body_too_large", "receive")
    assert caught.value.status == 200
    assert trace.only("client.fail")["error"] == "body_too_large"


@pytest.mark.parametrize("size", [1000, 1001])
def test_the_limit_of_bodies_is_exact(trace, size):
    with ScriptedServer(answer(body=b"x" * size)) as server:
        client = AdminClient(server.url, max_body=1000)
        if size == 1000:
            assert client.post("/pause").body == b"x" * size
        else:
            with pytest.raises(BodyError):
                client.post("/pause")


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": 1', b"\xff\xfe"])
def test_a_body_that_is_no_json_says_so(trace, body):
    with ScriptedServer(answer(body=body)) as server:
        response = AdminClient(server.url).post("/pause")
    with pytest.raises(BodyError, match="no JSON") as caught:
        response.json()
    assert (caught.value.reason, caught.value.status) == ("decode", 200)
    assert caught.value.trace_id == response.trace_id
    assert response.text == body.decode(errors="replace")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"base_url": ""}, "base_url"),
        ({"base_url": "10.0.0.7:8000"}, "base_url"),
        ({"base_url": "ftp://host"}, "base_url"),
        ({"base_url": "http://host/?a=b"}, "query"),
        ({"token": "a\nb"}, "token"),
        ({"token": ""}, "token: it is empty"),
        ({"base_url": "http://a:b@host", "token": "c"}, "choose one"),
        ({"connect_timeout": 0.0}, "connect"),
        ({"send_timeout": 0.0}, "send"),
        ({"send_timeout": -1.0}, "send_timeout=-1: .*negative"),
        ({"timeout": float("nan")}, "timeout"),
        ({"still_waiting": 1e300}, "still_waiting"),
        ({"still_waiting": 1e-9}, "still_waiting"),
        ({"timeout": 0.0}, "total time-out"),
        ({"peer_dead_timeout": 0.5}, "peer_dead"),
        ({"max_connections": 0}, "max_connections"),
        ({"max_connections": -1}, "max_connections: .*negative"),
        ({"attempts": -1}, "attempts"),
        ({"attempts": 0}, "attempts=0: 1 to 3"),
        ({"attempts": 4}, "attempts=4: 1 to 3"),
        ({"attempts": 1 << 70}, "attempts"),
        ({"attempts": "3"}, "attempts"),
        ({"max_body": -1}, "max_body"),
        ({"base_url": 7}, "base_url"),
        ({"root_certificate": b"junk"}, "certificate"),
        ({"identity": b"junk"}, "identity"),
        ({"routes": "/no/such/file"}, "/no/such/file"),
    ],
)
def test_a_setting_that_cannot_work_fails_at_construction(trace, options, says):
    with pytest.raises(ConfigError, match=says) as caught:
        AdminClient(**({"base_url": "http://host"} | options))
    assert isinstance(caught.value, ValueError)
    assert str(caught.value)


def nested():
    value = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("pause", {}),
        ("http://elsewhere/pause", {}),
        ("/pause", {"json": {}, "body": b""}),
        ("/pause", {"json": object()}),
        ("/pause", {"headers": {"a": "b\r\nx: y"}}),
        ("/pause", {"headers": {"a b": "c"}}),
        ("/pause", {"operation_class": "maybe"}),
        ("/pause", {"trace_id": "x"}),
        ("/pause", {"timeout": -1.0}),
        ("/pause", {"step": 1 << 70}),
        ("/pause", {"json": {"loss": [float("nan")]}}),
        ("/pause", {"json": float("-inf")}),
        ("/pause", {"headers": {"a": 1}}),
        ("/pause", {"headers": [("a", "b")]}),
        ("/pause", {"headers": {"Content-Length": "1"}}),
        ("/pause", {"headers": {"transfer-encoding": "chunked"}}),
        ("/pause", {"timeout": 0.0}),
        ("/pau\r\nse", {}),
        ("/pause", {"json": nested()}),
    ],
)
def test_an_argument_that_cannot_work_sends_nothing(trace, path, options):
    with ScriptedServer() as server:
        client = AdminClient(server.url)
        with pytest.raises(ConfigError):
            client.post(path, **options)
        with pytest.raises(ConfigError):
            client.request("PO ST", "/pause")
        assert server.connections == 0
        assert client.unknown is None
        client.post("/pause")
    assert len(trace.named("client.send")) == 1


@pytest.mark.parametrize("body", ["text", 7, {"a": 1}, [1, 2]])
def test_a_body_of_another_kind_is_told_what_it_should_be(trace, body):
    with ScriptedServer() as server:
        client = AdminClient(server.url)
        with pytest.raises(TypeError, match=f"bytes, not {type(body).__name__}"):
            client.post("/pause", body=body)
        assert server.connections == 0


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_body_is_any_bytes(trace, kind):
    with ScriptedServer() as server:
        AdminClient(server.url).post("/pause", body=kind(b"\0\1"))
        assert server.requests[0].body == b"\0\1"


def test_the_errors_are_one_family():
    kinds = [ConfigError, OverlapError, NotSent, OutcomeUnknown, StatusError, BodyError]
    assert all(issubclass(kind, FirstByteError) for kind in kinds)
    assert [kind for kind in kinds if issubclass(kind, ValueError)] == [ConfigError]


# What was really sent.


def test_a_get_is_sent_again(trace):
    with ScriptedServer(reset, answer(503), answer()) as server:
        response = AdminClient(server.url).get("/health")
        assert (response.status, response.attempts) == (200, 3)
        assert len(server.requests) == 3
    assert {request.headers["x-trace-id"] for request in server.requests} == {response.trace_id}
    assert [line["attempt"] for line in trace.named("client.send")] == ["1", "2", "3"]


def test_a_get_is_sent_again_only_so_often(trace):
    with ScriptedServer(reset) as server:
        with pytest.raises(OutcomeUnknown):
            AdminClient(server.url, attempts=2).get("/health")
        assert len(server.requests) == 2


def test_the_caller_says_what_sending_twice_would_do(trace):
    with ScriptedServer(reset, answer(503), answer(), reset, answer()) as server:
        client = AdminClient(server.url)
        assert client.post("/pause", operation_class="idempotent").attempts == 3
        with pytest.raises(OutcomeUnknown):
            client.get("/health", operation_class="non_idempotent")
        assert len(server.requests) == 4


def test_a_post_that_cannot_have_been_applied_is_sent_again(trace):
    port = refusing_port()
    client = AdminClient(f"http://127.0.0.1:{port}", attempts=3)
    with ThreadPoolExecutor() as pool:
        call = pool.submit(client.post, "/pause")
        trace.wait_for("client.fail")
        server = ScriptedServer(port=port)
        with server:
            response = call.result(20)
            assert server.posts == 1
    assert response.attempts == len(trace.named("client.send")) > 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_redirect_is_followed(trace, method):
    with ScriptedServer() as elsewhere, ScriptedServer(redirect(f"{elsewhere.url}/pause")) as server:
        response = AdminClient(server.url, token="secret").request(method, "/pause")
        assert response.status == 307
        assert response.headers["location"] == f"{elsewhere.url}/pause"
        assert elsewhere.connections == 0
        assert len(server.requests) == 1


def test_no_proxy_is_used(trace, monkeypatch):
    with ScriptedServer(answer(502)) as proxy, ScriptedServer() as server:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.upper(), proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert AdminClient(server.url).post("/pause").status == 200
        assert proxy.connections == 0


def test_what_is_sent(trace):
    with ScriptedServer() as server:
        client = AdminClient(f"{server.url}/engine/0/", token="abc")
        client.request("put", "/a?b=c d", body=b"\0\1", headers={"X-Mine": "1", "Content-Type": "a/b"})
        client.post("/pause", json=None)
        client.get("/health")
    put, post, get = server.requests
    assert (put.method, put.path, put.body) == ("PUT", "/engine/0/a?b=c%20d", b"\0\1")
    assert put.headers["authorization"] == "Bearer abc"
    assert (put.headers["x-mine"], put.headers["content-type"]) == ("1", "a/b")
    assert "accept-encoding" not in put.headers
    assert (post.path, post.body) == ("/engine/0/pause", b"null")
    assert (get.method, get.body) == ("GET", b"")


def test_credentials_of_the_url_are_sent_as_basic_authentication(trace):
    with ScriptedServer() as server:
        AdminClient(f"http://user:pass@{server.target}").post("/pause")
    assert server.requests[0].headers["authorization"] == "Basic dXNlcjpwYXNz"


def test_headers_of_one_name_are_joined(trace):
    def play(exchange):
        exchange.write(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\ncontent-length: 0\r\n\r\n")

    with ScriptedServer(play) as server:
        response = AdminClient(server.url).post("/pause")
    assert response.headers == {"x-a": "1, 2", "content-length": "0"}


def test_an_answer_to_head_has_no_body(trace):
    with ScriptedServer(lambda exchange: exchange.write(head(200, 1000))) as server:
        response = AdminClient(server.url, max_body=10).request("HEAD", "/health")
    assert (response.status, response.body) == (200, b"")


# Ids.


def test_the_id_is_the_callers(trace):
    with ScriptedServer() as server:
        client = AdminClient(server.url)
        given = client.post("/pause", trace_id="00f067aa0ba902b7")
        with firstbyte.trace() as current:
            inherited = client.post("/pause")
        own = client.post("/pause")
    assert given.trace_id == "00f067aa0ba902b7"
    assert inherited.trace_id == current
    assert len({given.trace_id, inherited.trace_id, own.trace_id}) == 3
    sent = [request.headers["x-trace-id"] for request in server.requests]
    assert sent == [given.trace_id, inherited.trace_id, own.trace_id]
    parent = server.requests[0].headers["traceparent"].split("-")
    assert parent[1] == "0000000000000000" + given.trace_id


# Secrets.


def test_secrets_are_in_no_line_error_or_repr(trace, capfd):
    canary = "canary" + str(time.time_ns())
    seen: list[object] = []
    secret = {
        "headers": {"x-secret": f"{canary}-header"},
        "json": {"secret": f"{canary}-body"},
        "trace_id": "00f067aa0ba902b7",
    }

    def attempt(client, script_path="/update_weights", **options):
        try:
            response = client.post(f"{script_path}?token={canary}-query&{canary}-pair", **options)
            seen.extend([repr(response), response.flags, response.parts])
            response.raise_for_status()
            response.json()
        except FirstByteError as error:
            seen.extend([str(error), repr(error), error.args, vars(error)])
            seen.extend(traceback.format_exception_only(error))
            seen.append((error.__cause__, error.__context__))

    scripts = [answer(), reset, truncate, huge, answer(500), answer(body=b"no JSON"), silent]
    for script in scripts:
        for credentials in ("", f"{canary}-user:{canary}-pass@"):
            with ScriptedServer(script) as server:
                token = None if credentials else f"{canary}-token"
                url = f"http://{credentials}{server.target}"
                client = AdminClient(url, token=token, timeout=0.2, still_waiting=0.05)
                attempt(client, **secret)
                attempt(client, **secret)
                attempt(client, script_path="no-slash", **secret)
                attempt(client, headers={"x": f"{canary}\n"})
                attempt(client, headers={f"{canary} ": "x"})
                seen.extend([repr(client), repr(client._native), client.target, client.in_flight()])
            assert canary in repr(server.requests)
    attempt(AdminClient(f"http://{canary}-user:{canary}@127.0.0.1:{refusing_port()}", attempts=1))
    for options in [
        {"base_url": f"http://u:{canary}@host:port"},
        {"base_url": f"http://u:{canary}@host/?{canary}"},
        {"base_url": f"{canary}"},
        {"base_url": f"http://u:{canary}@host", "token": f"{canary}"},
        {"base_url": "http://host", "token": f"{canary}\n"},
        {"base_url": "http://host", "identity": canary.encode()},
        {"base_url": "http://host", "root_certificate": canary.encode()},
    ]:
        with pytest.raises(ConfigError) as caught:
            AdminClient(**options)
        seen.extend([str(caught.value), repr(caught.value), vars(caught.value)])
    assert len(seen) > 100
    assert canary not in repr(seen)
    assert trace.named("client.waiting")
    assert firstbyte.flush(5)
    assert canary not in trace.path.read_text()
    assert canary not in "".join(capfd.readouterr())


# Connections.


def test_a_call_has_a_connection_of_its_own(trace):
    with ScriptedServer() as server:
        client = AdminClient(server.url)
        for _ in range(5):
            response = client.post("/pause")
            assert "pool" not in response.parts
        assert server.connections == 5
        assert {request.headers["connection"] for request in server.requests} == {"close"}


def test_a_kept_connection_is_used_again(trace):
    with ScriptedServer() as server:
        client = AdminClient(server.url, max_connections=2)
        first, *others = [client.post("/pause") for _ in range(5)]
        assert server.connections == 1
    assert "connect" in first.parts
    for response in others:
        assert "connect" not in response.parts
        assert "pool" in response.parts
        assert sum(phases_of(response).values()) == pytest.approx(response.wall_ms, abs=1e-6)


def test_a_call_waits_for_a_connection_slot(trace):
    gate = threading.Event()
    with ScriptedServer(gated(gate)) as server, ThreadPoolExecutor() as pool:
        client = AdminClient(server.url, max_connections=1)
        first = pool.submit(client.post, "/pause", allow_overlap=True)
        server.wait_for(1)
        second = pool.submit(client.post, "/pause", allow_overlap=True)
        # The server's kernel may take a moment to acknowledge what it has.
        expected, deadline = ["in_server_kernel_or_later", "in_pool"], time.monotonic() + 10
        while (states := [state["state"] for state in client.in_flight()]) != expected:
            if time.monotonic() > deadline:
                gate.set()
                pytest.fail(f"{states}")
            time.sleep(0.001)
        time.sleep(0.2)
        gate.set()
        assert first.result(10).parts["pool"] < 150
        assert 190 <= second.result(10).parts["pool"] < 10_000
        assert server.connections == 1


def test_a_kept_connection_that_the_server_closed_is_not_used(trace):
    def play(exchange):
        answer()(exchange)
        exchange.close()

    with ScriptedServer(play) as server:
        client = AdminClient(server.url, max_connections=1)
        for _ in range(3):
            assert client.post("/pause").status == 200
            time.sleep(0.05)
        assert server.connections == server.posts == 3


# Pause and resume.


def test_paused_resumes_after_the_work(trace):
    with ScriptedServer() as server:
        client = AdminClient(server.url)
        with client.paused() as response:
            assert response.status == 200
            client.post("/update_weights")
        assert server.paths() == ["/pause", "/update_weights", "/resume"]


def test_paused_takes_the_options_of_a_call(trace):
    options = {"step": 7, "trace_id": "00f067aa0ba902b7", "headers": {"x-tenant": "a"}}
    with ScriptedServer(answer(delay=0.1), answer(delay=0.1)) as server:
        with AdminClient(server.url).paused("/pause?mode=keep", timeout=5.0, json={"a": 1}, **options):
            pass
        pause, resume = server.requests
        assert (pause.body, resume.body) == (b'{"a": 1}', b"")
        assert [request.headers["x-tenant"] for request in server.requests] == ["a", "a"]
    assert [(line.trace_id, line["step"]) for line in trace.named("client.send")] == [
        ("00f067aa0ba902b7", "7")
    ] * 2


@pytest.mark.parametrize("name", ["data", "content", "params", "timeot"])
def test_an_option_that_there_is_not_sends_nothing(trace, name):
    with ScriptedServer() as server:
        client = AdminClient(server.url)
        with pytest.raises(TypeError, match=name):
            client.post("/pause", **{name: "x"})
        with pytest.raises(TypeError, match=name), client.paused(**{name: "x"}):
            pass
        assert server.requests == []


@pytest.mark.parametrize("bad", [{"resume": "resume"}, {"resume_timeout": -1.0}, {"resume_timeout": 0.0}])
def test_a_resume_that_cannot_be_sent_pauses_nothing(trace, bad):
    with ScriptedServer() as server:
        with pytest.raises(ConfigError), AdminClient(server.url).paused(**bad):
            pass
        assert server.requests == []


def test_a_content_type_of_the_caller_stays(trace):
    with ScriptedServer() as server:
        headers = {"Content-Type": "application/merge-patch+json"}
        AdminClient(server.url).post("/pause", json={}, headers=headers)
        assert server.requests[0].headers["content-type"] == "application/merge-patch+json"


def test_paused_resumes_after_an_exception(trace):
    with ScriptedServer() as server:
        with pytest.raises(KeyError), AdminClient(server.url).paused():
            raise KeyError
        assert server.paths() == ["/pause", "/resume"]


def test_paused_resumes_after_work_with_an_unknown_outcome(trace):
    with ScriptedServer(answer(), reset, answer()) as server:
        client = AdminClient(server.url)
        with pytest.raises(OutcomeUnknown) as caught, client.paused("/v1/stop", "/v1/go"):
            client.post("/v1/load")
        assert server.paths() == ["/v1/stop", "/v1/load", "/v1/go"]
        # The resume says nothing about the update.
        assert client.unknown == caught.value.trace_id


@pytest.mark.parametrize(
    ("script", "kind"), [(reset, OutcomeUnknown), (answer(500), StatusError), (huge, BodyError)]
)
def test_paused_resumes_what_may_be_paused(trace, script, kind):
    with ScriptedServer(script, answer()) as server:
        with pytest.raises(kind), AdminClient(server.url).paused():
            pytest.fail("the work must not begin")
        assert server.paths() == ["/pause", "/resume"]


def test_paused_resumes_nothing_that_cannot_be_paused(trace):
    with pytest.raises(NotSent), AdminClient(f"http://127.0.0.1:{refusing_port()}", attempts=1).paused():
        pytest.fail("the work must not begin")
    assert [line["op"] for line in trace.named("client.send")] == ["pause"]
    with ScriptedServer(silent) as server:
        client = AdminClient(server.url)
        with stuck(client, server):
            with pytest.raises(OverlapError), client.paused():
                pytest.fail("the work must not begin")
            assert server.posts == 1


def test_paused_tells_the_first_error(trace):
    with ScriptedServer(answer(), answer(500), answer(), answer(500)) as server:
        client = AdminClient(server.url)
        with pytest.raises(StatusError, match="/resume"), client.paused():
            pass
        with pytest.raises(KeyError) as caught, client.paused():
            raise KeyError
        assert server.paths() == ["/pause", "/resume"] * 2
    note = noted(caught.value)
    assert all(word in note for word in ("may still be paused", "StatusError", "/resume", "500"))


def test_an_error_that_has_a_cause_keeps_it_when_the_resume_fails(trace):
    cause = ValueError("the file is gone")
    with (
        ScriptedServer(answer(), reset) as server,
        pytest.raises(KeyError) as caught,
        AdminClient(server.url).paused(),
    ):
        raise KeyError from cause
    assert caught.value.__cause__ is cause
    assert "OutcomeUnknown" in noted(caught.value)


def test_a_resume_has_a_clock(trace):
    with ScriptedServer(answer(), silent) as server:
        client = AdminClient(server.url)
        with pytest.raises(OutcomeUnknown) as caught, client.paused(resume_timeout=0.2):
            pass
    assert caught.value.reason == "total_timeout"


# Where a call is stuck.


def test_a_stuck_call_says_where_it_is(trace):
    with ScriptedServer(silent) as server:
        client = AdminClient(server.url, still_waiting=0.1)
        assert client.in_flight() == []
        with stuck(client, server, step=3, trace_id="00f067aa0ba902b7") as failed:
            (state,) = client.in_flight()
            lines = trace.wait_for("client.waiting", 3)
    assert (state["trace_id"], state["operation"]) == ("00f067aa0ba902b7", "update_weights")
    assert (state["attempt"], state["phase"]) == (1, "wait")
    assert state["state"] == "in_server_kernel_or_later"
    assert state["sent_bytes"] > 100
    assert state["unacked_bytes"] == 0
    assert state["elapsed_ms"] > 0
    elapsed = [line.ms("elapsed_ms") for line in lines]
    assert elapsed == sorted(elapsed)
    assert 100 <= elapsed[0] < 10_000
    for line in lines:
        assert line.trace_id == "00f067aa0ba902b7"
        assert (line["phase"], line["state"]) == ("wait", "in_server_kernel_or_later")
        assert (line["op"], line["target"]) == ("update_weights", server.target)
    assert isinstance(failed[0], OutcomeUnknown)
    assert client.in_flight() == []


def test_a_call_that_the_server_does_not_read_is_sending(trace):
    with ScriptedServer(accept_after=60) as server, ThreadPoolExecutor() as pool:
        client = AdminClient(server.url, send_timeout=2)
        call = pool.submit(client.post, "/update_weights", body=bytes(32 << 20))
        deadline = time.monotonic() + 10
        while [state["phase"] for state in client.in_flight()] != ["send"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert client.in_flight()[0]["state"] == "sending"
        server.stop()
        assert isinstance(call.exception(20), OutcomeUnknown)


def test_still_waiting_can_be_turned_off(trace):
    with ScriptedServer(answer(delay=0.3)) as server:
        AdminClient(server.url, still_waiting=0).post("/pause")
    assert not trace.named("client.waiting")


# Threads.


def test_many_threads_at_once(trace):
    with ScriptedServer(answer(rpc_ms=0.1)) as server, ThreadPoolExecutor(32) as pool:
        shared = [AdminClient(server.url), AdminClient(server.url, max_connections=4)]

        def work(n):
            client = shared[n % 2]
            return [client.post("/pause", allow_overlap=True).raise_for_status() for _ in range(15)]

        responses = [response for each in pool.map(work, range(32)) for response in each]
        assert server.posts == len(responses) == 480
    assert len({response.trace_id for response in responses}) == 480
    for response in responses:
        assert sum(phases_of(response).values()) == pytest.approx(response.wall_ms, abs=1e-6)
    assert all("resume_ms" in line for line in trace.named("client.done"))


def test_other_threads_run_while_a_call_waits(trace):
    gate = threading.Event()
    with ScriptedServer(gated(gate)) as server, ThreadPoolExecutor() as pool:
        call = pool.submit(AdminClient(server.url).post, "/pause")
        # The server is a thread of this process, too.
        server.wait_for(1)
        assert not call.done()
        gate.set()
        assert call.result(10).status == 200


# The rest of the face.


def test_a_client_can_be_closed_and_says_who_it_is(trace):
    with ScriptedServer() as server, AdminClient(server.url) as client:
        response = client.post("/pause")
        client.close()
        assert repr(client) == f"<AdminClient {server.target}>"
        assert client.target == server.target
    assert repr(response).startswith("<AdminResponse 200 in ")
    assert response.trace_id in repr(response)


def test_routes_of_a_file_name_the_operations(trace, tmp_path):
    routes = tmp_path / "routes"
    routes.write_text("POST /v1/swap update_weights weights\n")
    with ScriptedServer() as server:
        AdminClient(server.url, routes=routes).post("/v1/swap")
    send = trace.only("client.send")
    assert (send.tag, send["op"]) == ("weights", "update_weights")


def test_a_response_is_what_the_server_sent(trace):
    body = json.dumps({"text": "größer"}, ensure_ascii=False).encode()
    with ScriptedServer(answer(body=body)) as server:
        response = AdminClient(server.url).post("/pause")
    assert response.body == body
    assert response.json() == {"text": "größer"}


@pytest.mark.parametrize("status", [200, 503])
def test_a_response_can_be_copied_and_pickled(trace, status):
    with ScriptedServer(answer(status, rpc_ms=0.1, x_a="1")) as server:
        response = AdminClient(server.url).post("/pause")
    for again in (pickle.loads(pickle.dumps(response)), copy.deepcopy(response), copy.copy(response)):
        for twice in (again, pickle.loads(pickle.dumps(again))):
            names = [name for name in dir(AdminResponse) if not name.startswith("_")]
            for name in names:
                value, other = getattr(response, name), getattr(twice, name)
                assert callable(value) or value == other, name
            assert repr(twice) == repr(response)
            assert twice.json() == response.json()
            if status == 200:
                assert twice.raise_for_status() is twice
                continue
            with pytest.raises(StatusError) as original:
                response.raise_for_status()
            with pytest.raises(StatusError) as caught:
                twice.raise_for_status()
            assert str(caught.value) == str(original.value)
            assert vars(caught.value) == vars(original.value)
