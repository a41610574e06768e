"""The same call to many servers: a result for each, under one id, with times that no busy loop changes."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import ExitStack

import pytest
from scripted_server import ScriptedServer, answer, gated, refusing_port, reset, silent, until

import firstbyte
from firstbyte import (
    AdminClient,
    AdminFleet,
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
