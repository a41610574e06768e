"""httpx and httpx2: each transport of a client gets a `handle_request` of its own.

The method is put on the instance, so that the transport stays the object that it is. A request that is
no control call gets the very coroutine that the transport's own method returns.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from .. import _firstbyte, _looplag
from . import _call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

#: The method of sync and async transports.
_METHODS = ("handle_request", "handle_async_request")

#: What each trace event of httpcore begins; the phase before ends there.
_BEGINS = {
    "connect_tcp.started": "connect",
    "connect_unix_socket.started": "connect",
    "start_tls.started": "tls",
    "send_request_headers.started": "send",
    "send_request_body.complete": "wait",
}


def instrument(client: Any) -> None:
    library = sys.modules[_library_of(client)]
    for transport in _transports(client):
        for method in _METHODS:
            original = getattr(transport, method, None)
            if original is None or isinstance(original, _Traced):
                continue
            kind = _TracedAsync if method == "handle_async_request" else _TracedSync
            setattr(transport, method, kind(original, library))


def uninstrument(client: Any) -> None:
    for transport in _transports(client):
        for method in _METHODS:
            if isinstance(vars(transport).get(method), _Traced):
                delattr(transport, method)


def _transports(client: Any) -> list[Any]:
    transports = [client._transport, *client._mounts.values()]
    return [transport for transport in transports if transport is not None]


def _library_of(client: Any) -> str:
    """`httpx` or `httpx2`: whose stream classes the client expects. httpx2 may go by both names."""
    for kind in type(client).__mro__:
        root = kind.__module__.partition(".")[0]
        if root in ("httpx", "httpx2"):
            return root
    return "httpx"


class _Traced:
    """In the place of a transport's method."""

    __slots__ = ("_library", "_original")

    def __init__(self, original: Any, library: Any) -> None:
        self._original = original
        self._library = library

    def _begin(self, request: Any) -> _firstbyte.ClientCall | None:
        """The call of a control request, with its headers on the request."""
        url = request.url
        path = url.raw_path.partition(b"?")[0].decode("ascii", "replace")
        if _firstbyte.find_route(request.method, path) is None:
            return None
        port = url.port or {"http": 80, "https": 443}.get(url.scheme)
        target = f"{url.host}:{port}"
        headers = request.headers
        theirs = headers.get("x-trace-id")
        call = _call.begin(request.method, str(url), path, target, theirs)
        if call is not None:
            headers["x-trace-id"] = call.trace_id
            if "traceparent" not in headers:
                headers["traceparent"] = call.traceparent
        return call


class _TracedAsync(_Traced):
    __slots__ = ()

    def __call__(self, request: Any) -> Any:
        call = self._begin(request)
        return self._original(request) if call is None else self._handle(request, call)

    async def _handle(self, request: Any, call: _firstbyte.ClientCall) -> Any:
        watch = _Watch(call, request)
        watch.lag = _looplag.of_running_loop()
        request.extensions["trace"] = watch.on_event_async
        try:
            response = await self._original(request)
        except BaseException as error:
            _call.fail(call, error)
            raise
        finally:
            watch.restore()
        watch.head(response)
        response.stream = _streams(self._library)[1](response.stream, call)
        return response


class _TracedSync(_Traced):
    __slots__ = ()

    def __call__(self, request: Any) -> Any:
        call = self._begin(request)
        return self._original(request) if call is None else self._handle(request, call)

    def _handle(self, request: Any, call: _firstbyte.ClientCall) -> Any:
        watch = _Watch(call, request)
        request.extensions["trace"] = watch.on_event
        try:
            response = self._original(request)
        except BaseException as error:
            _call.fail(call, error)
            raise
        finally:
            watch.restore()
        watch.head(response)
        response.stream = _streams(self._library)[0](response.stream, call)
        return response


class _Watch:
    """Follows one request by the trace events of httpcore."""

    __slots__ = ("_call", "_entered_ns", "_request", "_seen", "_theirs", "lag")

    def __init__(self, call: _firstbyte.ClientCall, request: Any) -> None:
        self._call = call
        self._request = request
        self._entered_ns = _firstbyte.now_ns()
        self._seen = False
        self._theirs = request.extensions.get("trace")
        self.lag: _looplag.LoopLag | None = None

    def on_event(self, name: str, info: dict[str, Any]) -> None:
        self._take(name)
        if self._theirs is not None:
            self._theirs(name, info)

    async def on_event_async(self, name: str, info: dict[str, Any]) -> None:
        self._take(name)
        if self._theirs is not None:
            await self._theirs(name, info)

    def _take(self, name: str) -> None:
        if not self._seen:
            self._seen = True
            self._left_the_pool()
        phase = _BEGINS.get(name.partition(".")[2])
        if phase is not None:
            self._call.enter(phase)

    def _left_the_pool(self) -> None:
        """The pool tells nothing: what was before the first event was its wait, or the loop's.

        A loop that is late at this moment let us wait that long after there was a connection; that part
        is `setup`, what the caller's own process took.
        """
        late_ns = int(self.lag.ms() * 1e6) if self.lag is not None else 0
        waited = _firstbyte.now_ns() - self._entered_ns
        self._call.enter("pool", self._entered_ns + min(late_ns, waited))

    def head(self, response: Any) -> None:
        if not self._seen:
            # A transport that tells nothing: all until the head is one wait.
            self._call.enter("wait", self._entered_ns)
        headers = response.headers
        self._call.head(response.status_code, headers.get("server-timing"), headers.get("content-type"))

    def restore(self) -> None:
        """The request may be used again, by a redirect for one: it gets its own callback back."""
        if self._theirs is None:
            self._request.extensions.pop("trace", None)
        else:
            self._request.extensions["trace"] = self._theirs


@cache
def _streams(library: Any) -> tuple[Any, Any]:
    """Body streams of the classes that this library's clients insist on."""

    class SyncStream(library.SyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any, call: _firstbyte.ClientCall) -> None:
            self._stream = stream
            self._call = call

        def __iter__(self) -> Iterator[bytes]:
            try:
                for piece in self._stream:
                    self._call.piece(piece)
                    yield piece
            except BaseException as error:
                if not isinstance(error, GeneratorExit):
                    _call.fail(self._call, error)
                raise
            self._call.done()

        def close(self) -> None:
            self._stream.close()
            self._call.done(unread=True)

    class AsyncStream(library.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any, call: _firstbyte.ClientCall) -> None:
            self._stream = stream
            self._call = call

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                async for piece in self._stream:
                    self._call.piece(piece)
                    yield piece
            except BaseException as error:
                if not isinstance(error, GeneratorExit):
                    _call.fail(self._call, error)
                raise
            self._call.done()

        async def aclose(self) -> None:
            await self._stream.aclose()
            self._call.done(unread=True)

    return SyncStream, AsyncStream
