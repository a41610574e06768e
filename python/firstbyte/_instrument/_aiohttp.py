"""aiohttp: a `TraceConfig` among the session's own, which it looks at for every request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import _firstbyte
from . import _call

if TYPE_CHECKING:
    from types import SimpleNamespace


def instrument(session: Any) -> None:
    configs = _configs(session)
    if not any(isinstance(config, _tracing()) for config in configs):
        config = _tracing()()
        config.freeze()
        configs.append(config)


def uninstrument(session: Any) -> None:
    configs = _configs(session)
    configs[:] = [config for config in configs if not isinstance(config, _tracing())]


def _configs(session: Any) -> list[Any]:
    # A list that the session reads at every request.
    configs: list[Any] = session._trace_configs
    return configs


_kind: Any = None


def _tracing() -> Any:
    """The class, made when the first session is instrumented: aiohttp is imported by then."""
    global _kind
    if _kind is None:
        import aiohttp

        class FirstByteTraceConfig(aiohttp.TraceConfig):
            """Ours, to be found again among a session's own."""

            def __init__(self) -> None:
                super().__init__()
                self.on_request_start.append(_start)
                self.on_connection_queued_start.append(_queued)
                self.on_dns_resolvehost_start.append(_dns)
                self.on_dns_resolvehost_end.append(_resolved)
                self.on_connection_create_start.append(_connecting)
                self.on_connection_create_end.append(_connected)
                self.on_connection_reuseconn.append(_reused)
                self.on_request_headers_sent.append(_sent)
                self.on_request_chunk_sent.append(_sent)
                self.on_request_end.append(_head)
                self.on_request_exception.append(_failed)

        _kind = FirstByteTraceConfig
    return _kind


class _Attempt:
    """One request: its call, and moments that become phases only later."""

    __slots__ = ("call", "connecting_ns", "sent_ns")

    def __init__(self, call: _firstbyte.ClientCall) -> None:
        self.call = call
        self.connecting_ns: int | None = None
        self.sent_ns: int | None = None

    def waits(self) -> None:
        """What was sent last was all: since then it waits."""
        if self.sent_ns is not None:
            self.call.enter("wait", self.sent_ns)


def _of(context: SimpleNamespace) -> _Attempt | None:
    return getattr(context, "firstbyte", None)


async def _start(session: Any, context: SimpleNamespace, params: Any) -> None:
    url = params.url
    if _firstbyte.find_route(params.method, url.raw_path) is None:
        return
    headers = params.headers
    theirs = headers.get("x-trace-id")
    target = f"{url.host}:{url.port}"
    call = _call.begin(params.method, str(url), url.raw_path, target, theirs)
    if call is not None:
        headers["x-trace-id"] = call.trace_id
        headers.setdefault("traceparent", call.traceparent)
        context.firstbyte = _Attempt(call)


async def _queued(session: Any, context: SimpleNamespace, params: Any) -> None:
    if attempt := _of(context):
        attempt.call.enter("pool")


async def _dns(session: Any, context: SimpleNamespace, params: Any) -> None:
    if attempt := _of(context):
        attempt.call.enter("dns")


async def _resolved(session: Any, context: SimpleNamespace, params: Any) -> None:
    if attempt := _of(context):
        attempt.call.enter("connect")


async def _connecting(session: Any, context: SimpleNamespace, params: Any) -> None:
    if attempt := _of(context):
        attempt.connecting_ns = _firstbyte.now_ns()


async def _connected(session: Any, context: SimpleNamespace, params: Any) -> None:
    if attempt := _of(context):
        # Without a look-up, as for an address, the handshake began with the making of the connection.
        attempt.call.enter("connect", attempt.connecting_ns)
        attempt.call.enter("send")


async def _reused(session: Any, context: SimpleNamespace, params: Any) -> None:
    if attempt := _of(context):
        attempt.call.enter("send")


async def _sent(session: Any, context: SimpleNamespace, params: Any) -> None:
    if attempt := _of(context):
        attempt.sent_ns = _firstbyte.now_ns()


async def _failed(session: Any, context: SimpleNamespace, params: Any) -> None:
    if attempt := _of(context):
        attempt.waits()
        _call.fail(attempt.call, params.exception)


async def _head(session: Any, context: SimpleNamespace, params: Any) -> None:
    attempt = _of(context)
    if attempt is None:
        return
    attempt.waits()
    response, call = params.response, attempt.call
    call.head(
        response.status,
        response.headers.get("server-timing"),
        response.headers.get("content-type"),
    )
    content = response.content

    def ended() -> None:
        # A body that nobody has read yet can be looked at for its rpc_ms.
        pieces = list(getattr(content, "_buffer", ()))
        if sum(map(len, pieces)) == getattr(content, "total_bytes", None):
            for piece in pieces:
                call.piece(bytes(piece))
        call.done()

    # Called when the last byte has arrived, whether or not somebody reads it.
    content.on_eof(ended)
