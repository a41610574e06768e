"""Sessions of aiohttp, as they are, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import json
import os
import socket

import aiohttp
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
from firstbyte import _firstbyte
from firstbyte._instrument import _call

PHASES = ["setup", "pool", "dns", "connect", "tls", "send", "wait", "receive"]
ID = "00f067aa0ba902b7"
PARENT = f"00-4bf92f3577b34da6{ID}-53995c3f42cd8ad8-01"
CANARY = "sesame4711"


def in_loop(test):
    """Runs a test that is a coroutine function."""

    @functools.wraps(test)
    def run(*arguments, **fixtures):
        asyncio.run(asyncio.wait_for(test(*arguments, **fixtures), 30))

    return run


def traced(**options):
    return firstbyte.instrument(aiohttp.ClientSession(**options))


async def post(session, url, **options):
    """The whole body of an answer."""
    async with session.post(url, **options) as response:
        return await response.read()


def adds_up(done) -> bool:
    """The phases of a call are its wall time; each is rounded alone."""
    parts = [done.ms(f"{phase}_ms") for phase in PHASES if f"{phase}_ms" in done]
    return abs(sum(parts) - done.ms("wall_ms")) <= 0.05 * (len(parts) + 1) + 1e-6


async def application(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    async with firstbyte.rpc("update_weights"):
        await asyncio.sleep(0.03)
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


# What a call is made of


@in_loop
async def test_client_and_server_lines_have_one_id(trace, serve):
    server = serve(firstbyte.FirstByteMiddleware(application))
    async with (
        traced() as session,
        session.post(f"{server.url}/update_weights", json={}) as response,
    ):
        assert await response.json() == {}
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
    assert 30 <= done.ms("rpc_ms") <= done.ms("wall_ms")
    assert adds_up(done)


@in_loop
async def test_a_new_connection_is_made_and_a_kept_one_is_not(trace):
    with ScriptedServer() as server:
        async with traced() as session:
            await post(session, f"{server.url}/pause")
            await post(session, f"{server.url}/resume")
        assert server.connections == 1
    first, second = trace.named("client.done")
    assert "connect_ms" in first
    assert "connect_ms" not in second
    for done in (first, second):
        assert not {"pool_ms", "dns_ms", "tls_ms"} & done.fields.keys()
        assert {"setup_ms", "send_ms", "wait_ms", "receive_ms"} <= done.fields.keys()
        assert adds_up(done)


@in_loop
async def test_a_slow_resolver_is_the_dns(trace):
    class Resolver(aiohttp.abc.AbstractResolver):
        async def resolve(self, host, port=0, family=socket.AF_INET):
            await asyncio.sleep(0.15)
            address = {
                "host": "127.0.0.1",
                "port": port,
                "family": family,
                "proto": 0,
                "flags": 0,
            }
            return [address | {"hostname": host}]

        async def close(self):
            pass

    with ScriptedServer() as server:
        async with traced(connector=aiohttp.TCPConnector(resolver=Resolver())) as session:
            await post(session, f"http://engine.invalid:{server.port}/pause")
    done = trace.only("client.done")
    assert done["target"] == f"engine.invalid:{server.port}"
    assert 140 <= done.ms("dns_ms") < 3000
    assert "connect_ms" in done
    assert adds_up(done)


@in_loop
async def test_a_slow_head_is_the_wait_and_a_slow_body_is_received(trace):
    with ScriptedServer(answer(delay=0.3, body_delay=0.3)) as server:
        async with traced() as session:
            assert json.loads(await post(session, f"{server.url}/pause")) == {"status": "ok"}
    done = trace.only("client.done")
    assert 200 <= done.ms("wait_ms") < 3000
    assert 200 <= done.ms("receive_ms") < 3000
    assert adds_up(done)


@in_loop
async def test_a_session_without_a_free_connection_waits_in_its_pool(trace):
    with ScriptedServer(answer(delay=0.5), answer()) as server:
        async with traced(connector=aiohttp.TCPConnector(limit=1)) as session:
            holder = asyncio.create_task(post(session, f"{server.url}/pause"))
            await asyncio.to_thread(server.wait_for, 1)
            await post(session, f"{server.url}/resume")
            await holder
        assert server.connections == 1
    held, waited = trace.named("client.done")
    assert "pool_ms" not in held
    assert 250 <= waited.ms("pool_ms") < 3000
    assert waited.ms("wait_ms") < waited.ms("pool_ms")
    assert adds_up(waited)


# What stays as it was


@in_loop
async def test_other_calls_have_neither_header_nor_line(trace):
    with ScriptedServer() as server:
        async with traced() as session:
            for path in ["/v1/completions", "/health", "/pauses", "/v1/pause"]:
                await post(session, f"{server.url}{path}")
            await (await session.get(f"{server.url}/pause")).read()
        assert not any({"x-trace-id", "traceparent"} & request.headers.keys() for request in server.requests)
    assert trace.lines() == []


@in_loop
async def test_instrumenting_twice_is_instrumenting_once(trace):
    with ScriptedServer() as server:
        async with traced() as session:
            once = dict(vars(session))
            assert firstbyte.instrument(session) is session
            assert vars(session) == once
            await post(session, f"{server.url}/pause")
    trace.only("client.send")


@in_loop
async def test_uninstrumenting_restores_everything(trace):
    configs = [aiohttp.TraceConfig()]
    with ScriptedServer() as server:
        for theirs in [configs, None]:
            async with aiohttp.ClientSession(trace_configs=theirs) as session:
                before = dict(vars(session))
                firstbyte.uninstrument(session)
                assert vars(session) == before
                firstbyte.instrument(session)
                assert vars(session) != before
                assert firstbyte.uninstrument(session) is session
                assert vars(session) == before
                assert session._trace_configs is before["_trace_configs"]
                await post(session, f"{server.url}/pause")
    assert len(configs) == 1
    assert trace.lines() == []


@in_loop
async def test_sessions_that_share_their_configurations_are_traced_one_by_one(trace):
    configs = [aiohttp.TraceConfig()]
    with ScriptedServer() as server:
        async with (
            aiohttp.ClientSession(trace_configs=configs) as one,
            aiohttp.ClientSession(trace_configs=configs) as other,
        ):
            firstbyte.instrument(one)
            await post(other, f"{server.url}/pause")
            assert trace.lines() == []
            await post(one, f"{server.url}/pause")
            trace.only("client.done")


@in_loop
async def test_configurations_that_are_added_meanwhile_stay(trace):
    added = aiohttp.TraceConfig()
    added.freeze()
    async with traced() as session:
        session.trace_configs.append(added)
        firstbyte.uninstrument(session)
        assert session.trace_configs == [added]


@in_loop
async def test_trace_configurations_of_the_caller_hear_the_same_as_before(trace):
    async def events_of(instrument):
        heard = []
        theirs = aiohttp.TraceConfig()
        for name in dir(theirs):
            if name.startswith("on_"):

                async def hear(session, context, params, name=name):
                    heard.append(name)

                getattr(theirs, name).append(hear)
        async with aiohttp.ClientSession(trace_configs=[theirs]) as session:
            instrument(session)
            await post(session, f"{server.url}/pause")
        return heard

    with ScriptedServer() as server:
        before = await events_of(lambda session: session)
        assert await events_of(firstbyte.instrument) == before
    assert "on_request_end" in before
    trace.only("client.done")


@in_loop
async def test_insides_that_are_not_known_are_refused():
    async with aiohttp.ClientSession() as session:
        configs = vars(session).pop("_trace_configs")
        with pytest.raises(firstbyte.ConfigError, match="_trace_configs"):
            firstbyte.instrument(session)
        session._trace_configs = configs


# Ids


@in_loop
async def test_an_id_of_the_caller_is_kept(trace):
    both = {"x-trace-id": ID, "traceparent": PARENT.replace(ID, "1" * 16)}
    given = {"X-Trace-Id": ID}
    with ScriptedServer() as server:
        async with traced() as session:
            await post(session, f"{server.url}/pause", headers=given)
            await post(session, f"{server.url}/pause", headers={"Traceparent": PARENT})
            await post(session, f"{server.url}/pause", headers=both)
        first, second, third = (request.headers for request in server.requests)
    assert first["x-trace-id"] == ID
    assert first["traceparent"][3:35] == ID.rjust(32, "0")
    assert (second["traceparent"], second["x-trace-id"]) == (PARENT, ID)
    assert both.items() <= third.items()
    assert {line.trace_id for line in trace.lines()} == {ID}
    assert given == {"X-Trace-Id": ID}


@in_loop
async def test_trace_gives_all_calls_within_it_one_id(trace):
    with ScriptedServer() as server:
        async with traced() as session:
            with firstbyte.trace() as trace_id:
                await asyncio.gather(
                    *(post(session, f"{server.url}{path}") for path in ["/pause", "/resume"])
                )
            await post(session, f"{server.url}/pause")
    assert [line.trace_id == trace_id for line in trace.named("client.done")] == [
        True,
        True,
        False,
    ]


@in_loop
async def test_a_redirect_is_one_call_to_its_last_hop(trace):
    with ScriptedServer(answer(307, b"", location="/is_sleeping", delay=0.2), answer(delay=0.2)) as server:
        async with (
            traced() as session,
            session.get(f"{server.url}/is_paused") as response,
        ):
            await response.read()
        assert server.paths() == ["/is_paused", "/is_sleeping"]
    done = trace.only("client.done")
    assert (done["op"], done["status"]) == ("is_paused", "200")
    assert done.ms("wait_ms") >= 300
    assert adds_up(done)


@in_loop
async def test_a_redirect_without_an_end_is_an_error(trace):
    with ScriptedServer(redirect("/is_paused")) as server:
        async with traced() as session:
            with pytest.raises(aiohttp.TooManyRedirects):
                await session.get(f"{server.url}/is_paused")
    failed = trace.only("client.fail")
    assert (failed["phase"], failed["outcome"], failed["error"]) == (
        "wait",
        "unknown",
        "too_many_redirects",
    )


async def sends_again(request, handler):
    """A middleware for a server that is busy."""
    response = await handler(request)
    if response.status != 503:
        return response
    await asyncio.sleep(0.1)
    return await handler(request)


@pytest.mark.parametrize("keeps", [True, False])
@in_loop
async def test_what_a_middleware_sends_once_more_is_one_wait(trace, keeps):
    connection = {} if keeps else {"connection": "close"}
    busy = answer(503, delay=0.2, **connection)
    with ScriptedServer(busy, answer(delay=0.2)) as server:
        async with traced(middlewares=[sends_again]) as session:
            await post(session, f"{server.url}/pause", json={})
        assert server.connections == (1 if keeps else 2)
    done = trace.only("client.done")
    assert done["status"] == "200"
    assert done.ms("wait_ms") >= 490
    assert done.ms("send_ms") < 100
    assert adds_up(done)


@in_loop
async def test_a_middleware_that_waits_for_a_server_to_come_is_connecting(trace):
    port = refusing_port()

    async def connects_again(request, handler):
        with pytest.raises(aiohttp.ClientConnectorError):
            await handler(request)
        await asyncio.sleep(0.2)
        with ScriptedServer(port=port):
            return await handler(request)

    async with traced(middlewares=[connects_again]) as session:
        await post(session, f"http://127.0.0.1:{port}/pause")
    done = trace.only("client.done")
    assert done.ms("connect_ms") >= 190
    assert done.ms("setup_ms") < 100
    assert adds_up(done)


# What the server says of its half


@pytest.mark.parametrize(
    ("script", "rpc_ms", "flags"),
    [
        (answer(delay=0.05, server_timing="rpc;dur=20"), 20.0, None),
        (answer(delay=0.05, rpc_ms=20), 20.0, None),
        (answer(), None, "rpc_missing"),
        (answer(rpc_ms=1e7), None, "rpc_exceeds_wall"),
        (answer(server_timing="rpc;dur=-1"), None, "rpc_invalid"),
        (answer(body=b'{"rpc_ms": NaN}'), None, "rpc_invalid"),
    ],
)
@in_loop
async def test_what_the_server_reports_is_used_or_flagged(trace, script, rpc_ms, flags):
    with ScriptedServer(script) as server:
        async with traced() as session:
            await post(session, f"{server.url}/pause")
    done = trace.only("client.done")
    assert (float(done["rpc_ms"]) if "rpc_ms" in done else None) == rpc_ms
    assert done.fields.get("flags") == flags


@in_loop
async def test_an_error_of_the_server_is_an_answer(trace):
    with ScriptedServer(answer(503, server_timing="rpc;dur=0")) as server:
        async with traced() as session:
            await post(session, f"{server.url}/pause")
        async with traced(raise_for_status=True) as session:
            with pytest.raises(aiohttp.ClientResponseError, match="503"):
                await post(session, f"{server.url}/pause")
    plain, raised = trace.named("client.done")
    assert (plain["status"], plain["rpc_ms"], "flags" in plain) == ("503", "0.0", False)
    assert (raised["status"], raised["rpc_ms"], raised["flags"]) == (
        "503",
        "0.0",
        "body_unread",
    )
    assert adds_up(raised)


@in_loop
async def test_an_answer_that_is_no_http_is_no_answer(trace):
    with ScriptedServer(lambda exchange: exchange.write(b"SSH-2.0\r\n\r\n")) as server:
        async with traced() as session:
            with pytest.raises(aiohttp.ClientResponseError):
                await post(session, f"{server.url}/pause")
    failed = trace.only("client.fail")
    assert (failed["phase"], failed["outcome"], failed["error"]) == (
        "wait",
        "unknown",
        "protocol",
    )
    assert "status" not in failed


# Bodies


@in_loop
async def test_the_last_byte_ends_the_call_whoever_reads_it(trace):
    with ScriptedServer(answer(body_delay=0.5)) as server:
        async with traced() as session, session.post(f"{server.url}/pause") as response:
            assert trace.named("client.done") == []
            [done] = await asyncio.to_thread(trace.wait_for, "client.done")
            assert json.loads(await response.read()) == {"status": "ok"}
    assert 300 <= done.ms("receive_ms") < 3000
    assert done["flags"] == "rpc_missing"


@in_loop
async def test_a_body_that_is_streamed_to_its_end_is_a_whole_call(trace):
    with ScriptedServer(answer(body=b"x" * 300_000, server_timing="rpc;dur=0")) as server:
        async with traced() as session, session.post(f"{server.url}/pause") as response:
            pieces = [piece async for piece in response.content.iter_chunked(1000)]
    assert sum(map(len, pieces)) == 300_000
    done = trace.only("client.done")
    assert (done["rpc_ms"], "flags" in done) == ("0.0", False)


@in_loop
async def test_a_body_that_is_given_up_is_flagged(trace):
    with ScriptedServer(answer(body_delay=5)) as server:
        async with traced() as session:
            async with session.post(f"{server.url}/pause") as response:
                await response.content.readany()
            response = await session.post(f"{server.url}/pause")
            response.close()
            response = await session.post(f"{server.url}/pause")
            response.release()
            try:
                raise LookupError
            except LookupError:
                (await session.post(f"{server.url}/pause")).close()
    assert [done["flags"] for done in trace.named("client.done")] == ["rpc_missing,body_unread"] * 4


# What aiohttp says of such a response, traced or not.
@pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning")
@in_loop
async def test_a_response_that_nobody_reads_has_an_end(trace):
    with ScriptedServer(answer(body_delay=5)) as server:
        async with traced() as session:
            response = await session.post(f"{server.url}/pause")
            del response
        gc.collect()
    assert trace.only("client.done")["flags"] == "rpc_missing,body_unread"


@pytest.mark.parametrize("status", [204, 304])
@in_loop
async def test_an_answer_without_a_body_is_whole(trace, status):
    with ScriptedServer(lambda exchange: exchange.write(head(status))) as server:
        async with traced() as session:
            assert await post(session, f"{server.url}/pause") == b""
    done = trace.only("client.done")
    assert (done["status"], done["flags"]) == (str(status), "rpc_missing")


@in_loop
async def test_the_body_is_what_the_server_sent(trace):
    body = os.urandom(300_000)
    with ScriptedServer(answer(body=body, content_type="application/octet-stream")) as server:
        async with traced() as session:
            assert await post(session, f"{server.url}/pause", data=body) == body
        assert server.requests[0].body == body
    assert adds_up(trace.only("client.done"))


# What goes wrong


@in_loop
async def test_a_refused_connection_sent_nothing(trace):
    async with traced() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await post(session, f"http://127.0.0.1:{refusing_port()}/pause")
    failed = trace.only("client.fail")
    assert (failed["phase"], failed["outcome"], failed["error"]) == (
        "connect",
        "not_sent",
        "connect_refused",
    )


@in_loop
async def test_an_address_of_version_6_is_the_target_of_the_native_client(trace):
    url = f"http://[::1]:{refusing_port()}"
    async with traced() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await post(session, f"{url}/pause")
    assert trace.only("client.send")["target"] == firstbyte.AdminClient(url).target


@in_loop
async def test_a_name_that_nobody_knows_sent_nothing(trace):
    class Resolver(aiohttp.abc.AbstractResolver):
        async def resolve(self, host, port=0, family=socket.AF_INET):
            raise OSError("no such host")

        async def close(self):
            pass

    async with traced(connector=aiohttp.TCPConnector(resolver=Resolver())) as session:
        with pytest.raises(aiohttp.ClientConnectorDNSError):
            await post(session, "http://engine.invalid/pause")
    failed = trace.only("client.fail")
    assert (failed["phase"], failed["outcome"], failed["error"]) == (
        "dns",
        "not_sent",
        "dns",
    )


@pytest.mark.parametrize(
    ("script", "phase", "status"),
    [(reset, "wait", None), (close, "wait", None), (truncate, "receive", "200")],
)
@in_loop
async def test_a_connection_that_breaks_leaves_the_outcome_unknown(trace, script, phase, status):
    with ScriptedServer(script) as server:
        async with traced() as session:
            with pytest.raises(aiohttp.ClientError):
                await post(session, f"{server.url}/update_weights")
            # Not when somebody collects the response.
            failed = trace.only("client.fail")
    assert (failed["phase"], failed["outcome"], failed.fields.get("status")) == (
        phase,
        "unknown",
        status,
    )
    assert failed["error"] in ("reset", "closed", "body_truncated")


@pytest.mark.parametrize(
    ("timeout", "script", "phase", "error"),
    [
        ({"total": 0.3}, silent, "wait", "total_timeout"),
        ({"sock_read": 0.1}, silent, "wait", "read_timeout"),
        ({"total": 0.3}, answer(body_delay=5), "receive", "total_timeout"),
        ({"sock_read": 0.3}, answer(body_delay=5), "receive", "read_timeout"),
    ],
)
@in_loop
async def test_an_answer_that_is_too_late_leaves_the_outcome_unknown(trace, timeout, script, phase, error):
    with ScriptedServer(script) as server:
        async with traced(timeout=aiohttp.ClientTimeout(**timeout)) as session:
            with pytest.raises(asyncio.TimeoutError):
                await post(session, f"{server.url}/pause")
    failed = trace.only("client.fail")
    assert (failed["phase"], failed["outcome"], failed["error"]) == (
        phase,
        "unknown",
        error,
    )


@in_loop
async def test_a_request_that_found_no_connection_in_time_was_not_sent(trace):
    timeout = aiohttp.ClientTimeout(connect=0.3)
    with ScriptedServer(answer(body_delay=5)) as server:
        session = traced(connector=aiohttp.TCPConnector(limit=1), timeout=timeout)
        async with session, session.post(f"{server.url}/pause"):
            with pytest.raises(asyncio.TimeoutError):
                await post(session, f"{server.url}/resume")
        assert server.paths() == ["/pause"]
    failed = trace.only("client.fail")
    assert (failed["phase"], failed["outcome"], failed["error"]) == (
        "pool",
        "not_sent",
        "pool_timeout",
    )


@in_loop
async def test_a_task_that_is_cancelled_anywhere_ends_its_call_once(trace):
    """After each number of turns of the loop, and then while it waits for the head and for the body."""
    scripts = {
        "/pause": silent,
        "/update_weights": answer(body_delay=10),
        "/resume": answer(),
    }

    async def cancelled(path, turns, pause=0.0):
        task = asyncio.create_task(post(session, f"{server.url}{path}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        await asyncio.sleep(pause)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with ScriptedServer(lambda exchange: scripts[exchange.request.path](exchange)) as server:
        async with traced() as session:
            for turns in range(40):
                await cancelled("/pause", turns)
            await cancelled("/pause", 1, 0.4)
            await cancelled("/update_weights", 1, 0.4)
            await post(session, f"{server.url}/resume")
    assert trace.only("client.done")["op"] == "resume"
    failed = trace.named("client.fail")
    assert {line["outcome"] for line in failed} == {"cancelled"}
    assert {line["phase"] for line in failed} >= {"connect", "wait", "receive"}
    assert 40 <= len(failed) <= 42


@in_loop
async def test_a_task_that_is_cancelled_while_it_queues_sent_nothing(trace):
    with ScriptedServer(silent) as server:
        async with traced(connector=aiohttp.TCPConnector(limit=1)) as session:
            holder = asyncio.create_task(post(session, f"{server.url}/pause"))
            await asyncio.to_thread(server.wait_for, 1)
            waiter = asyncio.create_task(post(session, f"{server.url}/resume"))
            await asyncio.sleep(0.05)
            for task in (waiter, holder):
                task.cancel()
            await asyncio.gather(holder, waiter, return_exceptions=True)
        assert server.paths() == ["/pause"]
    assert [(line["op"], line["phase"]) for line in trace.named("client.fail")] == [
        ("resume", "pool"),
        ("pause", "wait"),
    ]


@in_loop
async def test_a_trace_configuration_of_the_caller_that_fails_ends_the_call(trace):
    async def fail(session, context, params):
        raise LookupError

    for name in ["on_request_start", "on_connection_create_start", "on_request_end"]:
        theirs = aiohttp.TraceConfig()
        getattr(theirs, name).append(fail)
        with ScriptedServer() as server:
            async with aiohttp.ClientSession() as session:
                firstbyte.instrument(session)
                theirs.freeze()
                session.trace_configs.append(theirs)
                with pytest.raises(LookupError):
                    await post(session, f"{server.url}/pause")
    first, second = trace.named("client.fail")
    assert (first["phase"], first["outcome"], first["error"]) == (
        "setup",
        "not_sent",
        "lookup_error",
    )
    assert (second["phase"], second["outcome"]) == ("connect", "not_sent")
    trace.only("client.done")


@in_loop
async def test_neither_credentials_nor_query_values_are_written(trace):
    headers = {"cookie": CANARY, "x-token": CANARY}
    with ScriptedServer(answer(), reset, truncate) as server:
        async with traced(headers=headers) as session:
            for target in [server.target] * 3 + [f"127.0.0.1:{refusing_port()}"]:
                url = f"http://user:{CANARY}@{target}/pause?token={CANARY}#{CANARY}"
                with contextlib.suppress(aiohttp.ClientError):
                    await post(session, url, json={"key": CANARY}, params={"more": CANARY})
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
@in_loop
async def test_a_failure_of_ours_is_no_failure_of_the_request(monkeypatch, name, replacement):
    before = firstbyte.accounting()["failures"]
    with ScriptedServer(answer(), answer(body_delay=0.01), truncate, answer()) as server:
        async with traced() as session:
            monkeypatch.setattr(_call, "fuse", _firstbyte.Fuse())
            monkeypatch.setattr(_firstbyte, name, replacement)
            assert json.loads(await post(session, f"{server.url}/pause")) == {"status": "ok"}
            async with session.post(f"{server.url}/pause"):
                pass
            with pytest.raises(aiohttp.ClientPayloadError):
                await post(session, f"{server.url}/pause")
            with pytest.raises(aiohttp.ClientConnectorError):
                await post(session, f"http://127.0.0.1:{refusing_port()}/pause")
            await (await session.get(f"{server.url}/health")).read()
    assert firstbyte.accounting()["failures"] > before + 3
