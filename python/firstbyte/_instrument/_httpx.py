"""httpx and httpx2: each transport of a client gets a `handle_request` of its own.

The method is put on the instance, so that the transport stays the object that it is. A request that is
no control call gets the very coroutine that the transport's own method returns.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from functools import cache
from typing import TYPE_CHECKING, Any

from .. import _firstbyte, _looplag
from .._rpc import current_trace_id
from . import _call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

#: What each trace event of httpcore begins; the phase before ends there.
_BEGINS = {
    "connect_tcp.started": "connect",
    "connect_unix_socket.started": "connect",
    "start_tls.started": "tls",
    "send_request_headers.started": "send",
    "receive_response_headers.started": "wait",
}


def instrument(client: Any) -> None:
    library = sys.modules[_library_of(client)]
    for transport in _transports(client):
        for method, kind in _METHODS.items():
            if hasattr(transport, method) and kind.of(transport, method) is None:
                kind(transport, method, library)


def uninstrument(client: Any) -> None:
    for transport in _transports(client):
        for method, kind in _METHODS.items():
            if traced := kind.of(transport, method):
                traced.remove()


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


class _Traced(_call.Override):
    """In the place of a transport's method."""

    __slots__ = ("_library",)

    def __init__(self, transport: Any, method: str, library: Any) -> None:
        self._library = library
        super().__init__(transport, method)

    @_call.guarded
    def _begin(self, request: Any) -> _Watch | None:
        """Follows the request, if it is a control call."""
        theirs = request.extensions.get("trace")
        if theirs is not None and isinstance(getattr(theirs, "__self__", None), _Watch):
            # By another override, which somebody has wrapped into a method of his own.
            return None
        if _call.failed_too_often():
            return None
        try:
            call = _firstbyte.httpx_begin(request, current_trace_id())
        except LookupError:
            call = _begin_slowly(request)
        if call is None:
            return None
        return _Watch(call, request, has_pool=hasattr(self._owner(), "_pool"))


class _TracedAsync(_Traced):
    __slots__ = ()

    def __call__(self, request: Any) -> Any:
        original = self.original()
        watch = self._begin(request)
        return original(request) if watch is None else self._handle(original, request, watch)

    async def _handle(self, original: Any, request: Any, watch: _Watch) -> Any:
        watch.start_async()
        try:
            response = await original(request)
        except BaseException as error:
            watch.failed(error)
            raise
        finally:
            watch.restore()
        watch.head(response, _streams(self._library)[1])
        return response


class _TracedSync(_Traced):
    __slots__ = ()

    def __call__(self, request: Any) -> Any:
        original = self.original()
        watch = self._begin(request)
        return original(request) if watch is None else self._handle(original, request, watch)

    def _handle(self, original: Any, request: Any, watch: _Watch) -> Any:
        watch.start(watch.on_event)
        try:
            response = original(request)
        except BaseException as error:
            watch.failed(error)
            raise
        finally:
            watch.restore()
        watch.head(response, _streams(self._library)[0])
        return response


def _begin_slowly(request: Any) -> _firstbyte.ClientCall | None:
    """By what httpx documents: for other versions, and for headers that have to be replaced."""
    url = request.url
    path = url.raw_path.partition(b"?")[0].decode("ascii", "replace")
    if not _call.is_control(request.method, path):
        return None
    port = url.port or {"http": 80, "https": 443}.get(url.scheme)
    return _call.begin(request.method, str(url), path, f"{url.host}:{port}", request.headers)


#: The methods of sync and async transports.
_METHODS: dict[str, type[_Traced]] = {
    "handle_request": _TracedSync,
    "handle_async_request": _TracedAsync,
}


