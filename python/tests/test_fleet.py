"""The same call to many servers: a result for each, under one id, with times that no busy loop changes."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import os
import pickle
import signal
import threading
import time
import typing
from contextlib import ExitStack

import pytest
from scripted_server import ScriptedServer, answer, gated, noted, refusing_port, reset, silent, until

import firstbyte
from firstbyte import (
    AdminClient,
    AdminFleet,
    AdminResponse,
    AsyncAdminClient,
    AsyncAdminFleet,
    ConfigError,
    NotSent,
    OutcomeUnknown,
    StatusError,
)


def post_by_threads(urls, **options):
    return AdminFleet(AdminClient(url) for url in urls).post("/update_weights", **options)


def post_by_asyncio(urls, **options):
    fleet = AsyncAdminFleet(AsyncAdminClient(url) for url in urls)
    return asyncio.run(fleet.post("/update_weights", **options))


@pytest.fixture(params=[post_by_threads, post_by_asyncio], ids=["threads", "asyncio"])
def post(request):
    return request.param


@pytest.fixture
def servers():
    """Starts servers, one for each script."""
    with ExitStack() as stack:
        yield lambda *scripts: [stack.enter_context(ScriptedServer(script)) for script in scripts]


def test_every_server_has_a_result_of_its_own(trace, post, servers):
    up = servers(answer(), answer(500), reset)
    urls = [server.url for server in up] + [f"http://127.0.0.1:{refusing_port()}"]
    result = post(urls, json={"step": 7}, step=7)
    assert [target.target for target in result.targets] == [url.removeprefix("http://") for url in urls]
    assert [target.outcome for target in result.targets] == ["done", "failed", "unknown", "not_sent"]
    done, failed, unknown, not_sent = result.targets
    assert (done.response.status, failed.response.status) == (200, 500)
    assert (done.error, failed.error, unknown.response, not_sent.response) == (None,) * 4
    assert isinstance(unknown.error, OutcomeUnknown)
    assert isinstance(not_sent.error, NotSent)
    assert result.of("unknown") == [unknown]
    assert [server.posts for server in up] == [1, 1, 1]
    with pytest.raises(StatusError):
        result.raise_for_outcome()
    ids = {line.trace_id for line in trace.lines()}
    assert ids == {result.trace_id}
    assert {line["step"] for line in trace.named("client.send")} == {"7"}
    for target in (done, failed):
        assert target.wall_ms >= target.response.wall_ms
    with pytest.raises(NotSent):
        post(urls[3:]).raise_for_outcome()


def test_the_slowest_one_is_told_and_how_long_the_others_waited(trace, post, servers):
    result = post([server.url for server in servers(answer(delay=0.05), answer(delay=0.4), answer())])
    assert result.raise_for_outcome() is result
    middle, slow, fast = result.targets
    assert result.slowest is slow
    assert result.wall_ms == slow.wall_ms >= 400
    assert slow.waited_ms == 0
    for target in (middle, fast):
        assert 150 <= target.waited_ms < 5000
        assert target.wall_ms + target.waited_ms == pytest.approx(result.wall_ms, abs=1e-6)
    assert {target.response.trace_id for target in result.targets} == {result.trace_id}


def test_a_busy_loop_changes_no_time(trace, servers):
    quick, slow = servers(answer(delay=0.05), answer(delay=0.1))

    async def main():
        fleet = AsyncAdminFleet([AsyncAdminClient(quick.url), AsyncAdminClient(slow.url)])
        call = asyncio.create_task(fleet.post("/update_weights"))
        await until(lambda: slow.requests)
        time.sleep(0.8)  # noqa: ASYNC251 - what a host does that blocks its loop
        return await call

    result = asyncio.run(main())
    assert 100 <= result.wall_ms < 600
    # It is the fan-out that goes on late, and no call of it.
    assert {target.response.resume_ms for target in result.targets} == {None}


def test_the_reader_finds_the_calls_of_a_fan_out(trace, post, servers):
    post([server.url for server in servers(answer(delay=0.1), answer(), answer())])
    calls = firstbyte.read([trace.path]).calls
    assert len({call.trace_id for call in calls}) == 1
    assert len({call.target for call in calls}) == 3


def test_a_fleet_that_is_given_up_gives_up_every_call(trace, servers):
    up = servers(silent, silent)

    async def main():
        fleet = AsyncAdminFleet(AsyncAdminClient(server.url) for server in up)
        call = asyncio.create_task(fleet.post("/update_weights"))
        await until(lambda: all(server.requests for server in up))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(main())
    assert {line["error"] for line in trace.wait_for("client.fail", 2)} == {"cancelled"}


def test_one_server_that_is_stuck_is_told_while_it_is(trace, servers):
    gate = threading.Event()
    stuck, quick = servers(gated(gate), answer())

    async def main():
        fleet = AsyncAdminFleet([AsyncAdminClient(stuck.url), AsyncAdminClient(quick.url)])
        call = asyncio.create_task(fleet.post("/update_weights"))
        await until(lambda: quick.requests and stuck.requests and not fleet.clients[1].in_flight())
        waiting = fleet.clients[0].in_flight()
        (done,) = trace.wait_for("client.done")
        gate.set()
        return waiting, done, await call

    (attempt,), done, result = asyncio.run(main())
    assert attempt["phase"] == "wait"
    assert done["target"] == quick.target
    assert result.slowest.target == stuck.url.removeprefix("http://")


def test_what_cannot_work_sends_nothing(trace, post, servers):
    (server,) = servers(answer())
    with pytest.raises(ConfigError, match="two clients"):
        post([server.url, server.url])
    with pytest.raises(ConfigError, match="operation_class"):
        post([server.url], operation_class="sometimes")
    with pytest.raises(TypeError, match="tiemout"):
        post([server.url], tiemout=1)
    with pytest.raises(ConfigError, match="header"):
        post([server.url], headers={"a": "b\r\nc"})
    with pytest.raises(ConfigError, match="slash"):
        AdminFleet([AdminClient(server.url)]).post("no-slash")
    assert server.requests == []


def test_the_id_is_the_callers_also_where_an_older_call_stands_in_the_way(trace, servers):
    lost, up = servers(reset, answer())
    clients = [AdminClient(lost.url), AdminClient(up.url)]
    with pytest.raises(OutcomeUnknown):
        clients[0].post("/pause")
    result = AdminFleet(clients).post("/resume_all", trace_id="00000000000000aa")
    assert [target.outcome for target in result.targets] == ["not_sent", "done"]
    assert result.trace_id == result.targets[1].response.trace_id == "00000000000000aa"


def test_a_fleet_of_nobody_is_done_at_once(trace, post):
    result = post([])
    assert (result.targets, result.wall_ms, result.slowest) == ([], 0, None)
    assert result.raise_for_outcome() is result


@pytest.mark.parametrize("kind", [AdminFleet, AsyncAdminFleet])
@pytest.mark.parametrize("clients", ["http://u:secret@h", ["http://u:secret@h"], None, 5, [None]])
def test_a_fleet_is_made_of_clients(kind, clients):
    with pytest.raises(ConfigError, match="a fleet is made of") as caught:
        kind(clients)
    assert "secret" not in str(caught.value)


def test_the_types_of_a_result_are_there_at_run_time():
    assert typing.get_type_hints(firstbyte.TargetResult)["outcome"] == firstbyte.Outcome
    assert typing.get_type_hints(firstbyte.FanOutResult)["targets"] == list[firstbyte.TargetResult]


def test_a_result_can_be_copied_and_pickled(trace, post, servers):
    up = servers(answer(), answer(500))
    result = post([server.url for server in up] + [f"http://127.0.0.1:{refusing_port()}"])
    for again in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result)):
        assert [target.outcome for target in again.targets] == ["done", "failed", "not_sent"]
        assert again.targets[0].response.parts == result.targets[0].response.parts
        assert vars(again.targets[2].error) == vars(result.targets[2].error)
    facts = dataclasses.asdict(result)
    assert facts["trace_id"] == result.trace_id
    assert isinstance(facts["targets"][1]["response"], AdminResponse)


# Pause and resume.


class Threads:
    """A fleet on threads, and work within its pause."""

    def __init__(self, *urls: str) -> None:
        self.fleet = AdminFleet(AdminClient(url, attempts=1) for url in urls)

    def paused(self, work=lambda pause: None, *paths: str, **options) -> None:
        with self.fleet as fleet, fleet.paused(*paths, **options) as pause:
            work(pause)


class Asyncio:
    """The same on asyncio."""

    def __init__(self, *urls: str) -> None:
        self.fleet = AsyncAdminFleet(AsyncAdminClient(url, attempts=1) for url in urls)

    def paused(self, work=lambda pause: None, *paths: str, **options) -> None:
        async def main():
            async with self.fleet as fleet, fleet.paused(*paths, **options) as pause:
                work(pause)

        asyncio.run(main())


@pytest.fixture(params=[Threads, Asyncio], ids=["threads", "asyncio"])
def fleet_of(request):
    return request.param


def must_not_begin(_):
    pytest.fail("the work must not begin")


def fails(_):
    raise KeyError("work")


def test_every_server_is_paused_for_the_work_and_resumed_after_it(trace, fleet_of, servers):
    up = servers(answer(), answer(delay=0.05), answer())

    def work(pause):
        assert [target.outcome for target in pause.targets] == ["done"] * 3
        assert [server.paths() for server in up] == [["/stop?mode=keep"]] * 3

    options = {"step": 7, "trace_id": "00f067aa0ba902b7", "headers": {"x-tenant": "a"}}
    fleet_of(*(server.url for server in up)).paused(work, "/stop?mode=keep", "/go", json={}, **options)
    for server in up:
        assert server.paths() == ["/stop?mode=keep", "/go"]
        assert [request.body for request in server.requests] == [b"{}", b""]
        assert {request.headers["x-tenant"] for request in server.requests} == {"a"}
    sends = trace.named("client.send")
    assert [(line.trace_id, line["step"]) for line in sends] == [("00f067aa0ba902b7", "7")] * 6


def test_work_that_fails_is_followed_by_a_resume_of_all(trace, fleet_of, servers):
    up = servers(answer(), answer())
    with pytest.raises(KeyError) as caught:
        fleet_of(*(server.url for server in up)).paused(fails)
    assert [server.paths() for server in up] == [["/pause", "/resume"]] * 2
    assert not getattr(caught.value, "__notes__", None)


@pytest.mark.parametrize(("script", "kind"), [(answer(500), StatusError), (reset, OutcomeUnknown)])
def test_a_pause_that_fails_on_one_server_resumes_what_may_be_paused(trace, fleet_of, script, kind):
    with ScriptedServer() as good, ScriptedServer(script, answer()) as bad:
        gone = f"http://127.0.0.1:{refusing_port()}"
        with pytest.raises(kind):
            fleet_of(good.url, bad.url, gone).paused(must_not_begin)
        assert good.paths() == bad.paths() == ["/pause", "/resume"]
    sent = [line["op"] for line in trace.named("client.send") if line["target"] in gone]
    assert sent == ["pause"], "nothing can be paused there"


def test_a_resume_that_fails_is_told(trace, fleet_of):
    with ScriptedServer() as good, ScriptedServer(answer(), answer(500), answer(), reset) as bad:
        fleet = fleet_of(bad.url, good.url)
        with pytest.raises(StatusError, match="/resume"):
            fleet.paused()
        with pytest.raises(KeyError, match="work") as caught:
            fleet.paused(fails)
        assert good.paths() == bad.paths() == ["/pause", "/resume"] * 2
    note = noted(caught.value)
    assert "may still be paused" in note
    assert "OutcomeUnknown" in note
    assert bad.target in note


@pytest.mark.parametrize("bad", [{"resume": "resume"}, {"resume_timeout": 0.0}, {"resume_timeout": -1.0}])
def test_a_resume_that_cannot_be_sent_pauses_nothing(trace, fleet_of, servers, bad):
    (server,) = servers(answer())
    with pytest.raises(ConfigError):
        fleet_of(server.url).paused(must_not_begin, **bad)
    with pytest.raises(TypeError, match="tiemout"):
        fleet_of(server.url).paused(must_not_begin, tiemout=1)
    assert server.requests == []


def test_a_resume_of_all_has_a_clock(trace, fleet_of):
    with ScriptedServer(answer(), silent) as stuck, pytest.raises(OutcomeUnknown) as caught:
        fleet_of(stuck.url).paused(resume_timeout=0.2)
    assert caught.value.reason == "total_timeout"


@pytest.mark.parametrize("where", ["in the pause", "in the work"])
def test_a_task_that_is_cancelled_does_not_wait_for_the_resume(trace, where):
    answered = threading.Event()
    first = silent if where == "in the pause" else answer()

    async def main(one, other):
        async def work():
            async with AsyncAdminFleet([AsyncAdminClient(one.url), AsyncAdminClient(other.url)]).paused():
                paused.set()
                await asyncio.sleep(60)

        paused = asyncio.Event()
        task = asyncio.create_task(work())
        await until(lambda: one.requests and other.requests)
        if where == "in the work":
            await paused.wait()
        task.cancel()
        await asyncio.wait({task}, timeout=5)
        assert task.cancelled()
        await until(lambda: one.paths() == other.paths() == ["/pause", "/resume"])
        answered.set()

    with ScriptedServer(first, gated(answered)) as one, ScriptedServer(answer(), gated(answered)) as other:
        asyncio.run(main(one, other))
        trace.wait_for("client.done", 3 if where == "in the work" else 2)


def test_ctrl_c_in_the_work_resumes_all_and_ctrl_c_in_the_resume_does_not_give_it_up(trace):
    answered = threading.Event()

    def interrupt(_=None):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)

    with ScriptedServer() as server, pytest.raises(KeyboardInterrupt):
        Threads(server.url).paused(interrupt)
    assert server.paths() == ["/pause", "/resume"]
    with ScriptedServer(answer(), gated(answered)) as server:

        def interrupt_the_resume():
            server.wait_for(2)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt_the_resume)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            Threads(server.url).paused()
        thread.join()
        answered.set()
        trace.wait_for("client.done", 4)
