"""The native admin client on asyncio and uvloop: a busy loop changes no times, a cancel leaves one end."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
import weakref
from contextlib import suppress
from contextvars import ContextVar

import pytest
import uvloop
from scripted_server import (
    ScriptedServer,
    answer,
    full_backlog,
    gated,
    halfway,
    huge,
    noted,
    redirect,
    refusing_port,
    reset,
    silent,
    truncate,
    until,
)

import firstbyte
from firstbyte import (
    AsyncAdminClient,
    BodyError,
    ConfigError,
    NotSent,
    OutcomeUnknown,
    OverlapError,
    StatusError,
)

PHASES = ("setup", "pool", "dns", "connect", "tls", "send", "wait", "receive")


class Loops:
    """The event loops of one library."""

    def __init__(self, library) -> None:
        self.run = library.run
        self.new = library.new_event_loop


@pytest.fixture(params=[asyncio, uvloop], ids=["asyncio", "uvloop"])
def loops(request) -> Loops:
    return Loops(request.param)


def settle(trace, sends=None) -> None:
    """A call that was given up ends on the native thread, a moment later."""
    deadline = time.monotonic() + 10
    while True:
        names = [line.name for line in trace.lines()]
        begun = names.count("client.send")
        if begun == names.count("client.done") + names.count("client.fail") and begun >= (sends or 0):
            return
        assert time.monotonic() < deadline, trace.path.read_text()
        time.sleep(0.005)


# Where the time went.


def test_the_time_is_cut_where_the_server_delayed(trace, loops):
    async def main():
        with ScriptedServer(answer(delay=0.1, body_delay=0.1, rpc_ms=40)) as server:
            return await AsyncAdminClient(server.url).post("/pause", json={}, step=1)

    response = loops.run(main())
    phases = {name: ms for name, ms in response.parts.items() if name in PHASES}
    assert list(phases) == ["setup", "connect", "send", "wait", "receive"]
    assert 100 <= phases["wait"] < 5000
    assert 95 <= phases["receive"] < 5000
    assert sum(phases.values()) == pytest.approx(response.wall_ms, abs=1e-6)
    assert response.queue_ms == pytest.approx(response.wall_ms - 40, abs=1e-6)
    send, done = trace.lines()
    assert send.trace_id == done.trace_id == response.trace_id
    assert send["step"] == "1"
    assert done.ms("resume_ms") == pytest.approx(response.resume_ms, abs=0.051)


def test_a_busy_loop_changes_nothing_but_the_moment_of_going_on(trace, loops):
    async def main():
        with ScriptedServer(answer(delay=0.05)) as server:
            call = asyncio.create_task(AsyncAdminClient(server.url).post("/pause"))
            await until(lambda: server.requests)
            time.sleep(0.7)  # noqa: ASYNC251 - what a host does that blocks its loop
            return await call

    response = loops.run(main())
    assert 50 <= response.wall_ms < 500
    assert 150 <= response.resume_ms < 10_000
    done = trace.only("client.done")
    assert done.ms("wall_ms") < 500
    assert done.ms("wall_ms") + done.ms("resume_ms") >= 700


def test_the_call_begins_when_it_is_called(trace, loops):
    """The loop is blocked before the native thread is asked: that is the caller's own time."""

    async def main():
        with ScriptedServer() as server:
            call = AsyncAdminClient(server.url).post("/pause")
            time.sleep(0.5)  # noqa: ASYNC251
            return await call

    assert loops.run(main()).wall_ms < 450


# What failed.


@pytest.mark.parametrize(
    ("script", "kind", "reason"),
    [
        (reset, OutcomeUnknown, "reset"),
        (truncate, OutcomeUnknown, "body_truncated"),
        (silent, OutcomeUnknown, "total_timeout"),
        (huge, BodyError, "body_too_large"),
        (answer(500), StatusError, "status"),
        (redirect("/elsewhere"), StatusError, "status"),
    ],
)
def test_errors_have_a_class_and_a_reason(trace, loops, script, kind, reason):
    async def main():
        client = AsyncAdminClient(server.url, timeout=0.3 if script is silent else None)
        with pytest.raises(kind) as caught:
            (await client.post("/update_weights")).raise_for_status()
        return client, caught.value

    with ScriptedServer(script) as server:
        client, error = loops.run(main())
        assert server.posts == 1
    assert error.reason == reason
    assert client.unknown == (error.trace_id if kind is OutcomeUnknown else None)
    assert error.trace_id == trace.only("client.send").trace_id