class _Watch:
    """Follows one request by the trace events of httpcore."""

    __slots__ = (
        "_call",
        "_entered_ns",
        "_has_pool",
        "_lag",
        "_request",
        "_seen",
        "_theirs",
        "_turned",
    )

    def __init__(self, call: _firstbyte.ClientCall, request: Any, *, has_pool: bool) -> None:
        self._call = call
        self._request = request
        self._has_pool = has_pool
        self._entered_ns = _firstbyte.now_ns()
        self._seen = False
        self._theirs = request.extensions.get("trace")
        self._lag: _looplag.LoopLag | None = None
        #: Whether the event loop has turned since then; `None` without a loop.
        self._turned: bool | None = None

    @_call.guarded
    def start(self, on_event: Any) -> None:
        self._request.extensions["trace"] = on_event

    @_call.guarded
    def start_async(self) -> None:
        self._request.extensions["trace"] = self.on_event_async
        if self._has_pool and (lag := _looplag.of_running_loop()) is not None:
            self._lag, self._turned = lag, False
            lag.loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._turned = True

    @_call.guarded
    def restore(self) -> None:
        """The request may be used again, by a redirect for one: it gets its own callback back."""
        if self._theirs is None:
            self._request.extensions.pop("trace", None)
        else:
            self._request.extensions["trace"] = self._theirs

    def on_event(self, name: str, info: dict[str, Any]) -> Any:
        self._take(name, info)
        return None if self._theirs is None else self._theirs(name, info)

    async def on_event_async(self, name: str, info: dict[str, Any]) -> None:
        self._take(name, info)
        if self._theirs is not None:
            await self._theirs(name, info)

    @_call.guarded
    def _take(self, name: str, info: dict[str, Any]) -> None:
        if not self._seen:
            self._seen = True
            self._left_the_pool()
        phase = _BEGINS.get(name.partition(".")[2])
        # A proxy that is asked for a tunnel belongs to the connection.
        if phase is not None and getattr(info.get("request"), "method", None) != b"CONNECT":
            self._call.enter(phase)

    def _left_the_pool(self) -> None:
        """The pool tells nothing: what was before the first event was its wait, or the loop's.

        A loop that is late at this moment let us wait that long after there was a connection; that part
        is `setup`, what the caller's own process took.
        """
        waited = _firstbyte.now_ns() - self._entered_ns
        if self._turned is False:
            # Nobody waited for anything: it was work, such as the imports of a first request.
            late_ns = waited
        else:
            late_ns = int(self._lag.ms() * 1e6) if self._lag is not None else 0
        self._call.enter("pool", self._entered_ns + min(late_ns, waited))

    @_call.guarded
    def failed(self, error: BaseException) -> None:
        if self._seen:
            _call.fail(self._call, error)
        elif self._has_pool:
            self._left_the_pool()
            _call.fail(self._call, error)
        else:
            _call.fail_unseen(self._call, error, self._entered_ns)

    @_call.guarded
    def head(self, response: Any, stream: Any) -> None:
        if not self._seen:
            # A transport that tells nothing: all until the head is one wait.
            self._call.enter("wait", self._entered_ns)
        try:
            _firstbyte.httpx_head(self._call, response)
        except LookupError:
            _call.head(self._call, response.status_code, response.headers)
        if response.is_stream_consumed:
            # One that has read it already, as those of tests do.
            _call.piece(self._call, vars(response).get("_content", b""))
            _call.done(self._call)
        else:
            response.stream = stream(response.stream, self._call)


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
                    _call.piece(self._call, piece)
                    yield piece
            except GeneratorExit:
                raise
            except BaseException as error:
                _call.fail(self._call, error)
                raise
            _call.done(self._call)

        def close(self) -> None:
            try:
                self._stream.close()
            finally:
                _call.done(self._call, unread=True)

    class AsyncStream(library.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any, call: _firstbyte.ClientCall) -> None:
            self._stream = stream
            self._call = call

        async def __aiter__(self) -> AsyncIterator[bytes]:
            pieces = self._stream.__aiter__()
            try:
                async for piece in pieces:
                    _call.piece(self._call, piece)
                    yield piece
            except GeneratorExit:
                raise
            except BaseException as error:
                _call.fail(self._call, error)
                raise
            finally:
                # As httpx2 does it: a generator that is left to the collector is closed in another task.
                if isinstance(pieces, AsyncGenerator):
                    await pieces.aclose()
            _call.done(self._call)

        async def aclose(self) -> None:
            try:
                await self._stream.aclose()
            finally:
                _call.done(self._call, unread=True)

    return SyncStream, AsyncStream
