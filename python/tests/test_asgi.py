"""The ASGI middleware on real servers, and its transparency."""

from __future__ import annotations

import asyncio
import gc
import http.client
import inspect
import json
import socket
import threading
import time
import weakref
from contextvars import ContextVar

import fastapi
import httpx
import pytest
import uvloop
from conftest import rust_panic
from fastapi.responses import StreamingResponse

import firstbyte
from firstbyte import FirstByteMiddleware, _looplag


def make_app() -> fastapi.FastAPI:
    app = fastapi.FastAPI()

    @app.post("/update_weights")
    async def update_weights() -> dict:
        async with firstbyte.rpc("update_weights") as r:
            await asyncio.sleep(0.05)
        return {"status": "ok", "rpc_ms": r.rpc_ms}

    @app.post("/pause")
    def pause() -> dict:
        # A plain function runs on another thread; the call goes along.
        with firstbyte.rpc("pause"):
            time.sleep(0.02)
        return {"trace_id": firstbyte.current_trace_id()}

    @app.post("/resume")
    async def resume() -> dict:
        raise RuntimeError("the engine is gone")

    @app.get("/v1/completions")
    async def completions(n: int = 3) -> StreamingResponse:
        async def chunks():
            for i in range(n):
                yield f"data: {i}\n\n"
                await asyncio.sleep(0.01)

        return StreamingResponse(chunks(), media_type="text/event-stream")

    return app


LOOPS = ["asyncio", "uvloop"]
PARSERS = ["h11", "httptools"]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("parser", PARSERS)
def test_a_control_call_is_traced_on_uvicorn(trace, serve, loop, parser):
    server = serve(FirstByteMiddleware(make_app()), loop=loop, http=parser)
    response = httpx.post(f"{server.url}/update_weights", headers={"x-trace-id": "00f067aa0ba902b7"})
    assert response.headers["x-trace-id"] == "00f067aa0ba902b7"
    timing = dict(entry.split(";dur=") for entry in response.headers["server-timing"].split(", "))
    assert list(timing) == ["kernel", "handler", "rpc", "total"]

    done = trace.wait_for("server.done")[0]
    recv, start, rpc, first, _ = trace.lines()
    assert {line.trace_id for line in trace.lines()} == {"00f067aa0ba902b7"}
    assert list(recv.fields)[:2] == ["path", "t"]
    assert recv["path"] == "/update_weights"
    assert recv["inflight"] == "0"
    assert {"kernel_ms", "loop_lag_ms"} <= set(recv.fields)
    assert (start["op"], rpc["op"]) == ("update_weights", "update_weights")
    # uvloop counts in milliseconds.
    assert 45 <= rpc.ms("rpc_ms") < 500
    assert rpc.ms("rpc_ms") == pytest.approx(float(timing["rpc"]), abs=0.051)
    assert response.json()["rpc_ms"] == pytest.approx(float(timing["rpc"]), abs=0.001)
    assert first.ms("ttfb_ms") >= float(timing["total"]) - 0.1
    assert (done["status"], done["outcome"]) == ("200", "ok")
    assert done["bytes"] == str(len(response.content))
    assert done.ms("dur_ms") >= rpc.ms("rpc_ms")


def test_a_handler_on_another_thread_belongs_to_the_call(trace, serve):
    server = serve(FirstByteMiddleware(make_app()))
    response = httpx.post(f"{server.url}/pause")
    assert response.json()["trace_id"] == response.headers["x-trace-id"]
    trace.wait_for("server.done")
    assert trace.only("rpc.done").trace_id == response.headers["x-trace-id"]


def test_it_goes_into_starlette_by_its_class_alone(trace, serve):
    app = make_app()
    app.add_middleware(FirstByteMiddleware)
    server = serve(app)
    assert httpx.post(f"{server.url}/update_weights").status_code == 200
    assert trace.wait_for("server.done")[0]["outcome"] == "ok"
    assert "kernel_ms" in trace.only("server.recv"), "receive comes through as it is"


def test_uvicorn_takes_it_for_asgi_3_by_itself(trace, serve):
    middleware = FirstByteMiddleware(make_app())
    assert inspect.iscoroutinefunction(middleware.__call__)
    server = serve(middleware, interface="auto")
    assert server.server.config.interface == "asgi3"
    assert httpx.post(f"{server.url}/update_weights").status_code == 200
    trace.wait_for("server.done")


