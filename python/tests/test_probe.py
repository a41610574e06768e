"""A call whose outcome is unknown asks its probe: it happened, it did not, or nobody can tell."""

from __future__ import annotations

import asyncio
import copy

import pytest
from scripted_server import ScriptedServer, answer, reset, until

from firstbyte import AdminClient, AsyncAdminClient, ConfigError, OutcomeUnknown, OverlapError


class Threads:
    """Calls of the blocking client."""

    def __init__(self, url: str) -> None:
        self.client = AdminClient(url)

    def post(self, probe, **options):
        return self.client.post("/update_weights", probe=probe, **options)


class Asyncio:
    """The same of the client for asyncio, whose probes are awaited."""

    def __init__(self, url: str) -> None:
        self.client = AsyncAdminClient(url)

    def post(self, probe, **options):
        async def awaited(client):
            found = probe(client)
            return await found if asyncio.iscoroutine(found) else found

        return asyncio.run(self.client.post("/update_weights", probe=awaited, **options))


@pytest.fixture(params=[Threads, Asyncio])
def caller(request):
    return request.param


def test_what_happened_is_not_sent_again(trace, caller):
    with ScriptedServer(reset, default=answer(rpc_ms=3)) as server:
        call = caller(server.url)
        response = call.post(lambda client: client.get("/version"))
        assert (response.status, response.attempts, response.json()["rpc_ms"]) == (200, 1, 3)
        assert server.paths() == ["/update_weights", "/version"]
        # Its outcome is known now.
        assert call.client.unknown is None


def test_what_did_not_happen_is_sent_again(trace, caller):
    with ScriptedServer(reset, answer()) as server:
        response = caller(server.url).post(lambda _: False, trace_id="00f067aa0ba902b7")
        assert (response.status, response.attempts) == (200, 2)
        assert server.posts == 2
    attempts = [(line.trace_id, line["attempt"]) for line in trace.named("client.send")]
    assert attempts == [("00f067aa0ba902b7", "1"), ("00f067aa0ba902b7", "2")]


def test_every_attempt_that_is_lost_asks(trace, caller):
    asked = []
    with ScriptedServer(default=reset) as server:
        with pytest.raises(OutcomeUnknown):
            caller(server.url).post(lambda client: bool(asked.append(client)))
        assert server.posts == len(asked) == 3


def test_what_nobody_can_tell_stays_unknown(trace, caller):
    with ScriptedServer(default=reset) as server:
        call = caller(server.url)
        with pytest.raises(OutcomeUnknown) as caught:
            call.post(lambda _: None)
        assert caught.value.__cause__ is None
        assert call.client.unknown == caught.value.trace_id
        assert server.posts == 1


def raises(_):
    raise ValueError("no version in the answer")


@pytest.mark.parametrize(
    ("probe", "cause"),
    [
        (raises, ValueError),
        (lambda _: True, TypeError),
        (lambda _: "yes", TypeError),
        # An operation cannot begin while the outcome of another one is unknown.
        (lambda client: client.post("/pause"), OverlapError),
    ],
)
def test_a_probe_that_fails_cannot_tell_and_is_the_cause(trace, caller, probe, cause):
    with ScriptedServer(default=reset) as server:
        call = caller(server.url)
        with pytest.raises(OutcomeUnknown) as caught:
            call.post(probe)
        assert isinstance(caught.value.__cause__, cause)
        assert call.client.unknown
        assert server.posts == 1


def test_a_copy_of_a_response_shows_nothing(trace):
    with ScriptedServer(reset, default=answer()) as server, pytest.raises(OutcomeUnknown) as caught:
        AdminClient(server.url).post("/pause", probe=lambda client: copy.copy(client.get("/version")))
    assert isinstance(caught.value.__cause__, TypeError)


def test_a_known_outcome_is_not_asked_for(trace, caller):
    with ScriptedServer(answer(500)) as server:
        assert caller(server.url).post(raises).status == 500


def test_a_class_beside_a_probe_is_refused(trace, caller):
    with ScriptedServer() as server:
        with pytest.raises(ConfigError, match="leave it out"):
            caller(server.url).post(raises, operation_class="idempotent")
        assert server.requests == []


def test_ctrl_c_in_a_probe_gives_the_call_up(trace):
    def interrupted(_):
        raise KeyboardInterrupt

    with ScriptedServer(default=reset) as server:
        client = AdminClient(server.url)
        with pytest.raises(KeyboardInterrupt):
            client.post("/update_weights", probe=interrupted)
        assert server.posts == 1


def test_a_call_that_is_cancelled_while_its_probe_waits_ends(trace):
    async def main():
        waiting = asyncio.Event()

        async def probe(_):
            waiting.set()
            await asyncio.Event().wait()

        with ScriptedServer(default=reset) as server:
            client = AsyncAdminClient(server.url)
            call = asyncio.create_task(client.post("/update_weights", probe=probe))
            await waiting.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            # Given up on the native thread, too: what became of it is still unknown.
            await until(lambda: client.unknown)
            assert server.posts == 1

    asyncio.run(main())
