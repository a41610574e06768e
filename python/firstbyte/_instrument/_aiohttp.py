"""aiohttp: a `TraceConfig` among the session's own, which it looks at for every request."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from .. import _firstbyte
from . import _call

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import SimpleNamespace


def instrument(session: Any) -> None:
    theirs = session._trace_configs
    if _ours_in(theirs) is None:
        # In a list of the session's own: theirs may be the list of other sessions too.
        session._trace_configs = [*theirs, _tracing()(theirs)]


def uninstrument(session: Any) -> None:
    configs = session._trace_configs
    ours = _ours_in(configs)
    if ours is not None:
        rest = [config for config in configs if config is not ours]
        session._trace_configs = ours.theirs if ours.theirs == rest else rest


def _ours_in(configs: list[Any]) -> Any:
    return next((config for config in configs if isinstance(config, _tracing())), None)


_kind: Any = None


def _tracing() -> Any:
    """The class, made when the first session is instrumented: aiohttp is imported by then."""
    global _kind
    if _kind is None:
        import aiohttp

        class FirstByteTraceConfig(aiohttp.TraceConfig):  # type: ignore[misc, unused-ignore]
            """Ours, to be found again among a session's own."""

            def __init__(self, theirs: list[Any]) -> None:
                super().__init__()
                self.theirs = theirs
                self.on_request_start.append(_start)
                for signal, part in [
                    (self.on_connection_queued_start, _queued),
                    (self.on_dns_resolvehost_start, _dns),
                    (self.on_dns_resolvehost_end, _resolved),
                    (self.on_connection_create_start, _connecting),
                    (self.on_connection_create_end, _connected),
                    (self.on_connection_reuseconn, _reused),
                    (self.on_request_headers_sent, _sent),
                    (self.on_request_chunk_sent, _sent),
                    (self.on_request_end, _head),
                    (self.on_request_exception, _failed),
                ]:
                    signal.append(_of_a_call(part))
                self.freeze()

        _kind = FirstByteTraceConfig
    return _kind


class _Attempt:
    """One request: its call, and moments that become phases only later."""

    __slots__ = ("call", "connecting_ns", "sent_ns")

    def __init__(self, call: _firstbyte.ClientCall) -> None:
        self.call = call
        self.connecting_ns: int | None = None
        self.sent_ns: int | None = None

    def connects(self) -> None:
        """Without a look-up, as for an address, the handshake began with the making of the connection."""
        if self.connecting_ns is not None and self.call.phase != "dns":
            self.call.enter("connect", self.connecting_ns)

    def waits(self) -> None:
        """What was sent last was all: since then it waits.

        Also if a request goes out once more, by a redirect or by a middleware of somebody: no signal tells of
        the answer to the one before. It is one call to its last hop, and what follows is one wait.
        """
        if self.sent_ns is not None:
            self.call.enter("wait", self.sent_ns)


async def _start(session: Any, context: SimpleNamespace, params: Any) -> None:
    _begin(context, params)


@_call.guarded
def _begin(context: SimpleNamespace, params: Any) -> None:
    url = params.url
    if _call.is_control(params.method, url.raw_path):
        target = _call.target(url.scheme, url.host, url.port)
        call = _call.begin(params.method, str(url), url.raw_path, target, params.headers)
        if call is not None:
            context.firstbyte = _Attempt(call)


def _of_a_call(part: Callable[[_Attempt, Any], None]) -> Any:
    """A receiver of a signal that lets everything but control calls pass."""
    part = _call.guarded(part)

    async def receive(session: Any, context: SimpleNamespace, params: Any) -> None:
        attempt = getattr(context, "firstbyte", None)
        if attempt is not None:
            part(attempt, params)

    return receive


def _queued(attempt: _Attempt, params: Any) -> None:
    attempt.waits()
    attempt.call.enter("pool")


def _dns(attempt: _Attempt, params: Any) -> None:
    attempt.call.enter("dns")


def _resolved(attempt: _Attempt, params: Any) -> None:
    attempt.call.enter("connect")


def _connecting(attempt: _Attempt, params: Any) -> None:
    attempt.waits()
    if attempt.connecting_ns is None:
        attempt.connecting_ns = _firstbyte.now_ns()


def _connected(attempt: _Attempt, params: Any) -> None:
    attempt.connects()
    attempt.call.enter("send")


def _reused(attempt: _Attempt, params: Any) -> None:
    attempt.waits()
    attempt.call.enter("send")


def _sent(attempt: _Attempt, params: Any) -> None:
    attempt.sent_ns = _firstbyte.now_ns()


def _failed(attempt: _Attempt, params: Any) -> None:
    error = params.exception
    attempt.connects()
    attempt.waits()
    if _is_of_the_status(error):
        _call.head(attempt.call, error.status, error.headers or {})
        _call.done(attempt.call, unread=True)
    else:
        _call.fail(attempt.call, error)


def _is_of_the_status(error: BaseException) -> bool:
    """What `raise_for_status` raises: the server has answered. A bad head has a cause of its own."""
    return type(error).__name__ == "ClientResponseError" and error.__cause__ is None


def _head(attempt: _Attempt, params: Any) -> None:
    attempt.waits()
    call, response = attempt.call, params.response
    _call.head(call, response.status, response.headers)
    content = response.content

    @_call.guarded
    def ended() -> None:
        if content.is_eof():
            # A body that nobody has read yet can be looked at for its rpc_ms.
            pieces = list(getattr(content, "_buffer", ()))
            if sum(map(len, pieces)) == getattr(content, "total_bytes", None):
                for piece in pieces:
                    _call.piece(call, piece)
            call.done()
        elif (error := _why(content)) is not None:
            _call.fail(call, error)
        else:
            call.done(unread=True)

    # When the last byte has arrived, whether or not somebody reads it; or else when it is given up.
    if response.connection is not None:
        response.connection.add_callback(ended)
    else:
        ended()


def _why(content: Any) -> BaseException | None:
    """The error that a body broke off with, if it did."""
    error = content.exception()
    if error is not None and type(error).__name__ != "ClientConnectionError":
        return error  # type: ignore[no-any-return]
    # What a response has whose caller closes it. He may have been interrupted.
    error = sys.exc_info()[1]
    return error if isinstance(error, (asyncio.CancelledError, asyncio.TimeoutError)) else None