def test_other_requests_have_no_line_and_no_header(trace, serve):
    server = serve(FirstByteMiddleware(make_app()))
    response = httpx.get(f"{server.url}/v1/completions")
    assert response.text.count("data:") == 3
    assert not {"x-trace-id", "server-timing"} & set(response.headers)
    assert httpx.get(f"{server.url}/update_weights").status_code == 405, "a GET is no update"
    assert trace.lines() == []


def test_streams_in_progress_are_counted_until_they_end(trace, serve):
    middleware = FirstByteMiddleware(make_app())
    server = serve(middleware)
    with httpx.Client() as client:
        streams = [client.stream("GET", f"{server.url}/v1/completions?n=200") for _ in range(5)]
        pieces = [stream.__enter__().iter_bytes() for stream in streams]
        assert all(next(piece).startswith(b"data") for piece in pieces)
        assert middleware.in_flight == 5
        client.post(f"{server.url}/update_weights")
        assert trace.wait_for("server.recv")[0]["inflight"] == "5"
        for stream in streams[:3]:
            stream.__exit__(None, None, None)
        wait_until(lambda: middleware.in_flight == 2)
        for stream in streams[3:]:
            stream.__exit__(None, None, None)
    wait_until(lambda: middleware.in_flight == 0)
    trace.wait_for("server.done")


def test_control_calls_in_progress_are_counted_too(trace):
    async def app(scope, receive, send):
        await asyncio.sleep(10)

    async def main():
        paths = ["/pause", "/update_weights", "/resume"]
        calls = [asyncio.create_task(middleware(scope(path, []), None, None)) for path in paths]
        await asyncio.sleep(0.01)
        assert middleware.in_flight == 3
        for call in calls:
            call.cancel()

    middleware = FirstByteMiddleware(app)
    asyncio.run(main())
    assert [line["inflight"] for line in trace.named("server.recv")] == ["0", "1", "2"]
    wait_until(lambda: middleware.in_flight == 0)


def test_a_blocked_loop_shows_as_kernel_time_and_loop_lag(trace, serve):
    app = make_app()

    @app.get("/block")
    async def block() -> str:
        time.sleep(0.4)  # noqa: ASYNC251 - the fault
        return "unblocked"

    server = serve(FirstByteMiddleware(app))
    with httpx.Client() as warm, httpx.Client() as client:
        client.post(f"{server.url}/update_weights")
        blocking = threading.Thread(target=warm.get, args=[f"{server.url}/block"])
        blocking.start()
        time.sleep(0.1)
        client.post(f"{server.url}/update_weights")
        blocking.join()
    recv = trace.wait_for("server.recv", 2)[1]
    trace.wait_for("server.done", 2)
    assert 200 <= recv.ms("kernel_ms") < 450, "it came 0.1 s after the block of 0.4 s had begun"
    assert 200 <= recv.ms("loop_lag_ms") < 450


def test_an_exception_goes_on_and_is_the_end(trace, serve):
    server = serve(FirstByteMiddleware(make_app()))
    assert httpx.post(f"{server.url}/resume").status_code == 500
    done = trace.wait_for("server.done")[0]
    # FastAPI answers and raises again, for the server's log.
    assert (done["status"], done["outcome"]) == ("500", "ok")


def test_a_client_that_leaves_before_the_head_is_seen_by_the_handler(trace, serve):
    seen = threading.Event()

    async def app(scope, receive, send):
        while (await receive())["type"] != "http.disconnect":
            pass
        seen.set()

    server = serve(FirstByteMiddleware(app))
    leave(server, b"POST /pause HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", read=0)
    assert seen.wait(10)
    done = trace.wait_for("server.done")[0]
    assert done["outcome"] == "cancelled"
    assert "status" not in done


def test_a_client_that_leaves_during_the_body_is_seen_by_the_handler(trace, serve):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"piece", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    server = serve(FirstByteMiddleware(app))
    leave(server, b"POST /pause HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", read=10)
    done = trace.wait_for("server.done")[0]
    assert (done["status"], done["outcome"], done["bytes"]) == ("200", "early_drop", "5")


