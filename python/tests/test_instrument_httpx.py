"""Clients of httpx and httpx2, as they are: sync and async, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import json
import os
import ssl
import subprocess
import sys
import threading
import time
import weakref

import pytest
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
from firstbyte import _firstbyte, _looplag
from firstbyte._instrument import _call, _httpx

LIBRARIES = ["httpx", *(["httpx2"] if sys.version_info >= (3, 11) else [])]
PHASES = ["setup", "pool", "dns", "connect", "tls", "send", "wait", "receive"]
ID = "00f067aa0ba902b7"
PARENT = f"00-4bf92f3577b34da6{ID}-53995c3f42cd8ad8-01"
CANARY = "sesame4711"
#: Made once, as it takes longer than a call.
TLS = ssl.create_default_context()


class Driver:
    """Clients of either kind behind one surface, so that what both do is told once."""

    def __init__(self, library: str, *, is_async: bool) -> None:
        self.library = importlib.import_module(library)
        self.is_async = is_async
        self.loop = asyncio.new_event_loop() if is_async else None
        self.clients = []

    def client(self, **options):
        kind = self.library.AsyncClient if self.is_async else self.library.Client
        self.clients.append(kind(**{"trust_env": False, "verify": TLS} | options))
        return self.clients[-1]

    def transport(self, **options):
        kind = self.library.AsyncHTTPTransport if self.is_async else self.library.HTTPTransport
        return kind(**{"verify": TLS} | options)

    def traced(self, **options):
        return firstbyte.instrument(self.client(**options))

    def wait(self, result):
        return self.loop.run_until_complete(result) if self.loop is not None else result

    def post(self, client, url, **options):
        return self.wait(client.post(url, **options))

    def get(self, client, url, **options):
        return self.wait(client.get(url, **options))

    @contextlib.contextmanager
    def stream(self, client, url):
        context = client.stream("POST", url)
        enter, leave = ("__aenter__", "__aexit__") if self.is_async else ("__enter__", "__exit__")
        response = self.wait(getattr(context, enter)())
        try:
            yield response
        finally:
            self.wait(getattr(context, leave)(None, None, None))

    def read(self, response):
        return self.wait(response.aread()) if self.is_async else response.read()

    def first_piece(self, response):
        if not self.is_async:
            return next(response.iter_raw())

        async def first():
            return await response.aiter_raw().__anext__()

        return self.wait(first())

    def hook(self, function):
        """The same as a coroutine function, where the client wants one."""
        if not self.is_async:
            return function

        async def hook(*arguments):
            return function(*arguments)

        return hook

    def close(self):
        for client in self.clients:
            self.wait(client.aclose()) if self.is_async else client.close()
        if self.loop is not None:
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()


def drivers(**which):
    @pytest.fixture(
        params=[(library, mode) for library in LIBRARIES for mode in which["modes"]],
        ids="-".join,
    )
    def driver(request):
        library, mode = request.param
        driver = Driver(library, is_async=mode == "async")
        yield driver
        driver.close()

    return driver


driver = drivers(modes=["sync", "async"])
async_driver = drivers(modes=["async"])
sync_driver = drivers(modes=["sync"])


def adds_up(done) -> bool:
    """The phases of a call are its wall time; each is rounded alone."""
    parts = [done.ms(f"{phase}_ms") for phase in PHASES if f"{phase}_ms" in done]
    return abs(sum(parts) - done.ms("wall_ms")) <= 0.05 * (len(parts) + 1) + 1e-6


def state_of(client):
    """All attributes of a client and of its transports."""
    transports = [client._transport, *client._mounts.values()]
    return [
        dict(vars(client)),
        *[dict(vars(transport)) for transport in transports if transport is not None],
    ]


async def application(scope, receive, send):
    """Answers every request once its body has been read, after some work of the engine."""
    while (await receive()).get("more_body"):
        pass
    async with firstbyte.rpc("update_weights"):
        await asyncio.sleep(0.03)
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


# What a call is made of


def test_client_and_server_lines_have_one_id(trace, serve, driver):
    server = serve(firstbyte.FirstByteMiddleware(application))
    response = driver.post(driver.traced(), f"{server.url}/update_weights", json={"version": 7})
    trace.wait_for("server.done")
    lines = trace.lines()
    assert {line.name for line in lines} == {
        "client.send",
        "server.recv",
        "rpc.start",
        "rpc.done",
        "server.first_byte",
        "server.done",
        "client.done",
    }
    assert {line.trace_id for line in lines} == {response.headers["x-trace-id"]}
    assert {line.tag for line in lines} == {"weights"}
    done = trace.only("client.done")
    assert (done["op"], done["target"], done["status"], done["attempt"]) == (
        "update_weights",
        server.target,
        "200",
        "1",
    )
    assert 30 <= done.ms("rpc_ms") <= done.ms("wall_ms")
    assert done.ms("queue_ms") == pytest.approx(done.ms("wall_ms") - done.ms("rpc_ms"), abs=0.11)
    assert adds_up(done)


def test_a_new_connection_is_made_and_a_kept_one_is_not(trace, driver):
    with ScriptedServer() as server:
        client = driver.traced()
        driver.post(client, f"{server.url}/pause")
        driver.post(client, f"{server.url}/resume")
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


def test_a_slow_head_is_the_wait_and_a_slow_body_is_received(trace, driver):
    with ScriptedServer(answer(delay=0.3, body_delay=0.3)) as server:
        assert driver.post(driver.traced(), f"{server.url}/pause").json() == {"status": "ok"}
    done = trace.only("client.done")
    assert 200 <= done.ms("wait_ms") < 3000
    assert 200 <= done.ms("receive_ms") < 3000
    assert adds_up(done)


def test_a_client_without_a_free_connection_waits_in_its_pool(trace, driver):
    with ScriptedServer(answer(delay=0.5), answer()) as server:
        client = driver.traced(limits=driver.library.Limits(max_connections=1))

        def one_after_the_other():
            holder = threading.Thread(target=client.post, args=(f"{server.url}/pause",))
            holder.start()
            server.wait_for(1)
            client.post(f"{server.url}/resume")
            holder.join()

        async def one_after_the_other_async():
            holder = asyncio.create_task(client.post(f"{server.url}/pause"))
            await asyncio.to_thread(server.wait_for, 1)
            await client.post(f"{server.url}/resume")
            await holder

        driver.wait(one_after_the_other_async() if driver.is_async else one_after_the_other())
        assert server.connections == 1
    held, waited = trace.named("client.done")
    assert (held["op"], waited["op"]) == ("pause", "resume")
    assert 250 <= waited.ms("pool_ms") < 3000
    assert held.ms("pool_ms") < waited.ms("pool_ms")
    assert waited.ms("wait_ms") < waited.ms("pool_ms")
    assert adds_up(waited)


def test_a_late_loop_is_not_blamed_on_the_pool(trace, async_driver, monkeypatch):
    monkeypatch.setattr(_looplag, "INTERVAL", 0.3)
    with ScriptedServer(answer(delay=0.05), answer()) as server:
        client = async_driver.traced(limits=async_driver.library.Limits(max_connections=1))

        async def blocked():
            holder = asyncio.create_task(client.post(f"{server.url}/pause"))
            await asyncio.to_thread(server.wait_for, 1)
            waiter = asyncio.create_task(client.post(f"{server.url}/resume"))
            await asyncio.sleep(0)
            time.sleep(0.8)  # noqa: ASYNC251 - somebody who must not
            await asyncio.gather(holder, waiter)

        async_driver.wait(blocked())
    waited = trace.named("client.done")[1]
    assert 400 <= waited.ms("setup_ms") < 3000
    assert waited.ms("pool_ms") < waited.ms("setup_ms")


def test_work_before_the_pool_is_not_blamed_on_it(trace, async_driver, monkeypatch):
    """Such as the imports of a first request, which no heartbeat has been there for."""
    monkeypatch.setattr(_looplag, "INTERVAL", 10)

    class Transport(async_driver.library.AsyncHTTPTransport):
        async def handle_async_request(self, request):
            time.sleep(0.4)  # noqa: ASYNC251
            return await super().handle_async_request(request)

    with ScriptedServer() as server:
        async_driver.post(async_driver.traced(transport=Transport(verify=TLS)), f"{server.url}/pause")
    done = trace.only("client.done")
    assert 400 <= done.ms("setup_ms") < 3000
    assert done.ms("pool_ms") < done.ms("setup_ms")


def test_a_tls_handshake_that_hangs_is_named(trace, driver):
    with ScriptedServer() as server:
        client = driver.traced(timeout=0.3)
        with pytest.raises(driver.library.ConnectTimeout):
            driver.post(client, f"https://{server.target}/pause")
    failed = trace.only("client.fail")
    assert (failed["phase"], failed["outcome"], failed["error"]) == (
        "tls",
        "not_sent",
        "connect_timeout",
    )
    assert 250 <= failed.ms("wall_ms") < 5000


def test_the_tunnel_of_a_proxy_belongs_to_the_connection(trace, driver):
    def tunnel(exchange):
        exchange.sleep(0.1)
        exchange.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        exchange.close()

    with ScriptedServer(tunnel, answer(407)) as proxy:
        client = driver.traced(proxy=proxy.url)
        with pytest.raises(driver.library.ConnectError):
            driver.post(client, "https://engine.invalid/pause")
        with pytest.raises(driver.library.ProxyError):
            driver.post(client, "https://engine.invalid/pause")
    broken, refused = trace.named("client.fail")
    assert (broken["phase"], broken["outcome"]) == ("tls", "not_sent")
    assert (refused["phase"], refused["outcome"], refused["error"]) == (
        "connect",
        "not_sent",
        "proxy_error",
    )


# What stays as it was


def test_other_calls_have_neither_header_nor_line(trace, driver):
    with ScriptedServer() as server:
        client = driver.traced()
        for path in ["/v1/completions", "/health", "/pauses", "/v1/pause"]:
            driver.post(client, f"{server.url}{path}")
        driver.get(client, f"{server.url}/pause")
        assert not any({"x-trace-id", "traceparent"} & request.headers.keys() for request in server.requests)
    assert trace.lines() == []


def test_another_call_gets_what_the_transport_returns(driver):
    sentinel = object()
    name = "handle_async_request" if driver.is_async else "handle_request"
    base = driver.library.AsyncBaseTransport if driver.is_async else driver.library.BaseTransport
    transport = type("Transport", (base,), {name: lambda self, request: sentinel})()
    driver.traced(transport=transport)
    assert getattr(transport, name)(driver.library.Request("GET", "http://host/health")) is sentinel


def test_hooks_transports_mounts_and_limits_stay(trace, driver):
    seen = []
    requested = driver.hook(lambda request: seen.append(request.headers.get("x-trace-id")))
    responded = driver.hook(lambda response: seen.append(response.status_code))
    transport, mount = (
        driver.transport(limits=driver.library.Limits(max_connections=3)),
        driver.transport(),
    )
    hooks = {"request": [requested], "response": [responded]}
    client = driver.client(transport=transport, mounts={"http://127.0.0.1": mount}, event_hooks=hooks)
    assert firstbyte.instrument(client) is client
    assert client._transport is transport
    assert list(client._mounts.values()) == [mount]
    assert transport._pool._max_connections == 3
    assert client.event_hooks == hooks
    with ScriptedServer() as server:
        driver.post(client, f"{server.url}/pause")
        driver.post(client, f"http://localhost:{server.port}/pause")
    assert seen == [None, 200, None, 200]
    assert len(trace.named("client.done")) == 2


def test_a_trace_callback_of_the_caller_hears_the_same_as_before(trace, driver):
    def events_of(client, server):
        names = []
        callback = driver.hook(lambda name, info: names.append(name))
        response = driver.post(client, f"{server.url}/pause", extensions={"trace": callback})
        assert response.request.extensions["trace"] is callback
        return names

    with ScriptedServer() as server:
        before = events_of(driver.client(), server)
        assert events_of(driver.traced(), server) == before
    assert before[0] == "connection.connect_tcp.started"
    assert before[-1] == "http11.response_closed.complete"
    assert "connect_ms" in trace.only("client.done")


def test_a_trace_callback_of_the_wrong_kind_fails_as_before(trace, driver):
    async def coroutine_function(name, info):
        pass

    callback = (lambda name, info: None) if driver.is_async else coroutine_function
    with (
        ScriptedServer() as server,
        pytest.warns() if not driver.is_async else contextlib.nullcontext(),
    ):
        with pytest.raises(TypeError):
            driver.post(driver.traced(), f"{server.url}/pause", extensions={"trace": callback})
        gc.collect()
    failed = trace.only("client.fail")
    assert (failed["phase"], failed["error"]) == ("connect", "type_error")


def test_instrumenting_twice_is_instrumenting_once(trace, driver):
    client = driver.traced()
    once = state_of(client)
    assert firstbyte.instrument(client) is client
    assert state_of(client) == once
    with ScriptedServer() as server:
        driver.post(client, f"{server.url}/pause")
    trace.only("client.send")


def test_uninstrumenting_restores_everything(trace, driver):
    client = driver.client(mounts={"http://127.0.0.1": driver.transport(), "all://nowhere": None})
    before = state_of(client)
    assert firstbyte.uninstrument(client) is client
    assert state_of(client) == before
    firstbyte.instrument(client)
    assert state_of(client) != before
    assert firstbyte.uninstrument(client) is client
    assert state_of(client) == before
    with ScriptedServer() as server:
        driver.post(client, f"{server.url}/pause")
        assert "x-trace-id" not in server.requests[0].headers
    assert trace.lines() == []


def test_a_method_that_somebody_put_on_a_transport_is_kept(trace, driver):
    client = driver.client()
    name = "handle_async_request" if driver.is_async else "handle_request"
    original, passed = getattr(client._transport, name), []

    def theirs(request):
        passed.append(request.url.path)
        return original(request)

    setattr(client._transport, name, theirs)
    firstbyte.instrument(client)
    with ScriptedServer() as server:
        driver.post(client, f"{server.url}/pause")
    assert passed == ["/pause"]
    trace.only("client.done")
    firstbyte.uninstrument(client)
    assert vars(client._transport)[name] is theirs


def test_somebody_who_wraps_our_method_does_not_double_the_call(trace, driver):
    client = driver.traced()
    name = "handle_async_request" if driver.is_async else "handle_request"
    ours = getattr(client._transport, name)
    setattr(client._transport, name, lambda request: ours(request))
    firstbyte.instrument(client)
    with ScriptedServer() as server:
        driver.post(client, f"{server.url}/pause")
    trace.only("client.send")


def test_a_class_that_is_patched_later_is_honoured(trace, driver, monkeypatch):
    client = driver.traced()
    name = "handle_async_request" if driver.is_async else "handle_request"
    mocked = driver.hook(lambda transport, request: driver.library.Response(202, json={"rpc_ms": 0.0}))
    monkeypatch.setattr(type(client._transport), name, mocked)
    assert driver.post(client, f"http://127.0.0.1:{refusing_port()}/pause").status_code == 202
    assert trace.only("client.done")["status"] == "202"


def test_a_client_goes_once_nobody_has_it(sync_driver):
    gone = threading.Event()

    class Transport(sync_driver.library.HTTPTransport):
        def __del__(self):
            gone.set()

    client = firstbyte.instrument(sync_driver.library.Client(transport=Transport()))
    client.close()
    del client
    # Our method has its transport, as a bound method has; the transport has our method.
    gc.collect()
    assert gone.is_set()


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_loop_that_carried_a_call_goes_with_its_end(trace, library):
    loops = []

    async def call():
        loops.append(weakref.ref(asyncio.get_running_loop()))
        client = importlib.import_module(library).AsyncClient(trust_env=False, verify=TLS)
        async with firstbyte.instrument(client):
            await client.post(f"{server.url}/pause")

    with ScriptedServer() as server:
        for _ in range(20):
            asyncio.run(call())
    gc.collect()
    assert [loop() for loop in loops] == [None] * 20


def test_a_method_that_is_kept_works_without_its_client(trace, driver):
    name = "handle_async_request" if driver.is_async else "handle_request"
    with ScriptedServer() as server:
        method = getattr(driver.traced()._transport, name)
        driver.clients.clear()
        gc.collect()
        response = driver.wait(method(driver.library.Request("POST", f"{server.url}/pause")))
        assert response.status_code == 200
        driver.read(response)
        transport = method.original().__self__
        driver.wait(transport.aclose()) if driver.is_async else transport.close()
    assert trace.only("client.done")["status"] == "200"


def test_only_clients_can_be_instrumented(driver):
    for other in [object(), None, driver.library, driver.library.Client]:
        with pytest.raises(firstbyte.ConfigError, match="expected a client of httpx or httpx2"):
            firstbyte.instrument(other)
        with pytest.raises(firstbyte.ConfigError):
            firstbyte.uninstrument(other)


def test_insides_that_are_not_known_are_refused(driver):
    class Slots:
        __slots__ = ()

        def handle_request(self, request):
            raise NotImplementedError

        handle_async_request = handle_request

    client = driver.client()
    transport = vars(client).pop("_transport")
    with pytest.raises(firstbyte.ConfigError, match="_transport"):
        firstbyte.instrument(client)
    client._transport = transport
    before = dict(vars(transport))
    client._mounts["http://127.0.0.1"] = Slots()
    with pytest.raises(firstbyte.ConfigError, match="__dict__"):
        firstbyte.instrument(client)
    assert vars(transport) == before
    client._mounts.clear()


# Ids


def test_an_id_of_the_caller_is_kept(trace, driver):
    with ScriptedServer() as server:
        client = driver.traced()
        driver.post(client, f"{server.url}/pause", headers={"X-Trace-Id": ID})
        driver.post(client, f"{server.url}/pause", headers={"Traceparent": PARENT})
        both = {"x-trace-id": ID, "traceparent": PARENT.replace(ID, "1" * 16)}
        driver.post(client, f"{server.url}/pause", headers=both)
        first, second, third = (request.headers for request in server.requests)
    assert first["x-trace-id"] == ID
    assert first["traceparent"][3:35] == ID.rjust(32, "0")
    assert (second["traceparent"], second["x-trace-id"]) == (PARENT, ID)
    assert both.items() <= third.items()
    assert {line.trace_id for line in trace.lines()} == {ID}


@pytest.mark.parametrize(
    "headers",
    [
        {"x-trace-id": "request 7"},
        {"x-trace-id": "0" * 16},
        {"x-trace-id": f"{ID}, {ID}"},
        {"traceparent": "none"},
        {"traceparent": f"00-{'0' * 32}-53995c3f42cd8ad8-01"},
        {"traceparent": f"{PARENT}-more"},
        {"x-trace-id": "bad", "traceparent": "bad"},
    ],
)
def test_a_header_that_is_no_id_stays_and_gives_none(trace, sync_driver, headers):
    with ScriptedServer() as server:
        sync_driver.post(sync_driver.traced(), f"{server.url}/pause", headers=headers)
        received = server.requests[0].headers
    assert headers.items() <= received.items()
    made = trace.only("client.done").trace_id
    assert made not in (ID, "0" * 16)
    if len(headers) == 1:
        assert made in (received["x-trace-id"], received["traceparent"][19:35])


def test_a_server_finds_the_id_beside_a_header_that_is_none(trace, serve, driver):
    server = serve(firstbyte.FirstByteMiddleware(application))
    driver.post(
        driver.traced(),
        f"{server.url}/update_weights",
        headers={"x-trace-id": "request 7"},
    )
    trace.wait_for("server.done")
    assert len({line.trace_id for line in trace.lines()}) == 1


def test_trace_gives_all_calls_within_it_one_id(trace, driver):
    with ScriptedServer() as server:
        client = driver.traced()
        with firstbyte.trace() as trace_id:
            driver.post(client, f"{server.url}/pause")
            driver.post(client, f"{server.url}/resume")
        driver.post(client, f"{server.url}/pause")
        assert [request.headers["x-trace-id"] == trace_id for request in server.requests] == [
            True,
            True,
            False,
        ]
    assert [line.trace_id == trace_id for line in trace.named("client.done")] == [
        True,
        True,
        False,
    ]


def test_every_hop_of_a_redirect_is_a_call_of_the_same_id(trace, driver):
    with ScriptedServer(redirect("/is_sleeping"), answer(delay=0.2)) as server:
        client = driver.traced(follow_redirects=True)
        response = driver.get(client, f"{server.url}/is_paused")
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
        (answer(delay=0.05, rpc_ms=20, body_delay=0.02), 20.0, None),
        (answer(delay=0.05, rpc_ms=20, server_timing="rpc;dur=30"), 30.0, None),
        (answer(), None, "rpc_missing"),
        (answer(body=b"\xff\xfe"), None, "rpc_missing"),
        (answer(rpc_ms=20, content_type="text/plain"), None, "rpc_missing"),
        (answer(rpc_ms=1e7), None, "rpc_exceeds_wall"),
        (answer(server_timing="rpc;dur=900000"), None, "rpc_exceeds_wall"),
        (answer(server_timing="rpc;dur=-1"), None, "rpc_invalid"),
        (answer(rpc_ms=-1), None, "rpc_invalid"),
        (answer(body=b'{"rpc_ms": NaN}'), None, "rpc_invalid"),
        (answer(body=b'{"rpc_ms": "fast"}'), None, "rpc_invalid"),
        (
            answer(delay=0.05, server_timing="kernel;dur=5000, rpc;dur=1, total;dur=6000"),
            1.0,
            "server_exceeds_wait",
        ),
    ],
)
def test_what_the_server_reports_is_used_or_flagged(trace, driver, script, rpc_ms, flags):
    with ScriptedServer(script) as server:
        driver.post(driver.traced(), f"{server.url}/pause")
    done = trace.only("client.done")
    assert (float(done["rpc_ms"]) if "rpc_ms" in done else None) == rpc_ms
    assert done.fields.get("flags") == flags
    assert ("queue_ms" in done) == (rpc_ms is not None)


def test_an_error_of_the_server_is_an_answer(trace, driver):
    with ScriptedServer(answer(503, rpc_ms=0)) as server:
        response = driver.post(driver.traced(), f"{server.url}/pause")
        assert response.status_code == 503
        with pytest.raises(driver.library.HTTPStatusError):
            response.raise_for_status()
    done = trace.only("client.done")
    assert (done["status"], "flags" in done) == ("503", False)


def test_a_hook_that_raises_for_a_status_ends_the_call(trace, driver):
    def raise_for_status(response):
        response.raise_for_status()

    client = driver.traced(event_hooks={"response": [driver.hook(raise_for_status)]})
    with (
        ScriptedServer(answer(500)) as server,
        pytest.raises(driver.library.HTTPStatusError),
    ):
        driver.post(client, f"{server.url}/pause")
    done = trace.only("client.done")
    assert (done["status"], done["flags"]) == ("500", "rpc_missing,body_unread")


# Bodies


def test_a_body_that_is_streamed_to_its_end_is_a_whole_call(trace, driver):
    with ScriptedServer(answer(rpc_ms=0, body_delay=0.2)) as server:
        with driver.stream(driver.traced(), f"{server.url}/pause") as response:
            assert trace.named("client.done") == []
            assert json.loads(driver.read(response)) == {"status": "ok", "rpc_ms": 0}
        done = trace.only("client.done")
    assert done["rpc_ms"] == "0.0"
    assert "flags" not in done
    assert done.ms("receive_ms") >= 100


def test_a_body_that_is_given_up_is_flagged(trace, driver):
    with ScriptedServer(answer(body_delay=0.05, server_timing="rpc;dur=0")) as server:
        client = driver.traced()
        with driver.stream(client, f"{server.url}/pause") as response:
            driver.first_piece(response)
        with driver.stream(client, f"{server.url}/resume"):
            pass
    for done in trace.named("client.done"):
        assert (done["flags"], done["rpc_ms"]) == ("body_unread", "0.0")


def test_a_body_that_is_given_up_is_closed_by_the_task_that_read_it(trace, async_driver):
    closed = []

    class Stream(async_driver.library.AsyncByteStream):
        async def __aiter__(self):
            try:
                yield b"half"
                yield b"half"
            finally:
                closed.append(asyncio.current_task())

    class Transport(async_driver.library.AsyncBaseTransport):
        async def handle_async_request(self, request):
            return async_driver.library.Response(200, stream=Stream())

    async def give_up():
        request = async_driver.library.Request("POST", "http://host/pause")
        response = await client._transport.handle_async_request(request)
        pieces = response.stream.__aiter__()
        assert await pieces.__anext__() == b"half"
        await pieces.aclose()
        assert closed == [asyncio.current_task()]
        await response.aclose()

    client = async_driver.traced(transport=Transport())
    async_driver.wait(give_up())
    assert trace.only("client.done")["flags"] == "rpc_missing,body_unread"


def test_a_response_that_nobody_reads_has_an_end(trace, sync_driver):
    with ScriptedServer(answer(body_delay=0.05)) as server:
        client = sync_driver.traced()
        response = client.send(client.build_request("POST", f"{server.url}/pause"), stream=True)
        del response
        gc.collect()
        failed = trace.only("client.fail")
    assert (failed["outcome"], failed["error"], failed["status"]) == (
        "unknown",
        "body_unfinished",
        "200",
    )


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_is_whole(trace, driver, status):
    def bare(exchange):
        exchange.write(head(status))

    with ScriptedServer(bare) as server:
        driver.post(driver.traced(), f"{server.url}/pause")
    done = trace.only("client.done")
    assert (done["status"], done["flags"]) == (str(status), "rpc_missing")


def test_the_body_is_what_the_server_sent(trace, driver):
    body = os.urandom(300_000)
    with ScriptedServer(answer(body=body, content_type="application/octet-stream")) as server:
        assert driver.post(driver.traced(), f"{server.url}/pause", content=body).content == body
        assert server.requests[0].body == body
    assert adds_up(trace.only("client.done"))


# What goes wrong


def test_a_refused_connection_sent_nothing(trace, driver):
    with pytest.raises(driver.library.ConnectError):
        driver.post(driver.traced(), f"http://127.0.0.1:{refusing_port()}/pause")
    failed = trace.only("client.fail")
    assert list(failed.fields)[:4] == ["wall_ms", "phase", "outcome", "error"]
    assert (failed["phase"], failed["outcome"], failed["error"]) == (
        "connect",
        "not_sent",
        "connect_refused",
    )
    assert "status" not in failed


@pytest.mark.parametrize(
    ("script", "phase", "status"),
    [(reset, "wait", None), (close, "wait", None), (truncate, "receive", "200")],
)
def test_a_connection_that_breaks_leaves_the_outcome_unknown(trace, driver, script, phase, status):
    with ScriptedServer(script) as server, pytest.raises(driver.library.TransportError):
        driver.post(driver.traced(), f"{server.url}/update_weights")
    failed = trace.only("client.fail")
    assert (failed["phase"], failed["outcome"], failed.fields.get("status")) == (
        phase,
        "unknown",
        status,
    )
    assert failed["error"] in ("reset", "closed", "body_truncated")


def test_a_request_whose_answer_is_too_late_has_an_unknown_outcome(trace, driver):
    with ScriptedServer(silent) as server, pytest.raises(driver.library.ReadTimeout):
        driver.post(driver.traced(timeout=driver.library.Timeout(5, read=0.1)), f"{server.url}/pause")
    failed = trace.only("client.fail")
    assert (failed["phase"], failed["outcome"], failed["error"]) == (
        "wait",
        "unknown",
        "read_timeout",
    )


def test_a_body_that_is_too_late_has_an_unknown_outcome(trace, driver):
    with (
        ScriptedServer(answer(body_delay=2)) as server,
        pytest.raises(driver.library.ReadTimeout),
    ):
        driver.post(driver.traced(timeout=driver.library.Timeout(5, read=0.3)), f"{server.url}/pause")
    failed = trace.only("client.fail")
    assert (failed["phase"], failed["outcome"], failed["status"]) == (
        "receive",
        "unknown",
        "200",
    )


def test_a_request_that_found_no_connection_in_time_was_not_sent(trace, driver):
    limits = driver.library.Limits(max_connections=1)
    timeout = driver.library.Timeout(5, pool=0.1)
    with ScriptedServer(answer(body_delay=0.01)) as server:
        client = driver.traced(limits=limits, timeout=timeout)
        with (
            driver.stream(client, f"{server.url}/pause"),
            pytest.raises(driver.library.PoolTimeout),
        ):
            driver.post(client, f"{server.url}/resume")
        assert server.paths() == ["/pause"]
    failed = trace.only("client.fail")
    assert (failed["phase"], failed["outcome"], failed["error"]) == (
        "pool",
        "not_sent",
        "pool_timeout",
    )
    assert 90 <= failed.ms("wall_ms") < 5000


def test_a_transport_that_tries_again_does_not_hide_that_something_was_sent(trace, driver):
    """Its second attempt cannot connect; the first was sent."""
    with ScriptedServer(reset) as server:
        client = driver.client()
        inner, refused = client._transport, f"http://127.0.0.1:{refusing_port()}/pause"

        def again(request):
            request.url = driver.library.URL(refused)
            return request

        class Retry(driver.library.BaseTransport):
            def handle_request(self, request):
                with contextlib.suppress(driver.library.TransportError):
                    return inner.handle_request(request)
                return inner.handle_request(again(request))

        class AsyncRetry(driver.library.AsyncBaseTransport):
            async def handle_async_request(self, request):
                with contextlib.suppress(driver.library.TransportError):
                    return await inner.handle_async_request(request)
                return await inner.handle_async_request(again(request))

        outer = driver.traced(transport=AsyncRetry() if driver.is_async else Retry())
        with pytest.raises(driver.library.ConnectError):
            driver.post(outer, f"{server.url}/update_weights")
    assert trace.only("client.fail")["outcome"] == "unknown"


@pytest.mark.parametrize(
    ("event", "phase"),
    [
        ("connection.connect_tcp.started", "connect"),
        ("http11.send_request_headers.started", "send"),
        ("http11.send_request_headers.complete", "wait"),
        ("http11.send_request_body.complete", "wait"),
        ("http11.receive_response_headers.started", "wait"),
        ("http11.receive_response_headers.complete", "wait"),
        ("http11.receive_response_body.started", "receive"),
        ("http11.receive_response_body.complete", "receive"),
    ],
)
def test_an_interrupt_goes_through_and_ends_the_call(trace, driver, event, phase):
    """The caller's own callback raises what the handler of a signal would."""

    def callback(name, info):
        if name == event:
            raise KeyboardInterrupt

    with ScriptedServer() as server, pytest.raises(KeyboardInterrupt):
        driver.post(
            driver.traced(),
            f"{server.url}/pause",
            extensions={"trace": driver.hook(callback)},
        )
    failed = trace.only("client.fail")
    assert (failed["phase"], failed["outcome"], failed["error"]) == (
        phase,
        "cancelled",
        "cancelled",
    )