def test_what_cannot_be_sent_is_not_sent(trace, loops):
    async def main():
        with pytest.raises(NotSent):
            await AsyncAdminClient(f"http://127.0.0.1:{refusing_port()}", attempts=2).post("/pause")
        with ScriptedServer(silent, answer()) as server:
            client = AsyncAdminClient(server.url)
            with pytest.raises(ConfigError):
                await client.post("pause")
            call = asyncio.create_task(client.post("/pause"))
            await until(lambda: server.requests)
            with pytest.raises(OverlapError):
                await client.post("/pause")
            assert (await client.get("/health")).status == 200
            assert [state["state"] for state in client.in_flight()] == ["in_server_kernel_or_later"]
            server.stop()
            with pytest.raises(OutcomeUnknown):
                await call

    loops.run(main())


def test_a_get_is_sent_again(trace, loops):
    async def main():
        with ScriptedServer(reset, answer(503), answer()) as server:
            async with AsyncAdminClient(server.url) as client:
                assert (await client.get("/health")).attempts == 3
                await client.aclose()
                assert repr(client) == f"<AsyncAdminClient {server.target}>"

    loops.run(main())


def test_the_id_is_the_callers(trace, loops):
    async def main():
        with ScriptedServer() as server, firstbyte.trace() as current:
            client = AsyncAdminClient(server.url, token="abc")
            await client.post("/pause")
            await asyncio.gather(*(client.post("/a", allow_overlap=True) for _ in range(3)))
        assert {request.headers["x-trace-id"] for request in server.requests} == {current}
        assert {request.headers["authorization"] for request in server.requests} == {"Bearer abc"}

    loops.run(main())


# Many at once.


def test_two_hundred_calls_at_once(trace, loops):
    async def main():
        with ScriptedServer(answer(delay=0.3)) as server:
            client = AsyncAdminClient(server.url)
            calls = [client.post("/pause", allow_overlap=True) for _ in range(200)]
            responses = await asyncio.gather(*calls)
            assert server.posts == server.connections == 200
        return responses

    started = time.monotonic()
    responses = loops.run(main())
    assert time.monotonic() - started < 30
    assert len({response.trace_id for response in responses}) == 200


def test_many_servers_at_once_and_one_is_stuck(trace, loops):
    async def main():
        servers = [ScriptedServer(answer(delay=0.1)) for _ in range(49)] + [ScriptedServer(silent)]
        clients = [AsyncAdminClient(server.url) for server in servers]
        *calls, stuck = [asyncio.create_task(client.post("/update_weights")) for client in clients]
        assert {response.status for response in await asyncio.gather(*calls)} == {200}
        await until(lambda: servers[-1].requests)
        assert [len(client.in_flight()) for client in clients] == [0] * 49 + [1]
        for server in servers:
            server.stop()
        with pytest.raises(OutcomeUnknown) as caught:
            await stuck
        assert [client.unknown for client in clients] == [None] * 49 + [caught.value.trace_id]

    loops.run(main())


def test_kept_connections_serve_many_loops(trace, loops):
    with ScriptedServer() as server:
        client = AsyncAdminClient(server.url, max_connections=3)

        async def main():
            calls = (client.post("/pause", allow_overlap=True) for _ in range(20))
            return await asyncio.gather(*calls)

        for _ in range(3):
            assert len(loops.run(main())) == 20
        assert server.connections <= 3
        assert server.posts == 60