HOSTILE = {
    "empty": b"",
    "not hexadecimal": b"zzzzzzzzzzzzzzzz",
    "all zero": b"0" * 16,
    "8 KiB": b"a" * 8192,
    "ANSI": b"\x1b[31mred",
    "not ASCII": b"\xff\xfe\xc3\xa9",
    "a forged line": b"[weights] rpc.done op=x",
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_id_is_replaced(trace, value):
    middleware = FirstByteMiddleware(answer)
    invalid = firstbyte.accounting()["invalid_ids"]
    headers = drive(middleware, scope("/pause", [(b"x-trace-id", value)]))
    assert firstbyte.accounting()["invalid_ids"] == invalid + 1
    (trace_id,) = [v for k, v in headers if k == b"x-trace-id"]
    assert len(trace_id) == 16
    assert int(trace_id, 16)
    assert trace.only("server.recv").trace_id == trace_id.decode()


def test_two_ids_are_none_and_a_traceparent_is_one(trace):
    middleware = FirstByteMiddleware(answer)
    two = [(b"x-trace-id", b"00f067aa0ba902b7"), (b"x-trace-id", b"00f067aa0ba902b8")]
    parent = (b"traceparent", b"00-0000000000000000a3ce929d0e0e4736-00f067aa0ba902b7-01")
    invalid = firstbyte.accounting()["invalid_ids"]
    for headers in [two, [parent], [*two, parent]]:
        drive(middleware, scope("/pause", headers))
    assert firstbyte.accounting()["invalid_ids"] == invalid + 1
    first, second, third = [line.trace_id for line in trace.named("server.recv")]
    assert first not in ("00f067aa0ba902b7", "00f067aa0ba902b8")
    assert second == third == "a3ce929d0e0e4736"


@pytest.mark.parametrize("unit", [1, 1e3, 1e6], ids=["s", "ms", "us"])
def test_a_proxys_stamp_tells_how_long_the_request_was_under_way(trace, serve, unit):
    server = serve(FirstByteMiddleware(make_app()))
    stamp = f"t={(time.time() - 2) * unit:.3f}"
    httpx.post(f"{server.url}/pause", headers={"x-request-start": stamp})
    httpx.post(f"{server.url}/pause", headers={"x-request-start": "yesterday"})
    trace.wait_for("server.done", 2)
    stamped, unknown = trace.named("server.recv")
    assert 2000 <= stamped.ms("proxy_ms") < 4000
    assert "proxy_ms" not in unknown.fields


@pytest.mark.parametrize("kind", ["lifespan", "websocket", "unknown", None, 7])
def test_other_scopes_pass_untouched(trace, kind):
    seen = []

    async def app(*args):
        seen.append(args)

    args = ({"type": kind, "path": "/pause", "method": "POST"}, object(), object())
    asyncio.run(await_it(FirstByteMiddleware(app), *args))
    assert all(a is b for a, b in zip(seen[0], args, strict=True))
    assert trace.lines() == []


@pytest.mark.parametrize(
    "broken",
    [{}, {"type": "http"}, {"type": "http", "path": 7, "method": "POST"}, [], None],
    ids=str,
)
def test_a_scope_that_is_none_goes_to_the_application(trace, broken):
    seen = []

    async def app(*args):
        seen.append(args[0])

    asyncio.run(await_it(FirstByteMiddleware(app), broken, None, None))
    assert seen == [broken]


def test_other_arguments_go_to_the_application(trace):
    def app(*args, **kwargs):
        return args, kwargs

    middleware = FirstByteMiddleware(app)
    assert middleware(1, two=2) == ((1,), {"two": 2})
    with pytest.raises(TypeError):
        FirstByteMiddleware(answer)()


def test_an_application_mounted_below_a_path_is_recognised(trace):
    middleware = FirstByteMiddleware(answer)
    drive(middleware, scope("/api/pause", []) | {"root_path": "/api"})
    drive(middleware, scope("/api/pause", []))
    assert trace.only("server.recv")["path"] == "/api/pause"


def test_routes_of_a_file_are_added(trace, tmp_path):
    routes = tmp_path / "my.routes"
    routes.write_text("POST /my/reload reload_weights\n")
    drive(FirstByteMiddleware(answer, routes=routes), scope("/my/reload", []))
    assert trace.only("server.recv").tag == "weights"
    routes.write_text("nonsense\n")
    with pytest.raises(firstbyte.ConfigError, match="line 1"):
        FirstByteMiddleware(answer, routes=routes)


@pytest.mark.parametrize("message", [{}, {"type": 1}, {"type": "http.response.debug"}, [], None, 5])
def test_odd_messages_pass_as_they_are(trace, message):
    got = []

    async def send(message):
        got.append(message)

    async def app(scope, receive, send):
        await send(message)
        await answer(scope, receive, send)

    asyncio.run(await_it(FirstByteMiddleware(app), scope("/pause", []), None, send))
    assert got[0] is message


def test_an_id_of_the_application_stays(trace):
    async def app(scope, receive, send):
        headers = [[b"X-Trace-Id", b"mine"]]
        await send({"type": "http.response.start", "status": 200, "headers": iter(headers)})
        await send({"type": "http.response.body"})

    headers = drive(FirstByteMiddleware(app), scope("/pause", []))
    assert [v for k, v in headers if k.lower() == b"x-trace-id"] == [b"mine"]


def test_the_applications_own_message_is_not_changed(trace):
    head = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}

    async def app(scope, receive, send):
        await send(head)
        await send({"type": "http.response.body"})

    assert len(drive(FirstByteMiddleware(app), scope("/pause", []))) == 3
    assert head["headers"] == [(b"a", b"b")]


