"""The same call to many servers at once, for threads and for asyncio."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import _firstbyte, _mailbox
from ._admin import (
    RESUME_WITHIN,
    AdminClient,
    AsyncAdminClient,
    call_of,
    may_be_paused,
    note,
    pause_and_resume,
)
from ._context import AsyncClosable, Closable
from ._errors import ConfigError
from ._response import AdminResponse
from ._types import Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from typing_extensions import Self, Unpack

    from ._types import CallOptions, FanOut, NativeCall


@dataclass(frozen=True)
class TargetResult:
    """What became of the call on one server. Times are in milliseconds."""

    target: str
    """Host and port of the server, and the path of the base URL if it has one."""
    outcome: Outcome
    """`done`: answered with 2xx. `failed`: answered otherwise, or with a body that is too large. `unknown`:
    request bytes were accepted and no whole answer came back. `not_sent`: no request byte was accepted."""
    response: AdminResponse | None
    """The response, whatever its status."""
    error: Exception | None
    """What `request` of a client would raise, if there is no response."""
    wall_ms: float
    """From the start of the fan-out to the end of this call, all attempts included."""
    waited_ms: float
    """From the end of this call to the end of the slowest one: how long this server waited for the others, if
    nothing may go on before all are done."""

    def raise_for_outcome(self) -> Self:
        """The result itself, if it is `done`. Raises what `request` or `raise_for_status` would, else."""
        if self.error is not None:
            raise self.error.with_traceback(None)
        if self.response is not None:
            self.response.raise_for_status()
        return self


@dataclass(frozen=True)
class FanOutResult:
    """What became of the call on all servers."""

    targets: list[TargetResult]
    """One for each server, in the order of the fleet."""
    wall_ms: float
    """From the start of the fan-out to the end of the last call."""
    trace_id: str
    """The id that all calls share."""

    @property
    def slowest(self) -> TargetResult | None:
        """The server that the others waited for; `None` for an empty fleet."""
        # The last of equal ones, as in Rust.
        return max(reversed(self.targets), key=lambda target: target.wall_ms, default=None)

    def of(self, outcome: Outcome) -> list[TargetResult]:
        """The servers that ended so."""
        return [target for target in self.targets if target.outcome == outcome]

    def raise_for_outcome(self) -> Self:
        """The result itself, if every server is `done`. Raises the error of the first that is not, else."""
        for target in self.targets:
            target.raise_for_outcome()
        return self


class _Fleet:
    """One client per server: `fleet = AsyncAdminFleet(AsyncAdminClient(url) for url in urls)`.

    A call goes to all servers at the same time, under one trace id, and ends when all have ended. It never
    raises for what one server did: that is in the result, server by server. A server that is stuck keeps it
    waiting until one of its clocks runs out; meanwhile `client.waiting` lines and `in_flight` of its client
    tell which one it is. Times are taken on the native thread: a busy loop delays neither the calls nor what
    is told of them. Each call's `client.done` is written when it ends, so `resume_ms` is unknown.

    Raises `ConfigError` for what is no client, and if two clients have the same target: each server takes one
    operation at a time.
    """

    def __init__(self, clients: Iterable[AdminClient | AsyncAdminClient]) -> None:
        #: In the order of the results.
        self.clients = _checked(clients)
        self._native = _native(self.clients)

    def _may_be_paused(self, pause: FanOutResult) -> _firstbyte.NativeFleet:
        """The servers that are paused, or may be, after this."""
        pairs = zip(self.clients, pause.targets, strict=True)
        return _native(client for client, target in pairs if target.outcome != "not_sent")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.clients)}>"


class AdminFleet(_Fleet, Closable):
    __doc__ = _Fleet.__doc__

    def request(self, method: str, path: str, **options: Unpack[CallOptions]) -> FanOutResult:
        """As `AdminClient.request`, on every server. Raises `ConfigError` for arguments that cannot work."""
        return _result(self._native.call(call_of(method, path, options)))

    def get(self, path: str, **options: Unpack[CallOptions]) -> FanOutResult:
        """`request("GET", path, ...)`."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Unpack[CallOptions]) -> FanOutResult:
        """`request("POST", path, ...)`."""
        return self.request("POST", path, **options)

    @contextmanager
    def paused(
        self,
        pause: str = "/pause",
        resume: str = "/resume",
        *,
        resume_timeout: float = RESUME_WITHIN,
        **options: Unpack[CallOptions],
    ) -> Iterator[FanOutResult]:
        """Pause every server, do the work, resume every server whatever became of the work.

        As `AdminClient.paused`. The work begins once all servers are paused. If one is not, its error is
        raised after those have been resumed that are paused, or may be. The first error of the resume is
        raised unless there is an earlier error, which then gets a note of each.
        """
        first, last = pause_and_resume(self.clients, pause, resume, resume_timeout, options)
        try:
            result = _result(self._native.call(first))
        except BaseException as error:
            if may_be_paused(error):
                self._try_resume(self._native, last, error)
            raise
        try:
            yield result.raise_for_outcome()
        except BaseException as error:
            self._try_resume(self._may_be_paused(result), last, error)
            raise
        _result(self._native.call(last)).raise_for_outcome()

    def _try_resume(self, servers: _firstbyte.NativeFleet, call: NativeCall, error: BaseException) -> None:
        """After an error, which is the one to tell, with those of the resume noted on it."""
        try:
            _note_failures(error, servers.call(call))
        except Exception as failure:
            note(error, failure)