def test_a_task_that_is_cancelled_anywhere_ends_its_call_once(trace, async_driver):
    """After each number of turns of the loop, and then while it waits for the head and for the body."""
    scripts = {"/pause": silent, "/update_weights": answer(body_delay=10), "/resume": answer()}
    # On Python 3.10, AnyIO itself swallows some cancellations of a connection being made.
    swallowed = (async_driver.library.TimeoutException,) if sys.version_info < (3, 11) else ()

    async def cancelled(path, turns, pause=0.0):
        task = asyncio.create_task(client.post(f"{server.url}{path}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        await asyncio.sleep(pause)
        task.cancel()
        with pytest.raises((asyncio.CancelledError, *swallowed)) as raised:
            await task
        return raised.type is asyncio.CancelledError

    async def sweep():
        results = [await cancelled("/pause", turns) for turns in range(40)]
        results.append(await cancelled("/pause", 1, 0.4))
        results.append(await cancelled("/update_weights", 1, 0.4))
        return sum(results)

    with ScriptedServer(lambda exchange: scripts[exchange.request.path](exchange)) as server:
        client = async_driver.traced(timeout=2)
        count = async_driver.wait(sweep())
        # The client can still be used.
        assert async_driver.post(client, f"{server.url}/resume").status_code == 200
    assert trace.only("client.done")["op"] == "resume"
    failed = [line for line in trace.named("client.fail") if line["outcome"] == "cancelled"]
    assert {line["phase"] for line in failed} >= {"connect", "wait", "receive"}
    # A task that never ran has begun nothing.
    assert count - 2 <= len(failed) <= count
    assert count >= 30


def test_a_coroutine_that_is_closed_ends_its_call(trace, async_driver):
    class Transport(async_driver.library.AsyncBaseTransport):
        async def handle_async_request(self, request):
            await asyncio.sleep(10)

    async def closed():
        coroutine = client.post("http://host/pause")
        coroutine.send(None)
        coroutine.close()

    client = async_driver.traced(transport=Transport())
    async_driver.wait(closed())
    assert trace.only("client.fail")["outcome"] == "cancelled"


def test_neither_credentials_nor_query_values_are_written(trace, driver):
    with ScriptedServer(answer(), reset, truncate) as server:
        client = driver.traced(headers={"authorization": f"Bearer {CANARY}", "cookie": CANARY})
        for target in [server.target] * 3 + [f"127.0.0.1:{refusing_port()}"]:
            url = f"http://user:{CANARY}@{target}/pause?token={CANARY}&key={CANARY}#{CANARY}"
            with contextlib.suppress(driver.library.TransportError):
                driver.post(client, url, json={"key": CANARY})
    assert len(trace.named("client.fail")) == 3
    assert CANARY not in trace.path.read_text()


# What goes wrong in firstbyte itself


class Broken:
    """A call that can do nothing but be there."""

    def __getattr__(self, name):
        raise RuntimeError(f"no {name}")


def broken(*arguments):
    raise RuntimeError


def break_the_begin(monkeypatch):
    monkeypatch.setattr(_httpx, "current_trace_id", broken)


def panic_in_the_begin(monkeypatch):
    def panics():
        raise rust_panic()("in the middle of the call")

    monkeypatch.setattr(_httpx, "current_trace_id", panics)


def break_the_rest(monkeypatch):
    """The heartbeat, the end of a call that fails, and everything that a body tells."""
    streams = _httpx._streams

    def broken_streams(library):
        return [lambda stream, call, kind=kind: kind(stream, Broken()) for kind in streams(library)]

    monkeypatch.setattr(_httpx._Traced, "_watch_loop", broken)
    monkeypatch.setattr(_httpx._Traced, "_failed", broken)
    monkeypatch.setattr(_httpx, "_streams", broken_streams)


@pytest.mark.parametrize("break_ours", [break_the_begin, panic_in_the_begin, break_the_rest])
def test_a_failure_of_ours_is_no_failure_of_the_request(driver, monkeypatch, break_ours):
    monkeypatch.setattr(_call, "fuse", _firstbyte.Fuse())
    break_ours(monkeypatch)
    client = driver.traced()
    before = firstbyte.accounting()["failures"]
    with ScriptedServer(answer(), answer(body_delay=0.01), truncate, answer()) as server:
        assert driver.post(client, f"{server.url}/pause").json() == {"status": "ok"}
        with driver.stream(client, f"{server.url}/pause") as response:
            driver.first_piece(response)
        with pytest.raises(driver.library.RemoteProtocolError):
            driver.post(client, f"{server.url}/pause")
        with pytest.raises(driver.library.ConnectError):
            driver.post(client, f"http://127.0.0.1:{refusing_port()}/pause")
        assert driver.get(client, f"{server.url}/health").status_code == 200
    assert firstbyte.accounting()["failures"] > before + 3


def test_what_fails_ten_times_in_a_minute_is_left_alone(driver, monkeypatch):
    asked = []

    def working_for():
        asked.append(1)
        raise RuntimeError

    monkeypatch.setattr(_call, "fuse", _firstbyte.Fuse())
    monkeypatch.setattr(_httpx, "current_trace_id", working_for)
    client = driver.traced()
    with ScriptedServer() as server:
        for _ in range(15):
            driver.post(client, f"{server.url}/pause")
    assert len(asked) == 10
    assert _call.fuse.is_blown


def test_a_version_with_other_insides_is_traced_by_what_it_documents(driver, trace):
    """Whose URLs are no tuples, and whose headers are no lists."""

    class Parts:
        def __init__(self, parts):
            self._parts = parts

        def __getattr__(self, name):
            return getattr(self._parts, name)

        def __str__(self):
            return str(self._parts)

    def other_url(request):
        request.url._uri_reference = Parts(request.url._uri_reference)

    def other_headers(response):
        response.headers._list = tuple(response.headers._list)
        return response

    class Transport(driver.library.HTTPTransport):
        def handle_request(self, request):
            return other_headers(super().handle_request(request))

    class AsyncTransport(driver.library.AsyncHTTPTransport):
        async def handle_async_request(self, request):
            return other_headers(await super().handle_async_request(request))

    kind = AsyncTransport if driver.is_async else Transport
    client = driver.traced(
        transport=kind(verify=TLS), event_hooks={"request": [driver.hook(other_url)], "response": []}
    )
    with ScriptedServer(answer(rpc_ms=0.0), answer()) as server:
        assert driver.post(client, f"{server.url}/pause?a=secret").status_code == 200
        assert driver.get(client, f"{server.url}/health").status_code == 200
        assert server.target in trace.only("client.send")["url"]
    done = trace.only("client.done")
    assert (done["status"], done["rpc_ms"]) == ("200", "0.0")
    assert "secret" not in trace.path.read_text()


def test_routes_that_cannot_be_used_fail_at_once_and_never_later(tmp_path):
    script = """if True:
        import httpx, os, sys, firstbyte
        client = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200)))
        try:
            firstbyte.instrument(client)
        except firstbyte.ConfigError as error:
            print(error)
        assert client.post("http://host/pause").status_code == 200
    """
    routes = tmp_path / "routes"
    routes.write_text("POST pause\n")
    environment = os.environ | {"FIRSTBYTE_ROUTES": str(routes)}
    result = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert "FIRSTBYTE_ROUTES" in result.stdout


# Transports that are no sockets


def test_a_transport_that_tells_nothing_is_one_wait(trace, driver):
    def handle(request):
        time.sleep(0.05)
        return driver.library.Response(200, json={"rpc_ms": 20.0})

    client = driver.traced(transport=driver.library.MockTransport(handle))
    assert driver.post(client, "http://host/pause").json() == {"rpc_ms": 20.0}
    done = trace.only("client.done")
    assert done["target"] == "host:80"
    assert done.ms("wait_ms") >= 50
    assert done["rpc_ms"] == "20.0"
    assert not {"pool_ms", "connect_ms", "send_ms", "flags"} & done.fields.keys()
    assert adds_up(done)


@pytest.mark.parametrize(
    ("error", "phase", "outcome"),
    [
        ("ConnectError", "setup", "not_sent"),
        ("ReadTimeout", "wait", "unknown"),
        (ValueError, "wait", "unknown"),
    ],
)
def test_an_error_of_such_a_transport_says_whether_it_was_sent(trace, driver, error, phase, outcome):
    kind = getattr(driver.library, error) if isinstance(error, str) else error

    def handle(request):
        raise kind("no")

    with pytest.raises(kind):
        driver.post(
            driver.traced(transport=driver.library.MockTransport(handle)),
            "https://host/update_weights",
        )
    failed = trace.only("client.fail")
    assert (failed["phase"], failed["outcome"], failed["target"]) == (
        phase,
        outcome,
        "host:443",
    )


def test_an_application_in_the_same_process_is_joined_too(trace, async_driver):
    transport = async_driver.library.ASGITransport(firstbyte.FirstByteMiddleware(application))
    client = async_driver.traced(transport=transport)
    async_driver.post(client, "http://host/update_weights")
    lines = trace.lines()
    assert len(lines) == 7
    assert len({line.trace_id for line in lines}) == 1
    assert trace.only("client.done").ms("rpc_ms") >= 30


def test_a_call_that_serves_a_call_has_its_id(trace, serve, async_driver):
    with ScriptedServer() as engine:
        client = async_driver.library.AsyncClient(trust_env=False)
        firstbyte.instrument(client)

        async def router(scope, receive, send):
            await client.post(f"{engine.url}/pause")
            await client.aclose()
            await application(scope, receive, send)

        server = serve(firstbyte.FirstByteMiddleware(router))
        async_driver.post(async_driver.traced(), f"{server.url}/pause")
        trace.wait_for("server.done")
    assert len(trace.named("client.done")) == 2
    assert len({line.trace_id for line in trace.lines()}) == 1


if sys.version_info >= (3, 11):

    def test_httpx2_may_go_by_the_name_of_httpx(tmp_path):
        script = """if True:
            import asyncio, sys, httpx2
            httpx2.alias_httpx()
            import firstbyte, httpx
            assert httpx is httpx2

            async def main(url):
                async with firstbyte.instrument(httpx.AsyncClient(trust_env=False)) as client:
                    await client.post(url)

            with firstbyte.instrument(httpx.Client(trust_env=False)) as client:
                client.post(sys.argv[1])
            asyncio.run(main(sys.argv[1]))
        """
        log = tmp_path / "log"
        with ScriptedServer() as server:
            command = [
                sys.executable,
                "-W",
                "error",
                "-c",
                script,
                f"{server.url}/pause",
            ]
            environment = os.environ | {"FIRSTBYTE_LOG": str(log)}
            result = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert (result.returncode, result.stderr) == (0, "")
        text = log.read_text()
        assert text.count(" client.done ") == 2
        assert text.count("connect_ms") == 2