class TrioCancelled(BaseException):
    """Looks like trio's, which cannot be made by anybody else."""


TrioCancelled.__module__, TrioCancelled.__name__ = "trio", "Cancelled"


class Group(BaseException):
    """As Python 3.11 and its backport have them."""

    def __init__(self, *exceptions) -> None:
        self.exceptions = exceptions


@pytest.mark.parametrize(
    ("error", "outcome", "name"),
    [
        (Group(TrioCancelled(), Group(TrioCancelled())), "cancelled", "cancelled"),
        (Group(TrioCancelled(), KeyError()), "error", "Group"),
        (Group(), "error", "Group"),
        (KeyError(), "error", "KeyError"),
    ],
    ids=["all cancelled", "one error", "empty", "no group"],
)
def test_a_nursery_whose_tasks_were_all_cancelled_was(trace, error, outcome, name):
    async def app(scope, receive, send):
        async with firstbyte.rpc("pause"):
            raise error

    with pytest.raises(type(error)):
        FirstByteMiddleware(app)(scope("/pause", []), None, sink).send(None)
    assert trace.only("rpc.done")["error"] == name
    assert trace.only("server.done")["outcome"] == outcome


@pytest.mark.parametrize("steps", range(8))
@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit, TrioCancelled, KeyboardInterrupt])
def test_one_end_wherever_it_is_cancelled(trace, steps, error):
    """The coroutine is driven by hand, and the error thrown in at every suspension."""

    async def send(message):
        await suspend()

    async def app(scope, receive, send):
        async with firstbyte.rpc("pause"):
            await suspend()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await suspend()
        for more in (True, True, False):
            await send({"type": "http.response.body", "body": b"x", "more_body": more})

    coroutine = FirstByteMiddleware(app)(scope("/pause", []), None, send)
    taken = 0
    try:
        for _ in range(steps):
            coroutine.send(None)
            taken += 1
    except StopIteration:
        pass
    if taken == steps:
        if error is GeneratorExit:
            coroutine.close()
        else:
            with pytest.raises(error):
                coroutine.throw(error())
    outcomes = [line["outcome"] for line in trace.named("server.done")]
    ended = steps >= 6
    if steps == 0:
        assert outcomes == [], "it had not begun"
    elif ended:
        assert outcomes == ["ok"]
    else:
        assert outcomes == ["error" if error is KeyboardInterrupt else "cancelled"]
    rpc_errors = [line.fields.get("error") for line in trace.named("rpc.done")]
    assert rpc_errors in ([], [None], ["KeyboardInterrupt" if error is KeyboardInterrupt else "cancelled"])
    assert firstbyte.current_trace_id() is None


def test_a_request_that_is_never_awaited_is_no_longer_counted(trace):
    middleware = FirstByteMiddleware(answer)
    coroutine = middleware(scope("/v1/completions", []), None, None)
    assert middleware.in_flight == 1
    coroutine.close()
    del coroutine
    assert middleware.in_flight == 0


def test_an_awaitable_that_is_no_coroutine_is_counted_too(trace):
    class Awaitable:
        __slots__ = ()

        def __await__(self):
            yield

    middleware = FirstByteMiddleware(lambda scope, receive, send: Awaitable())
    coroutine = middleware(scope("/v1/completions", []), None, None)
    coroutine.send(None)
    assert middleware.in_flight == 1
    with pytest.raises(StopIteration):
        coroutine.send(None)
    del coroutine
    assert middleware.in_flight == 0


