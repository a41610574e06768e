"""The same call to many servers at once, for threads and for asyncio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import _firstbyte, _mailbox
from ._admin import call_of
from ._response import AdminResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Self, Unpack

    from ._admin import AdminClient, AsyncAdminClient
    from ._types import CallOptions, FanOut, Outcome


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
            if target.error is not None:
                raise target.error.with_traceback(None)
            if target.response is not None:
                target.response.raise_for_status()
        return self


class _Fleet:
    """One client per server: `fleet = AsyncAdminFleet(AsyncAdminClient(url) for url in urls)`.

    A call goes to all servers at the same time, under one trace id, and ends when all have ended. It never
    raises for what one server did: that is in the result, server by server. A server that is stuck keeps it
    waiting until one of its clocks runs out; meanwhile `client.waiting` lines and `in_flight` of its client
    tell which one it is. Times are taken on the native thread: a busy loop delays neither the calls nor what
    is told of them. Each call's `client.done` is written when it ends, so `resume_ms` is unknown.

    Raises `ConfigError` if two clients have the same target: each server takes one operation at a time.
    """

    def __init__(self, clients: Iterable[AdminClient | AsyncAdminClient]) -> None:
        #: In the order of the results.
        self.clients = tuple(clients)
        self._native = _firstbyte.NativeFleet([client._native for client in self.clients])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.clients)}>"


class AdminFleet(_Fleet):
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


class AsyncAdminFleet(_Fleet):
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


def _result(fan_out: FanOut) -> FanOutResult:
    trace_id, wall_ms, targets = fan_out
    results = []
    for target, outcome, result, wall, waited in targets:
        if isinstance(result, Exception):
            results.append(TargetResult(target, outcome, None, result, wall, waited))
        else:
            results.append(TargetResult(target, outcome, AdminResponse(result), None, wall, waited))
    return FanOutResult(results, wall_ms, trace_id)
