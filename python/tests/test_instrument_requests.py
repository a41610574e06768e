"""Sessions of requests, as they are, on real sockets."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import pickle
import threading
import time

import pytest
import requests
import urllib3
from conftest import rust_panic
from scripted_server import (
    ScriptedServer,
    answer,
    close,
    head,
    redirect,
    refusing_port,
    reset,
    silent,
    truncate,
)

import firstbyte
from firstbyte import _firstbyte
from firstbyte._instrument import _call

PHASES = ["setup", "pool", "dns", "connect", "tls", "send", "wait", "receive"]
ID = "00f067aa0ba902b7"
PARENT = f"00-4bf92f3577b34da6{ID}-53995c3f42cd8ad8-01"
CANARY = "sesame4711"


@pytest.fixture
def session():
    """A session that is traced."""
    with requests.Session() as session:
        yield firstbyte.instrument(session)


def adds_up(done) -> bool:
    """The phases of a call are its wall time; each is rounded alone."""
    parts = [done.ms(f"{phase}_ms") for phase in PHASES if f"{phase}_ms" in done]
    return abs(sum(parts) - done.ms("wall_ms")) <= 0.05 * (len(parts) + 1) + 1e-6


def state_of(session):
    """All attributes of a session, of its adapters and of their pool managers."""
    adapters = list(session.adapters.values())
    return [dict(vars(each)) for each in [session, *adapters, *(adapter.poolmanager for adapter in adapters)]]


async def application(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    with firstbyte.rpc("update_weights"):
        pass
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


def chunked(exchange):
    """A body in two chunks, of JSON in its whole."""
    exchange.write(head(200, content_type="application/json", transfer_encoding="chunked"))
    exchange.write(b'c\r\n{"rpc_ms": 0\r\n')
    exchange.sleep(0.1)
    exchange.write(b"1\r\n}\r\n0\r\n\r\n")


# What a call is made of


def test_client_and_server_lines_have_one_id(trace, serve, session):
    server = serve(firstbyte.FirstByteMiddleware(application))
    response = session.post(f"{server.url}/update_weights", json={"version": 7})
    trace.wait_for("server.done")
    lines = trace.lines()
    assert len(lines) == 7
    assert {line.trace_id for line in lines} == {response.headers["x-trace-id"]}
    done = trace.only("client.done")
    assert (done["op"], done["target"], done["status"]) == (
        "update_weights",
        server.target,
        "200",
    )
    assert done.ms("rpc_ms") <= done.ms("wall_ms")
    assert adds_up(done)


def test_a_new_connection_is_made_and_a_kept_one_is_not(trace, session):
    with ScriptedServer() as server:
        session.post(f"{server.url}/pause")
        session.post(f"{server.url}/resume")
        assert server.connections == 1
    first, second = trace.named("client.done")
    assert "connect_ms" in first
    assert "connect_ms" not in second
    for done in (first, second):
        assert not {"dns_ms", "tls_ms"} & done.fields.keys()
        assert {
            "setup_ms",
            "pool_ms",
            "send_ms",
            "wait_ms",
            "receive_ms",
        } <= done.fields.keys()
        assert adds_up(done)


def test_a_slow_head_is_the_wait_and_a_slow_body_is_received(trace, session):
    with ScriptedServer(answer(delay=0.3, body_delay=0.3)) as server:
        assert session.post(f"{server.url}/pause").json() == {"status": "ok"}
    done = trace.only("client.done")
    assert 200 <= done.ms("wait_ms") < 3000
    assert 200 <= done.ms("receive_ms") < 3000
    assert adds_up(done)


def test_a_session_without_a_free_connection_waits_in_its_pool(trace, session):
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=1, pool_block=True))
    firstbyte.instrument(session)
    with ScriptedServer(answer(delay=0.5), answer()) as server:
        holder = threading.Thread(target=session.post, args=(f"{server.url}/pause",))
        holder.start()
        server.wait_for(1)
        session.post(f"{server.url}/resume")
        holder.join()
        assert server.connections == 1
    held, waited = trace.named("client.done")
    assert 250 <= waited.ms("pool_ms") < 3000
    assert held.ms("pool_ms") < waited.ms("pool_ms")
    assert waited.ms("wait_ms") < waited.ms("pool_ms")
    assert adds_up(waited)


def test_a_tls_handshake_that_hangs_is_named(trace, session):
    with ScriptedServer() as server, pytest.raises(requests.exceptions.Timeout):
        session.post(f"https://{server.target}/pause", timeout=0.2)
    failed = trace.only("client.fail")
    assert (failed["phase"], failed["outcome"]) == ("tls", "not_sent")


def test_a_connection_from_before_is_one_wait(trace):
    with (
        requests.Session() as session,
        ScriptedServer(answer(), answer(delay=0.1), reset) as server,
    ):
        session.post(f"{server.url}/pause")
        firstbyte.instrument(session)
        session.post(f"{server.url}/pause")
        with pytest.raises(requests.exceptions.ConnectionError):
            session.post(f"{server.url}/pause")
    done, failed = trace.only("client.done"), trace.only("client.fail")
    assert done.ms("wait_ms") >= 90
    assert not {"pool_ms", "connect_ms", "send_ms"} & done.fields.keys()
    assert adds_up(done)
    assert (failed["phase"], failed["outcome"]) == ("wait", "unknown")


def test_a_call_through_a_proxy_is_one_wait(trace, session):
    session.proxies = {"http": f"http://127.0.0.1:{refusing_port()}"}
    with pytest.raises(requests.exceptions.ProxyError):
        session.post("http://engine.invalid/pause")
    with ScriptedServer() as proxy:
        session.proxies = {"http": proxy.url}
        session.post("http://engine.invalid/pause")
    # Nobody saw that the proxy refused.
    failed = trace.only("client.fail")
    assert (failed["phase"], failed["outcome"], failed["error"]) == (
        "wait",
        "unknown",
        "proxy_error",
    )
    assert trace.only("client.done")["target"] == "engine.invalid:80"


# What stays as it was


def test_other_calls_have_neither_header_nor_line(trace, session):
    with ScriptedServer() as server:
        for path in ["/v1/completions", "/health", "/pauses", "/v1/pause"]:
            session.post(f"{server.url}{path}")
        session.get(f"{server.url}/pause")
        assert not any({"x-trace-id", "traceparent"} & request.headers.keys() for request in server.requests)
    assert trace.lines() == []


def test_hooks_and_adapters_stay(trace, session):
    seen = []
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=3, max_retries=2)
    session.mount("http://127.0.0.1", adapter)
    session.hooks["response"].append(lambda response, **options: seen.append(response.status_code))
    firstbyte.instrument(session)
    assert session.get_adapter("http://127.0.0.1") is adapter
    assert adapter.poolmanager.connection_pool_kw["maxsize"] == 3
    with ScriptedServer() as server:
        session.post(f"{server.url}/pause")
        session.post(f"http://localhost:{server.port}/pause")
    assert seen == [200, 200]
    assert len(trace.named("client.done")) == 2


def test_instrumenting_twice_is_instrumenting_once(trace, session):
    once = state_of(session)
    assert firstbyte.instrument(session) is session
    assert state_of(session) == once
    with ScriptedServer() as server:
        session.post(f"{server.url}/pause")
    trace.only("client.send")


def test_uninstrumenting_restores_everything(trace):
    with requests.Session() as session, ScriptedServer() as server:
        own = {
            "http": urllib3.HTTPConnectionPool,
            "https": type("Own", (urllib3.HTTPSConnectionPool,), {}),
        }
        session.adapters["https://"].poolmanager.pool_classes_by_scheme = own
        before = state_of(session)
        assert firstbyte.uninstrument(session) is session
        assert state_of(session) == before
        firstbyte.instrument(session)
        assert state_of(session) != before
        assert firstbyte.uninstrument(session) is session
        assert state_of(session) == before
        session.post(f"{server.url}/pause")
        # And where a pool of ours has been made meanwhile.
        firstbyte.instrument(session).post(f"http://localhost:{server.port}/pause")
        firstbyte.uninstrument(session).post(f"http://localhost:{server.port}/pause")
        assert ["x-trace-id" in request.headers for request in server.requests] == [
            False,
            True,
            False,
        ]
    trace.only("client.done")


def test_messages_name_the_classes_of_urllib3(trace, session):
    url = f"http://127.0.0.1:{refusing_port()}/pause"
    with (
        requests.Session() as plain,
        pytest.raises(requests.exceptions.ConnectionError) as before,
    ):
        plain.post(url)
    with pytest.raises(requests.exceptions.ConnectionError) as after:
        session.post(url)
    assert str(after.value) == str(before.value)


def test_an_address_of_version_6_is_the_target_of_the_native_client(trace, session):
    url = f"http://[::1]:{refusing_port()}"
    with pytest.raises(requests.exceptions.ConnectionError):
        session.post(f"{url}/pause")
    assert trace.only("client.send")["target"] == firstbyte.AdminClient(url).target


def test_a_method_that_somebody_put_on_an_adapter_is_kept(trace, session):
    firstbyte.uninstrument(session)
    adapter, passed = session.get_adapter("http://"), []
    original = adapter.send

    def theirs(request, **options):
        passed.append(request.url)
        return original(request, **options)

    adapter.send = theirs
    firstbyte.instrument(session)
    with ScriptedServer() as server:
        session.post(f"{server.url}/pause")
        assert passed == [f"{server.url}/pause"]
    trace.only("client.done")
    firstbyte.uninstrument(session)
    assert adapter.send is theirs


def test_somebody_who_wraps_our_method_does_not_double_the_call(trace, session):
    adapter = session.get_adapter("http://")
    ours = adapter.send
    adapter.send = lambda request, **options: ours(request, **options)
    firstbyte.instrument(session)
    with ScriptedServer() as server:
        session.post(f"{server.url}/pause")
    trace.only("client.send")


def test_a_class_that_is_patched_later_is_honoured(trace, session, monkeypatch):
    def mocked(adapter, request, **options):
        response = requests.Response()
        response.status_code, response.raw = (
            202,
            urllib3.HTTPResponse(io.BytesIO(b"{}"), preload_content=False),
        )
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", mocked)
    assert session.post(f"http://127.0.0.1:{refusing_port()}/pause").status_code == 202
    assert trace.only("client.done")["status"] == "202"


def test_sessions_and_responses_can_be_pickled(trace, session):
    with ScriptedServer() as server, pickle.loads(pickle.dumps(session)) as copy:
        copy.post(f"{server.url}/pause")
        assert trace.lines() == []
        response = session.post(f"{server.url}/pause")
        assert pickle.loads(pickle.dumps(response)).json() == {"status": "ok"}


def test_arguments_by_position_are_passed_on(trace, session):
    adapter = session.get_adapter("http://")
    with ScriptedServer(answer(body_delay=0.1)) as server:
        request = session.prepare_request(requests.Request("POST", f"{server.url}/pause"))
        response = adapter.send(request, True, 5)
        assert trace.named("client.done") == []
        assert response.json() == {"status": "ok"}
    assert trace.only("client.done").ms("receive_ms") >= 20


def test_a_session_that_is_held_by_its_call_alone_works(trace):
    with ScriptedServer(answer(rpc_ms=0)) as server:
        request = requests.Request("POST", f"{server.url}/pause").prepare()
        # In an `assert`, pytest would hold the session.
        response = firstbyte.instrument(requests.Session()).send(request)
        assert response.json() == {"status": "ok", "rpc_ms": 0}
        gc.collect()
    assert trace.only("client.done")["rpc_ms"] == "0.0"


# Ids


def test_an_id_of_the_caller_is_kept(trace, session):
    both = {"x-trace-id": ID, "traceparent": PARENT.replace(ID, "1" * 16)}
    with ScriptedServer() as server:
        session.post(f"{server.url}/pause", headers={"X-Trace-Id": ID})
        session.post(f"{server.url}/pause", headers={"X-Trace-Id": ID.encode()})
        session.post(f"{server.url}/pause", headers={"Traceparent": PARENT})
        session.post(f"{server.url}/pause", headers=both)
        first, second, third, fourth = (request.headers for request in server.requests)
    assert first["x-trace-id"] == second["x-trace-id"] == ID
    assert first["traceparent"][3:35] == ID.rjust(32, "0")
    assert (third["traceparent"], third["x-trace-id"]) == (PARENT, ID)
    assert both.items() <= fourth.items()
    assert {line.trace_id for line in trace.lines()} == {ID}


def test_trace_gives_all_calls_within_it_one_id(trace, session):
    with ScriptedServer() as server:
        with firstbyte.trace() as trace_id:
            session.post(f"{server.url}/pause")
            session.post(f"{server.url}/resume")
        session.post(f"{server.url}/pause")
    assert [line.trace_id == trace_id for line in trace.named("client.done")] == [
        True,
        True,
        False,
    ]


def test_every_hop_of_a_redirect_is_a_call_of_the_same_id(trace, session):
    with ScriptedServer(redirect("/is_sleeping"), answer(delay=0.2)) as server:
        response = session.get(f"{server.url}/is_paused")
        assert [hop.status_code for hop in [*response.history, response]] == [307, 200]
    first, second = trace.named("client.done")
    assert (first["op"], first["status"]) == ("is_paused", "307")
    assert (second["op"], second["status"]) == ("is_sleeping", "200")
    assert first.trace_id == second.trace_id
    assert second.ms("wait_ms") >= 100


# What the server says of its half


@pytest.mark.parametrize(
    ("script", "rpc_ms", "flags"),
    [
        (answer(delay=0.05, server_timing="rpc;dur=20"), 20.0, None),
        (answer(delay=0.05, rpc_ms=20), 20.0, None),
        (chunked, 0.0, None),
        (answer(), None, "rpc_missing"),
        (answer(rpc_ms=1e7), None, "rpc_exceeds_wall"),
        (answer(server_timing="rpc;dur=-1"), None, "rpc_invalid"),
        (answer(body=b'{"rpc_ms": NaN}'), None, "rpc_invalid"),
    ],
)
def test_what_the_server_reports_is_used_or_flagged(trace, session, script, rpc_ms, flags):
    with ScriptedServer(script) as server:
        session.post(f"{server.url}/pause")
    done = trace.only("client.done")
    assert (float(done["rpc_ms"]) if "rpc_ms" in done else None) == rpc_ms
    assert done.fields.get("flags") == flags


def test_an_error_of_the_server_is_an_answer(trace, session):
    with (
        ScriptedServer(answer(503, rpc_ms=0)) as server,
        pytest.raises(requests.exceptions.HTTPError),
    ):
        session.post(f"{server.url}/pause").raise_for_status()
    done = trace.only("client.done")
    assert (done["status"], "flags" in done) == ("503", False)


def test_a_hook_that_raises_for_a_status_leaves_the_body_to_its_caller(trace, session):
    session.hooks["response"].append(lambda response, **options: response.raise_for_status())
    with ScriptedServer(answer(500, body_delay=0.05)) as server:
        with pytest.raises(requests.exceptions.HTTPError) as raised:
            session.post(f"{server.url}/pause")
        assert trace.named("client.done") == []
        assert raised.value.response.json() == {"status": "ok"}
    assert trace.only("client.done")["status"] == "500"


def test_a_hook_that_reads_the_body_itself_ends_the_call(trace, session):
    def read(response, **options):
        assert json.loads(b"".join(response.iter_content(7))) == {"status": "ok"}
        time.sleep(0.5)

    session.hooks["response"].append(read)
    with ScriptedServer() as server, pytest.raises(RuntimeError, match="consumed"):
        session.post(f"{server.url}/pause")
    done = trace.only("client.done")
    assert done["flags"] == "rpc_missing"
    assert done.ms("receive_ms") < 400


# Bodies


@pytest.mark.parametrize("script", [answer(body_delay=0.1, server_timing="rpc;dur=0"), chunked])
@pytest.mark.parametrize(
    "read",
    [
        lambda response: response.content,
        lambda response: b"".join(response.iter_content(3)),
        lambda response: b"".join(response.iter_lines()),
        lambda response: response.raw.read(),
    ],
)
def test_a_body_that_is_streamed_to_its_end_is_a_whole_call(trace, session, script, read):
    with ScriptedServer(script) as server:
        response = session.post(f"{server.url}/pause", stream=True)
        assert trace.named("client.done") == []
        assert isinstance(json.loads(read(response)), dict)
        done = trace.only("client.done")
        session.post(f"{server.url}/resume")
        # Its connection was given back.
        assert server.connections == 1
    assert "body_unread" not in done.fields.get("flags", "")
    assert done.ms("receive_ms") >= 20


def test_a_session_that_streams_is_not_read_for_it(trace, session):
    session.stream = True
    with ScriptedServer(answer(body_delay=0.1)) as server:
        request = session.prepare_request(requests.Request("POST", f"{server.url}/pause"))
        with session.send(request) as response:
            assert trace.named("client.done") == []
            assert not response._content_consumed
            assert response.json() == {"status": "ok"}
    assert trace.only("client.done").ms("receive_ms") >= 20


def test_a_body_that_is_given_up_is_flagged(trace, session):
    with ScriptedServer(answer(body_delay=5), answer(body_delay=5), chunked) as server:
        session.post(f"{server.url}/pause", stream=True).close()
        with session.post(f"{server.url}/pause", stream=True) as response:
            next(response.iter_content(1))
        with session.post(f"{server.url}/pause", stream=True) as response:
            next(response.iter_content(1))
    assert [done["flags"] for done in trace.named("client.done")] == ["rpc_missing,body_unread"] * 3


def test_a_response_that_nobody_reads_ends_when_it_goes(trace, session):
    with ScriptedServer(answer(body_delay=5)) as server:
        gc.collect()
        gc.disable()
        try:
            response = session.post(f"{server.url}/pause", stream=True)
            del response
            done = trace.only("client.done")
        finally:
            gc.enable()
    assert done["flags"] == "rpc_missing,body_unread"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_is_whole(trace, session, status, stream):
    with ScriptedServer(lambda exchange: exchange.write(head(status))) as server:
        session.post(f"{server.url}/pause", stream=stream).close()
    done = trace.only("client.done")
    assert (done["status"], done["flags"]) == (str(status), "rpc_missing")


def test_the_body_is_what_the_server_sent(trace, session):
    body = os.urandom(300_000)
    with ScriptedServer(answer(body=body, content_type="application/octet-stream")) as server:
        assert session.post(f"{server.url}/pause", data=body).content == body
        assert server.requests[0].body == body
    assert adds_up(trace.only("client.done"))


# What goes wrong


def test_a_refused_connection_sent_nothing(trace, session):
    with pytest.raises(requests.exceptions.ConnectionError):
        session.post(f"http://127.0.0.1:{refusing_port()}/pause")
    failed = trace.only("client.fail")
    assert (failed["phase"], failed["outcome"], failed["error"]) == (
        "connect",
        "not_sent",
        "connect_refused",
    )


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("script", "phase", "status"),
    [(reset, "wait", None), (close, "wait", None), (truncate, "receive", "200")],
)
def test_a_connection_that_breaks_leaves_the_outcome_unknown(trace, session, script, phase, status, stream):
    with (
        ScriptedServer(script) as server,
        pytest.raises(requests.exceptions.RequestException) as raised,
    ):
        session.post(f"{server.url}/update_weights", stream=stream).content  # noqa: B018
    failed = trace.only("client.fail")
    assert (failed["phase"], failed["outcome"], failed.fields.get("status")) == (
        phase,
        "unknown",
        status,
    )
    assert failed["error"] in ("reset", "closed", "body_truncated")
    del raised


def test_a_chunk_that_is_cut_off_leaves_the_outcome_unknown(trace, session):
    def cut_off(exchange):
        exchange.write(head(200, transfer_encoding="chunked") + b"9\r\n123")
        exchange.close()

    with (
        ScriptedServer(cut_off) as server,
        pytest.raises(requests.exceptions.ChunkedEncodingError),
    ):
        session.post(f"{server.url}/update_weights")
    failed = trace.only("client.fail")
    assert (failed["phase"], failed["outcome"], failed["error"]) == (
        "receive",
        "unknown",
        "body_truncated",
    )


def test_an_answer_that_is_too_late_leaves_the_outcome_unknown(trace, session):
    with ScriptedServer(silent, answer(body_delay=5)) as server:
        with pytest.raises(requests.exceptions.ReadTimeout):
            session.post(f"{server.url}/pause", timeout=(5, 0.1))
        with pytest.raises(requests.exceptions.ConnectionError):
            session.post(f"{server.url}/pause", timeout=(5, 0.3))
    late_head, late_body = trace.named("client.fail")
    assert (late_head["phase"], late_head["outcome"], late_head["error"]) == (
        "wait",
        "unknown",
        "read_timeout",
    )
    assert (late_body["phase"], late_body["outcome"]) == ("receive", "unknown")


def test_an_attempt_that_was_sent_is_not_hidden_by_one_that_was_not(trace, session):
    """urllib3 tries again where nobody listens any more."""

    def last(exchange):
        # No further connection is accepted.
        exchange.server._listener.close()
        exchange.close()

    retries = urllib3.Retry(total=1, allowed_methods=None, backoff_factor=0)
    session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retries))
    firstbyte.instrument(session)
    with (
        ScriptedServer(last) as server,
        pytest.raises(requests.exceptions.ConnectionError),
    ):
        session.post(f"{server.url}/update_weights", timeout=1)
    assert trace.only("client.fail")["outcome"] == "unknown"


def test_an_interrupt_goes_through_and_ends_the_call(trace, session, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    patches = [
        (urllib3.connection.HTTPConnection, "_new_conn", "connect"),
        (urllib3.connection.HTTPConnection, "request", "send"),
        (urllib3.connection.HTTPConnection, "getresponse", "wait"),
        (urllib3.response.HTTPResponse, "_fp_read", "receive"),
    ]
    with ScriptedServer() as server:
        session.post(f"{server.url}/pause")
        for owner, name, phase in patches:
            if phase == "connect":
                session.close()
            with monkeypatch.context() as patch:
                patch.setattr(owner, name, interrupt)
                with pytest.raises(KeyboardInterrupt):
                    session.post(f"{server.url}/pause")
            session.post(f"{server.url}/resume")
    failed = trace.named("client.fail")
    assert [line["phase"] for line in failed] == [phase for _, _, phase in patches]
    assert {line["outcome"] for line in failed} == {"cancelled"}


def test_neither_credentials_nor_query_values_are_written(trace, session):
    session.headers.update({"cookie": CANARY, "x-token": CANARY})
    with ScriptedServer(answer(), reset, truncate) as server:
        for target in [server.target] * 3 + [f"127.0.0.1:{refusing_port()}"]:
            url = f"http://user:{CANARY}@{target}/pause?token={CANARY}#{CANARY}"
            with contextlib.suppress(requests.exceptions.RequestException):
                session.post(url, json={"key": CANARY}, params={"more": CANARY})
    assert len(trace.named("client.fail")) == 3
    assert CANARY not in trace.path.read_text()


# What goes wrong in firstbyte itself


class Broken:
    """A call that can do nothing but be there."""

    trace_id, traceparent = ID, PARENT

    def __getattr__(self, name):
        raise RuntimeError(f"no {name}")


def broken(*arguments, **options):
    raise RuntimeError


def panics(*arguments, **options):
    raise rust_panic()("in the middle of the call")


@pytest.mark.parametrize(
    ("name", "replacement"),
    [
        ("find_route", broken),
        ("find_route", panics),
        ("ClientCall", type("ClientCall", (), {"begin": staticmethod(broken)})),
        (
            "ClientCall",
            type("ClientCall", (), {"begin": staticmethod(lambda *_, **__: Broken())}),
        ),
    ],
)
def test_a_failure_of_ours_is_no_failure_of_the_request(session, monkeypatch, name, replacement):
    before = firstbyte.accounting()["failures"]
    monkeypatch.setattr(_call, "fuse", _firstbyte.Fuse())
    monkeypatch.setattr(_firstbyte, name, replacement)
    with ScriptedServer(answer(), answer(body_delay=0.01), truncate, answer()) as server:
        assert session.post(f"{server.url}/pause").json() == {"status": "ok"}
        session.post(f"{server.url}/pause", stream=True).close()
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            session.post(f"{server.url}/pause")
        with pytest.raises(requests.exceptions.ConnectionError):
            session.post(f"http://127.0.0.1:{refusing_port()}/pause")
        assert session.get(f"{server.url}/health").status_code == 200
    assert firstbyte.accounting()["failures"] > before + 3


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:port/pause", "http://[::1/pause", "nothing", "ftp://host/pause"],
)
def test_urls_that_are_none_fail_as_before(trace, session, url):
    with (
        requests.Session() as plain,
        pytest.raises(requests.exceptions.RequestException) as before,
    ):
        plain.post(url)
    with pytest.raises(type(before.value)):
        session.post(url)