def fastapi_around(inner):
    outer = fastapi.FastAPI()
    outer.mount("/", inner)
    return outer


class PanickingHeaders:
    def __iter__(self):
        raise rust_panic()("in the middle of the request")


@pytest.mark.parametrize("headers", [7, PanickingHeaders()], ids=["an error", "a Rust panic"])
def test_a_failure_of_ours_is_not_the_applications(tmp_path, headers):
    """Headers that cannot be walked over: ten times, and then it is left alone."""
    firstbyte.configure(log=tmp_path / "log")
    failures = firstbyte.accounting()["failures"]
    middleware = FirstByteMiddleware(answer)
    for _ in range(15):
        assert drive(middleware, scope("/pause", []) | {"headers": headers}) == []
    assert firstbyte.accounting()["failures"] == failures + 10
    drive(middleware, scope("/pause", []))
    firstbyte.flush()
    assert "server.recv" not in (tmp_path / "log").read_text(), "it has become a pass-through"


def test_routes_that_are_no_path_are_refused():
    with pytest.raises(firstbyte.ConfigError, match="routes"):
        FirstByteMiddleware(answer, routes=3)


def test_a_head_that_fails_again_and_again_blows_the_fuse(tmp_path):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": 7})

    firstbyte.configure(log=tmp_path / "log")
    failures = firstbyte.accounting()["failures"]
    middleware = FirstByteMiddleware(app)
    for _ in range(15):
        asyncio.run(await_it(middleware, scope("/pause", []), None, sink))
    assert firstbyte.accounting()["failures"] == failures + 10


def test_request_headers_that_can_be_read_once_are_the_applications(trace):
    seen = []

    async def app(scope, receive, send):
        seen.extend(scope["headers"])
        await answer(scope, receive, send)

    theirs = [(b"x-trace-id", b"00f067aa0ba902b7"), (b"authorization", b"theirs")]
    drive(FirstByteMiddleware(app), scope("/pause", iter(theirs)))
    assert seen == theirs


def test_headers_that_can_be_read_once_arrive_whole(tmp_path):
    """Also where one of them is none: what to make of it is the server's."""
    theirs = [(b"a", b"b"), (), (b"c", b"d")]

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": iter(theirs)})
        await send({"type": "http.response.body", "body": b""})

    firstbyte.configure(log=tmp_path / "log")
    assert drive(FirstByteMiddleware(app), scope("/pause", [])) == theirs
    del theirs[1]
    assert drive(FirstByteMiddleware(app), scope("/pause", []))[:2] == theirs


@pytest.mark.parametrize("part", ["ms", "of_running_loop", "_start_loop_lag"])
def test_a_heartbeat_that_fails_is_not_the_applications(tmp_path, monkeypatch, part):
    def broken(*_):
        raise RuntimeError

    firstbyte.configure(log=tmp_path / "log")
    owner = {"ms": _looplag.LoopLag, "of_running_loop": _looplag, "_start_loop_lag": FirstByteMiddleware}[
        part
    ]
    monkeypatch.setattr(owner, part, broken)
    failures = firstbyte.accounting()["failures"]
    assert drive(FirstByteMiddleware(answer), scope("/pause", []))
    assert firstbyte.accounting()["failures"] == failures + 1


@pytest.mark.parametrize("library", [asyncio, uvloop], ids=["asyncio", "uvloop"])
def test_a_loop_that_carried_a_call_goes_with_its_end(trace, library):
    middleware, loops = FirstByteMiddleware(answer), []

    async def call():
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await middleware(scope("/pause", []), None, sink)

    for _ in range(20):
        library.run(call())
    gc.collect()
    assert [loop() for loop in loops] == [None] * 20
    assert all("loop_lag_ms" in recv for recv in trace.named("server.recv"))


@pytest.mark.parametrize("library", [asyncio, uvloop], ids=["asyncio", "uvloop"])
def test_the_heartbeat_keeps_nothing_of_the_first_request(trace, library):
    class Session:
        """What an application may have in a context variable."""

    session = ContextVar("session")

    async def request():
        session.set(Session())
        await FirstByteMiddleware(answer)(scope("/pause", []), None, sink)
        return weakref.ref(session.get())

    async def main():
        kept = await asyncio.create_task(request())
        await asyncio.sleep(2 * _looplag.INTERVAL)
        gc.collect()
        return kept()

    assert library.run(main()) is None


