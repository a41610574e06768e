"""requests: each adapter of a session gets a `send` of its own, and makes connections that can be watched."""

from __future__ import annotations

from contextvars import ContextVar
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from .. import _firstbyte
from . import _call

#: The call that the running code makes, for the connection.
_current: ContextVar[_firstbyte.ClientCall | None] = ContextVar("firstbyte.requests", default=None)


def instrument(session: Any) -> None:
    if not isinstance(session.send, _Send):
        session.send = _Send(session.send)
    for adapter in session.adapters.values():
        if not isinstance(adapter.send, _AdapterSend):
            adapter.send = _AdapterSend(adapter.send)
            _watch(getattr(adapter, "poolmanager", None))


def uninstrument(session: Any) -> None:
    if isinstance(session.send, _Send):
        del session.send
    for adapter in session.adapters.values():
        if isinstance(adapter.send, _AdapterSend):
            del adapter.send
            manager = getattr(adapter, "poolmanager", None)
            if hasattr(manager, "pool_classes_by_scheme"):
                # Pools that were made meanwhile look for a call, and find none.
                manager.pool_classes_by_scheme = _pool_classes()


def _watch(manager: Any) -> None:
    """Let pools that this manager makes from now on make connections of ours."""
    if manager is not None and hasattr(manager, "pool_classes_by_scheme"):
        manager.pool_classes_by_scheme = {
            scheme: _watched_pool(pool) for scheme, pool in manager.pool_classes_by_scheme.items()
        }


def _pool_classes() -> dict[str, Any]:
    from urllib3 import poolmanager

    return poolmanager.pool_classes_by_scheme


@cache
def _watched_pool(pool: Any) -> Any:
    class Connection(pool.ConnectionCls):  # type: ignore[misc]
        def connect(self) -> None:
            call = _current.get()
            if call is not None:
                call.enter("connect")
            super().connect()
            if call is not None:
                call.enter("send")

        def _new_conn(self) -> Any:
            sock = super()._new_conn()
            if (call := _current.get()) is not None and pool.scheme == "https":
                call.enter("tls")
            return sock

        def request(self, *args: Any, **kwargs: Any) -> None:
            call = _current.get()
            if call is not None and self.sock is not None:
                call.enter("send")
            super().request(*args, **kwargs)
            if call is not None:
                call.enter("wait")

    class Pool(pool):  # type: ignore[misc]
        ConnectionCls = Connection

        def _get_conn(self, *args: Any, **kwargs: Any) -> Any:
            if (call := _current.get()) is not None:
                call.enter("pool")
            return super()._get_conn(*args, **kwargs)

    return Pool


class _AdapterSend:
    """In the place of an adapter's `send`: one request, up to its response head."""

    __slots__ = ("_original",)

    def __init__(self, original: Any) -> None:
        self._original = original

    def __call__(self, request: Any, **kwargs: Any) -> Any:
        url = urlsplit(request.url)
        path = url.path or "/"
        if _firstbyte.find_route(request.method, path) is None:
            return self._original(request, **kwargs)
        port = url.port or {"http": 80, "https": 443}.get(url.scheme)
        theirs = request.headers.get("x-trace-id")
        call = _call.begin(request.method, request.url, path, f"{url.hostname}:{port}", theirs)
        if call is None:
            return self._original(request, **kwargs)
        request.headers["x-trace-id"] = call.trace_id
        request.headers.setdefault("traceparent", call.traceparent)
        entered_ns = _firstbyte.now_ns()
        token = _current.set(call)
        try:
            response = self._original(request, **kwargs)
        except BaseException as error:
            _call.fail(call, error)
            raise
        finally:
            _current.reset(token)
        if call.phase == "setup":
            # A connection from before: all until the head is one wait.
            call.enter("wait", entered_ns)
        headers = response.headers
        call.head(response.status_code, headers.get("server-timing"), headers.get("content-type"))
        response._firstbyte = _Body(call, response.raw, streamed=bool(kwargs.get("stream")))
        return response


class _Body:
    """Notes when the connection is given back: the last byte has been read then."""

    __slots__ = ("_call", "_close", "_ended_ns", "_release", "_streamed")

    def __init__(self, call: _firstbyte.ClientCall, raw: Any, *, streamed: bool) -> None:
        self._call = call
        self._streamed = streamed
        self._ended_ns: int | None = None
        self._release = getattr(raw, "release_conn", None)
        self._close = getattr(raw, "close", None)
        if self._release is not None and self._close is not None:
            raw.release_conn = self.released
            raw.close = self.closed

    def released(self) -> Any:
        if self._ended_ns is None:
            self._ended_ns = _firstbyte.now_ns()
            if self._streamed:
                self._call.done()
        return self._release() if self._release is not None else None

    def closed(self) -> Any:
        if self._streamed:
            self._call.done(unread=True)
        return self._close() if self._close is not None else None

    def read_whole(self, content: bytes) -> None:
        self._call.piece(content)
        self._call.done(at_ns=self._ended_ns)

    def failed(self, error: BaseException) -> None:
        _call.fail(self._call, error)


class _Send:
    """In the place of a session's `send`: it reads the body, which an adapter leaves to it."""

    __slots__ = ("_original",)

    def __init__(self, original: Any) -> None:
        self._original = original

    def __call__(self, request: Any, **kwargs: Any) -> Any:
        response = self._original(request, **kwargs)
        if not kwargs.get("stream"):
            for each in [*response.history, response]:
                body = vars(each).pop("_firstbyte", None)
                if body is not None:
                    body.read_whole(each.content)
        return response
