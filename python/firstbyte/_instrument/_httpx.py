"""httpx and httpx2: each transport of a client gets a `handle_request` of its own.

The method is put on the instance, so that the transport stays the object that it is. A request that is
no control call gets the very coroutine that the transport's own method returns. What every request passes
is Rust's: `_firstbyte.HttpxMethod` and `HttpxWatch`.
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


def instrument(client: Any) -> None:
    library = sys.modules[_library_of(client)]
    for transport in _transports(client):
        for method, kind in _METHODS.items():
            if hasattr(transport, method) and kind.of(transport, method) is None:
                kind(transport, method, library).put()


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


class _Traced(_firstbyte.HttpxMethod):
    """In the place of a transport's method: what it calls where Python does the work."""

    __slots__ = ()

    @staticmethod
    def _working_for() -> str | None:
        return current_trace_id()

    @staticmethod
    def _begin_slowly(request: Any) -> _firstbyte.ClientCall | None:
        """By what httpx documents: for other versions, and for headers that have to be replaced."""
        url = request.url
        path = url.raw_path.partition(b"?")[0].decode("ascii", "replace")
        if not _call.is_control(request.method, path):
            return None
        target = _call.target(url.scheme, url.host, url.port)
        return _call.begin(request.method, str(url), path, target, request.headers)

    @staticmethod
    def _watch_loop(watch: _firstbyte.HttpxWatch) -> _looplag.LoopLag | None:
        lag = _looplag.of_running_loop()
        if lag is not None:
            lag.loop.call_soon(watch.turned)
        return lag

    @staticmethod
    def _head(call: _firstbyte.ClientCall, response: Any) -> None:
        _call.head(call, response.status_code, response.headers)

    @staticmethod
    def _failed(call: _firstbyte.ClientCall, error: BaseException, unseen_since: int | None) -> None:
        if unseen_since is None:
            _call.fail(call, error)
        else:
            _call.fail_unseen(call, error, unseen_since)


class _TracedAsync(_Traced):
    __slots__ = ()

    def __new__(cls, transport: Any, method: str, library: Any) -> _TracedAsync:
        return super().__new__(cls, transport, method, _call.fuse, _streams(library)[1], _nothing)

    async def _traced(self, watch: _firstbyte.HttpxWatch) -> Any:
        try:
            response = await watch.send()
        except BaseException as error:
            watch.failed(error)
            raise
        watch.head(response)
        return response


class _TracedSync(_Traced):
    __slots__ = ()

    def __new__(cls, transport: Any, method: str, library: Any) -> _TracedSync:
        return super().__new__(cls, transport, method, _call.fuse, _streams(library)[0], None)

    def _traced(self, watch: _firstbyte.HttpxWatch) -> Any:
        try:
            response = watch.send()
        except BaseException as error:
            watch.failed(error)
            raise
        watch.head(response)
        return response


async def _nothing() -> None:
    """What a callback has to return to httpcore: a coroutine."""


#: The methods of sync and async transports.
_METHODS: dict[str, type[_TracedSync | _TracedAsync]] = {
    "handle_request": _TracedSync,
    "handle_async_request": _TracedAsync,
}


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