@pytest.mark.parametrize(("variable", "keyword", "measured"), [
    (None, {}, True),
    ("0", {}, False),
    ("1", {}, True),
    ("0", {"loop_lag": True}, True),
    (None, {"loop_lag": False}, False),
])  # fmt: skip
def test_what_is_given_goes_before_the_environment(trace, monkeypatch, variable, keyword, measured):
    monkeypatch.delenv("FIRSTBYTE_LOOP_LAG", raising=False)
    if variable is not None:
        monkeypatch.setenv("FIRSTBYTE_LOOP_LAG", variable)
    drive(FirstByteMiddleware(answer, **keyword), scope("/pause", []))
    assert ("loop_lag_ms" in trace.only("server.recv")) == measured


@pytest.mark.parametrize("app", [None, 5, "server:app"])
def test_what_is_no_application_is_refused(app):
    with pytest.raises(firstbyte.ConfigError, match="ASGI application"):
        FirstByteMiddleware(app)


def test_a_class_made_of_it_may_have_settings_of_its_own(trace):
    class Named(FirstByteMiddleware):
        def __init__(self, app, *, name, **options):
            super().__init__(app, **options)
            self.name = name

    middleware = Named(answer, name="engine", loop_lag=False)
    assert drive(middleware, scope("/pause", []))
    assert middleware.name == "engine"
    assert "loop_lag_ms" not in trace.only("server.recv")
    with pytest.raises(TypeError, match="nmae"):
        FirstByteMiddleware(answer, nmae="engine")


def test_an_exception_that_nobody_handles_is_answered_with_our_headers_only_from_outside(trace, serve):
    """Starlette's answer to it is made around all that `add_middleware` adds."""
    inside = make_app()
    inside.add_middleware(FirstByteMiddleware)
    for app in (FirstByteMiddleware(make_app()), inside):
        response = httpx.post(f"{serve(app).url}/resume")
        assert response.status_code == 500
        assert ("x-trace-id" in response.headers) == (app is not inside)
    outer, inner = trace.wait_for("server.done", 2)
    assert (outer["status"], outer["outcome"]) == ("500", "ok")
    assert ("status" in inner, inner["outcome"]) == (False, "error")


@pytest.mark.parametrize("between", [lambda app: app, fastapi_around])
def test_twice_around_one_application_it_traces_once(trace, serve, between):
    server = serve(FirstByteMiddleware(between(FirstByteMiddleware(answer))))
    response = httpx.post(f"{server.url}/pause", trust_env=False)
    assert len(response.headers.get_list("server-timing")) == 1
    trace.wait_for("server.done")
    assert trace.only("server.recv").trace_id == response.headers["x-trace-id"]


@pytest.mark.parametrize("name", ["hypercorn", "granian"])
def test_it_works_on_other_servers(tmp_path, name):
    """A process of its own, as these servers are run; its lines are read from its log."""
    from servers import run_server

    log = tmp_path / "server.log"
    with run_server(name, log) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", "/update_weights")
        response = connection.getresponse()
        assert json.loads(response.read()) == {"status": "ok"}
        assert response.headers["x-trace-id"]
        assert "total;dur=" in response.headers["server-timing"]
        connection.request("GET", "/v1/stream")
        assert connection.getresponse().read() == b"0123456789"
        connection.close()
    lines = log.read_text()
    for name in ("server.recv", "rpc.done", "server.first_byte", "server.done"):
        assert lines.count(name) == 1, lines
    assert "outcome=ok" in lines


# -- helpers ------------------------------------------------------------------------------------------


def wait_until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def leave(server, request: bytes, read: int) -> None:
    """Send a request, read at least so many bytes of the answer, and close the connection."""
    host, port = server.target.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request)
        if read:
            assert connection.recv(read)
        else:
            time.sleep(0.2)


def scope(path: str, headers: list) -> dict:
    return {"type": "http", "method": "POST", "path": path, "root_path": "", "headers": headers}


async def answer(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


async def sink(message) -> None:
    pass


async def await_it(app, *args) -> None:
    await app(*args)


def drive(app, scope: dict) -> list[tuple[bytes, bytes]]:
    """The headers of the response."""
    got = []

    async def send(message):
        got.append(message)

    asyncio.run(await_it(app, scope, None, send))
    return list(got[0]["headers"])


class suspend:
    def __await__(self):
        yield