def test_loops_of_several_threads_share_a_client(trace, loops):
    with ScriptedServer(answer(delay=0.02)) as server:
        client = AsyncAdminClient(server.url)

        async def main():
            for _ in range(5):
                await asyncio.gather(*(client.post("/pause", allow_overlap=True) for _ in range(4)))

        threads = [threading.Thread(target=loops.run, args=(main(),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert server.posts == 80


# Given up.


@pytest.mark.parametrize("kept", [None, 2])
def test_a_cancel_at_any_moment_leaves_one_end(trace, loops, kept):
    """The first ones find the call on the loop, the others find it anywhere on the native thread."""

    async def main(server):
        client = AsyncAdminClient(server.url, max_connections=kept)

        async def give_up(pause):
            call = asyncio.create_task(client.post("/update_weights", allow_overlap=True))
            await pause()
            call.cancel()
            with suppress(asyncio.CancelledError):
                await call
            return call.cancelled()

        async def turns(count):
            for _ in range(count):
                await asyncio.sleep(0)

        cancelled = [await give_up(lambda n=n: turns(n)) for n in range(12)]
        # From 0 to 100 ms, mostly past the end of the call.
        cancelled += [await give_up(lambda n=n: asyncio.sleep(n * 5e-3)) for n in range(21)]
        assert cancelled[0]
        await until(lambda: not client.in_flight())
        return cancelled

    with ScriptedServer(answer(delay=0.03, body_delay=0.03)) as server:
        cancelled = loops.run(main(server))
        settle(trace)
        sends, dones = trace.named("client.send"), trace.named("client.done")
        assert 33 - sum(cancelled) <= len(dones) <= len(sends) <= 33
        assert len(server.requests) <= len(sends)
    fails = trace.named("client.fail")
    assert {(fail["outcome"], fail["error"]) for fail in fails} == {("cancelled", "cancelled")}


@pytest.mark.parametrize("phase", ["pool", "connect", "send", "wait", "receive"])
def test_a_cancel_in_every_phase(trace, loops, phase):
    async def main(url, body=None):
        client = AsyncAdminClient(url, max_connections=1)
        calls = [asyncio.create_task(client.post("/update_weights", body=body, allow_overlap=True))]
        if phase == "pool":
            await until(lambda: server.requests)
            calls.append(asyncio.create_task(client.post("/update_weights", allow_overlap=True)))
        await until(lambda: phase in [state["phase"] for state in client.in_flight()])
        # The one that waits for the other's connection goes first: it must not get it.
        for call in reversed(calls):
            call.cancel()
        await asyncio.wait(calls)
        assert all(call.cancelled() for call in calls)
        await until(lambda: not client.in_flight())
        return client

    if phase == "connect":
        with full_backlog() as (url, _):
            client = loops.run(main(url))
    elif phase == "send":
        with ScriptedServer(accept_after=60) as server:
            client = loops.run(main(server.url, bytes(32 << 20)))
    else:
        with ScriptedServer(halfway if phase == "receive" else silent) as server:
            client = loops.run(main(server.url))
    settle(trace, 1)
    fails = trace.named("client.fail")
    assert {(fail["outcome"], fail["error"]) for fail in fails} == {("cancelled", "cancelled")}
    phases = {fail["phase"] for fail in fails}
    if phase == "pool":
        # The server may have the other call's request before this host knows that all of it is sent.
        assert phases in ({"pool", "wait"}, {"pool", "send"})
    else:
        assert phases == {phase}
    # Only of what has left this host the outcome is unknown.
    assert (client.unknown is None) == (phase == "connect")


def test_a_call_that_is_given_up_closes_its_connection(trace, loops):
    closed = threading.Event()

    def play(exchange):
        try:
            silent(exchange)
        finally:
            closed.set()

    async def main(server):
        client = AsyncAdminClient(server.url)
        call = asyncio.create_task(client.post("/update_weights", trace_id="00f067aa0ba902b7"))
        await until(lambda: server.requests)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(closed.is_set)
        await until(lambda: client.unknown)
        assert client.unknown == "00f067aa0ba902b7"

    with ScriptedServer(play) as server:
        loops.run(main(server))
    settle(trace)
    assert trace.only("client.fail")["outcome"] == "cancelled"


def test_wait_for_gives_a_call_up(trace, loops):
    async def main():
        with ScriptedServer(silent) as server:
            client = AsyncAdminClient(server.url)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.post("/pause"), 0.2)
            with pytest.raises(OverlapError):
                await client.post("/pause")
            assert server.posts <= 1

    loops.run(main())
    settle(trace, 1)
    assert 190 <= trace.only("client.fail").ms("wall_ms") < 10_000


def test_a_shielded_call_goes_on(trace, loops):
    async def main():
        with ScriptedServer(answer(delay=0.2)) as server:
            call = asyncio.ensure_future(AsyncAdminClient(server.url).post("/pause"))
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(call), 0.05)
            return await call

    assert loops.run(main()).status == 200


def test_an_end_and_a_cancel_at_once_are_one_end(trace, loops):
    """The answer is in the mailbox when the loop hears of the cancel."""

    async def main():
        gate = threading.Event()
        with ScriptedServer(gated(gate)) as server:
            client = AsyncAdminClient(server.url)
            for n in range(5):
                gate.clear()
                call = asyncio.create_task(client.post("/pause"))
                await until(lambda n=n: len(server.requests) > n)
                gate.set()
                while client.in_flight():
                    time.sleep(0.005)  # noqa: ASYNC251 - the loop must not hear of the end
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
                assert client.unknown is None

    loops.run(main())
    settle(trace, 5)
    assert len(trace.named("client.done")) == 5


# Loops that end.


def test_a_loop_that_was_closed_takes_its_calls_along(trace, loops, caplog):
    with ScriptedServer(silent, answer()) as server:
        client = AsyncAdminClient(server.url)
        loop = loops.new()
        call = loop.create_task(client.post("/update_weights"))
        loop.run_until_complete(until(lambda: server.requests))
        loop.close()
        assert len(client.in_flight()) == 1
        del loop, call
        gc.collect()
        deadline = time.monotonic() + 10
        while client.in_flight() and time.monotonic() < deadline:
            time.sleep(0.005)
        assert client.in_flight() == []
        assert client.unknown is not None

        async def main():
            return await client.post("/update_weights", allow_overlap=True)

        assert loops.run(main()).status == 200
    settle(trace, 2)
    assert len(trace.named("client.fail")) == 1
    assert "Task was destroyed but it is pending" in caplog.text


def test_an_answer_for_a_loop_that_was_closed_is_the_end_of_the_call(trace, loops, caplog):
    with ScriptedServer(answer(delay=0.2)) as server:
        client = AsyncAdminClient(server.url)
        loop = loops.new()
        call = loop.create_task(client.post("/pause"))
        loop.run_until_complete(until(lambda: server.requests))
        loop.close()
        deadline = time.monotonic() + 10
        while client.in_flight() and time.monotonic() < deadline:
            time.sleep(0.005)
        del loop, call
        gc.collect()
    settle(trace, 1)
    assert trace.only("client.done")["status"] == "200"


def test_run_gives_up_what_is_on_its_way(trace, loops):
    async def main(server):
        client = AsyncAdminClient(server.url)
        task = asyncio.create_task(client.post("/pause"))
        await until(lambda: server.requests)
        return task

    with ScriptedServer(silent) as server:
        assert loops.run(main(server)).cancelled()
        settle(trace, 1)
        assert trace.only("client.fail")["outcome"] == "cancelled"


def test_loops_leave_no_descriptors_behind(trace, loops):
    with ScriptedServer() as server:
        client = AsyncAdminClient(server.url)

        async def main():
            await client.post("/pause")

        def descriptors():
            loops.run(main())
            gc.collect()
            return len(os.listdir("/proc/self/fd"))

        before = descriptors()
        for _ in range(20):
            loops.run(main())
        assert descriptors() < before + 10


def test_a_loop_keeps_nothing_of_its_first_call(trace, loops):
    class Session:
        """What a caller may have in a context variable."""

    session = ContextVar("session")

    async def first(url):
        session.set(Session())
        await AsyncAdminClient(url).get("/health")
        return weakref.ref(session.get())

    async def main():
        with ScriptedServer() as server:
            kept = await asyncio.create_task(first(server.url))
            # The step that this task is woken by holds the other one.
            await asyncio.sleep(0)
            gc.collect()
            return kept()

    assert loops.run(main()) is None


def test_without_asyncio_it_says_what_to_use():
    call = AsyncAdminClient("http://127.0.0.1:1").get("/health")
    with pytest.raises(RuntimeError, match="AdminClient in a thread"):
        # As another library's loop would.
        call.send(None)


def test_an_exception_elsewhere_is_none_of_ours(trace, loops):
    async def main():
        with ScriptedServer(silent) as server:

            async def fail():
                await until(lambda: server.requests)
                raise KeyError("work")

            await asyncio.gather(AsyncAdminClient(server.url).post("/pause"), fail())

    with pytest.raises(KeyError, match="work"):
        loops.run(main())
    settle(trace, 1)


# Pause and resume.


def test_paused_resumes_after_the_work(trace, loops):
    async def main():
        with ScriptedServer() as server:
            client = AsyncAdminClient(server.url)
            async with client.paused() as response:
                assert response.status == 200
                await client.post("/update_weights")
            with pytest.raises(KeyError):
                async with client.paused("/stop", "/go"):
                    raise KeyError
            paths = ["/pause", "/update_weights", "/resume", "/stop", "/go"]
            assert server.paths() == paths

    loops.run(main())


def test_paused_resumes_what_may_be_paused(trace, loops):
    async def main():
        for script, kind in [(reset, OutcomeUnknown), (answer(500), StatusError)]:
            with ScriptedServer(script, answer()) as server:
                with pytest.raises(kind):
                    async with AsyncAdminClient(server.url).paused():
                        pytest.fail("the work must not begin")
                assert server.paths() == ["/pause", "/resume"]
        with pytest.raises(NotSent):
            async with AsyncAdminClient(f"http://127.0.0.1:{refusing_port()}", attempts=1).paused():
                pytest.fail("the work must not begin")

    loops.run(main())
    assert [line["op"] for line in trace.named("client.send")] == ["pause", "resume"] * 2 + ["pause"]


def test_paused_tells_the_first_error(trace, loops):
    async def main():
        with ScriptedServer(answer(), answer(500), answer(), answer(500)) as server:
            client = AsyncAdminClient(server.url)
            with pytest.raises(StatusError, match="/resume"):
                async with client.paused():
                    pass
            with pytest.raises(KeyError) as caught:
                async with client.paused():
                    raise KeyError
            assert "/resume" in noted(caught.value)

    loops.run(main())


@pytest.mark.parametrize("where", ["in pause", "in the work", "in a call"])
def test_paused_resumes_when_it_is_cancelled(trace, loops, where):
    async def main(server):
        client = AsyncAdminClient(server.url)

        async def work():
            async with client.paused():
                if where == "in a call":
                    await client.post("/update_weights")
                await asyncio.sleep(60)

        task = asyncio.create_task(work())
        await until(lambda: len(server.requests) == (2 if where == "in a call" else 1))
        await asyncio.sleep(0.1)
        task.cancel()
        # Whoever cancels is not kept waiting for the answer.
        await asyncio.wait({task}, timeout=5)
        assert task.cancelled()
        await until(lambda: server.paths()[-1] == "/resume")
        answered.set()

    answered = threading.Event()
    resume = gated(answered)
    scripts = {
        "in pause": [silent, resume],
        "in the work": [answer(), resume],
        "in a call": [answer(), silent, resume],
    }
    with ScriptedServer(*scripts[where]) as server:
        loops.run(main(server))
        settle(trace, 2)
        assert server.paths().count("/resume") == 1


def test_a_resume_that_has_begun_is_never_given_up(trace, loops):
    async def main(server, turns):
        client = AsyncAdminClient(server.url)
        resuming = asyncio.Event()

        async def work():
            async with client.paused():
                resuming.set()

        task = asyncio.create_task(work())
        await resuming.wait()
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: len(server.requests) == 2)
        await until(lambda: not client.in_flight())

    for turns in range(6):
        with ScriptedServer(answer(), answer(delay=0.1)) as server:
            loops.run(main(server, turns))
            assert server.paths() == ["/pause", "/resume"]
    settle(trace, 12)
    assert len(trace.named("client.done")) == 12


def test_still_waiting_is_told_though_the_loop_is_blocked(trace, loops):
    async def main():
        gate = threading.Event()
        with ScriptedServer(gated(gate)) as server:
            client = AsyncAdminClient(server.url, still_waiting=0.1)
            call = asyncio.create_task(client.post("/pause"))
            await until(lambda: server.requests)
            trace.wait_for("client.waiting", 2)
            gate.set()
            await call

    loops.run(main())