class AsyncAdminFleet(_Fleet, AsyncClosable):
    __doc__ = _Fleet.__doc__

    async def request(self, method: str, path: str, **options: Unpack[CallOptions]) -> FanOutResult:
        """As `AdminFleet.request`.

        Cancelling it gives up all calls that have not ended, and loses the results of those that have: the
        log has them, and `unknown` of each client says whether its call may have happened.
        """
        return _result(await _mailbox.call(self._native, call_of(method, path, options)))

    async def get(self, path: str, **options: Unpack[CallOptions]) -> FanOutResult:
        """`request("GET", path, ...)`."""
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Unpack[CallOptions]) -> FanOutResult:
        """`request("POST", path, ...)`."""
        return await self.request("POST", path, **options)

    @asynccontextmanager
    async def paused(
        self,
        pause: str = "/pause",
        resume: str = "/resume",
        *,
        resume_timeout: float = RESUME_WITHIN,
        **options: Unpack[CallOptions],
    ) -> AsyncIterator[FanOutResult]:
        """As `AdminFleet.paused`; cancelling does not give up the resume either."""
        first, last = pause_and_resume(self.clients, pause, resume, resume_timeout, options)
        try:
            result = _result(await _mailbox.call(self._native, first))
        except BaseException as error:
            if may_be_paused(error):
                await self._try_resume(self._native, last, error)
            raise
        try:
            yield result.raise_for_outcome()
        except BaseException as error:
            await self._try_resume(self._may_be_paused(result), last, error)
            raise
        _result(await _mailbox.call(self._native, last)).raise_for_outcome()

    async def _try_resume(
        self, servers: _firstbyte.NativeFleet, call: NativeCall, error: BaseException
    ) -> None:
        """After an error, which is the one to tell, with those of the resume noted on it."""
        try:
            if isinstance(error, Exception):
                _note_failures(error, await _mailbox.call(servers, call))
            else:
                # Whoever was cancelled must not be kept waiting: the native thread does it alone.
                servers.detach(call)
        except Exception as failure:
            note(error, failure)


def _native(clients: Iterable[AdminClient | AsyncAdminClient]) -> _firstbyte.NativeFleet:
    return _firstbyte.NativeFleet([client._native for client in clients])


def _checked(clients: Iterable[object]) -> tuple[AdminClient | AsyncAdminClient, ...]:
    if not isinstance(clients, Iterable):
        raise ConfigError(f"a fleet is made of several clients, not of {clients!r}")
    found = []
    for client in clients:
        if not isinstance(client, (AdminClient, AsyncAdminClient)):
            kind = type(client).__name__
            raise ConfigError(f"a fleet is made of clients, such as AdminClient(url), not of {kind}")
        found.append(client)
    return tuple(found)


def _note_failures(error: BaseException, resume: FanOut) -> None:
    for target in _result(resume).targets:
        try:
            target.raise_for_outcome()
        except Exception as failure:
            note(error, failure)


def _result(fan_out: FanOut) -> FanOutResult:
    trace_id, wall_ms, targets = fan_out
    results = []
    for target, outcome, result, wall, waited in targets:
        if isinstance(result, Exception):
            results.append(TargetResult(target, outcome, None, result, wall, waited))
        else:
            results.append(TargetResult(target, outcome, AdminResponse(result), None, wall, waited))
    return FanOutResult(results, wall_ms, trace_id)
