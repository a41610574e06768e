"""requests: each adapter of a session gets a `send` of its own, and makes connections that can be watched.

Connections that an adapter made before, and those to a proxy, are left alone: a call on one of them is a
single wait.
"""

from __future__ import annotations

import weakref
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .. import _firstbyte
from . import _call

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The call that the running code makes, for the connection.
_current: ContextVar[_firstbyte.ClientCall | None] = ContextVar("firstbyte.requests", default=None)
#: Bodies that the running `Session.send` leaves to its adapter to open, and then reads itself.
_opened: ContextVar[list[tuple[_Body, Any]] | None] = ContextVar("firstbyte.bodies", default=None)


def instrument(session: Any) -> None:
    if _Send.of(session, "send") is None:
        _Send(session, "send").put()
    for adapter in session.adapters.values():
        if _AdapterSend.of(adapter, "send") is None:
            _AdapterSend(adapter, "send").put()


def uninstrument(session: Any) -> None:
    if send := _Send.of(session, "send"):
        send.remove()
    for adapter in session.adapters.values():
        if adapter_send := _AdapterSend.of(adapter, "send"):
            adapter_send.remove()


@cache
def _watched_pool(pool: Any) -> Any:
    """The same kind of pool, with connections that tell what they do. Names are in messages: they stay."""

    class Connection(pool.ConnectionCls):  # type: ignore[misc]
        def connect(self) -> None:
            _enter("connect")
            super().connect()
            _enter("send")

        def _new_conn(self) -> Any:
            sock = super()._new_conn()
            if pool.scheme == "https":
                _enter("tls")
            return sock

        def request(self, *args: Any, **kwargs: Any) -> None:
            if self.sock is not None:
                _enter("send")
            super().request(*args, **kwargs)
            _enter("wait")

    class Pool(pool):  # type: ignore[misc]
        ConnectionCls = Connection

        def _get_conn(self, *args: Any, **kwargs: Any) -> Any:
            _enter("pool")
            return super()._get_conn(*args, **kwargs)

    for ours, theirs in [(Connection, pool.ConnectionCls), (Pool, pool)]:
        ours.__name__, ours.__qualname__, ours.__module__ = (
            theirs.__name__,
            theirs.__qualname__,
            theirs.__module__,
        )
    return Pool


@_call.guarded
def _enter(phase: str) -> None:
    call = _current.get()
    if call is not None:
        call.enter(phase)


class _AdapterSend(_firstbyte.Replaced):
    """In the place of an adapter's `send`: one request, up to its response head."""

    __slots__ = ("_classes", "_manager")

    def __init__(self, adapter: Any, name: str) -> None:
        self._manager: Any = vars(adapter).get("poolmanager")
        #: What the manager makes pools of; those that it makes from now on are watched.
        self._classes = getattr(self._manager, "pool_classes_by_scheme", None)
        if self._classes is not None:
            self._manager.pool_classes_by_scheme = {
                scheme: _watched_pool(pool) for scheme, pool in self._classes.items()
            }

    def remove(self) -> None:
        super().remove()
        if self._classes is not None:
            # Pools that were made meanwhile look for a call, and find none.
            self._manager.pool_classes_by_scheme = self._classes

    def __call__(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        original = self.original()
        call = self._begin(request)
        if call is None:
            return original(request, *args, **kwargs)
        entered_ns = _firstbyte.now_ns()
        token = _current.set(call)
        try:
            response = original(request, *args, **kwargs)
        except BaseException as error:
            self._failed(call, error, entered_ns)
            raise
        finally:
            _current.reset(token)
        self._head(call, response, entered_ns, streamed=(args or (kwargs.get("stream"),))[0])
        return response

    @_call.guarded
    def _begin(self, request: Any) -> _firstbyte.ClientCall | None:
        url = urlsplit(request.url)
        path = url.path or "/"
        if not _call.is_control(request.method, path):
            return None
        outer = _current.get()
        if outer is not None and request.headers.get("x-trace-id") == outer.trace_id:
            # Another override has it, which somebody has wrapped into a method of his own.
            return None
        target = _call.target(url.scheme, url.hostname, url.port)
        return _call.begin(request.method, request.url, path, target, request.headers)

    @_call.guarded
    def _failed(self, call: _firstbyte.ClientCall, error: BaseException, entered_ns: int) -> None:
        if call.phase == "setup":
            _call.fail_unseen(call, error, entered_ns)
        else:
            _call.fail(call, error)

    @_call.guarded
    def _head(
        self,
        call: _firstbyte.ClientCall,
        response: Any,
        entered_ns: int,
        *,
        streamed: bool,
    ) -> None:
        if call.phase == "setup":
            # A connection that is not watched: all until the head is one wait.
            call.enter("wait", entered_ns)
        _call.head(call, response.status_code, response.headers)
        opened = _opened.get()
        body = _Body(call, response.raw, is_left=streamed or opened is None)
        if opened is not None:
            opened.append((body, response))


class _Body:
    """Follows a body to its end, by what urllib3 does with its connection then.

    A body that is left to the caller ends there. One that `Session.send` reads ends with it, as what it
    read is to be looked at for rpc_ms.
    """

    __slots__ = ("_call", "_ended_ns", "_is_left", "_looks_for_chunk", "_raw")

    def __init__(self, call: _firstbyte.ClientCall, raw: Any, *, is_left: bool) -> None:
        self._call = call
        self._is_left = is_left
        self._ended_ns: int | None = None
        self._looks_for_chunk = False
        if not hasattr(raw, "_error_catcher"):
            # Not of urllib3: nobody will tell of its end.
            self._end(unread=is_left)
            return
        # No cycle: a response that is dropped gives its connection back at once.
        self._raw: Any = weakref.ref(raw)
        raw.release_conn = self.release_conn
        raw.close = self.close
        raw._error_catcher = self._error_catcher
        raw._update_chunk_length = self._update_chunk_length
        if raw.length_remaining == 0:
            self._end()

    def release_conn(self) -> Any:
        self._end()
        raw = self._raw()
        return None if raw is None else type(raw).release_conn(raw)

    def close(self) -> Any:
        if not self._looks_for_chunk:
            self._end(unread=True)
        raw = self._raw()
        return None if raw is None else type(raw).close(raw)

    def _update_chunk_length(self) -> None:
        """Where no chunk begins urllib3 closes the body, and only then raises why."""
        raw = self._raw()
        self._looks_for_chunk = True
        type(raw)._update_chunk_length(raw)
        self._looks_for_chunk = False

    @contextmanager
    def _error_catcher(self) -> Iterator[None]:
        raw = self._raw()
        with type(raw)._error_catcher(raw):
            try:
                yield
            except GeneratorExit:
                self._end(unread=True)
                raise
            except BaseException as error:
                _call.fail(self._call, error)
                raise

    @_call.guarded
    def _end(self, *, unread: bool = False) -> None:
        if self._ended_ns is None:
            self._ended_ns = _firstbyte.now_ns()
        if self._is_left or unread:
            self._call.done(unread=unread, at_ns=self._ended_ns)

    @_call.guarded
    def settle(self, response: Any) -> None:
        """What has been read by now is all."""
        content = vars(response).get("_content")
        if isinstance(content, bytes):
            self._is_left = True
            _call.piece(self._call, content)
            self._end()

    @_call.guarded
    def leave(self) -> None:
        """From now on it is the caller's."""
        self._is_left = True
        if self._ended_ns is not None:
            self._end()


class _Send(_firstbyte.Replaced):
    """In the place of a session's `send`: it reads the body, which an adapter leaves to it."""

    __slots__ = ("_session",)

    def __init__(self, session: Any, name: str) -> None:
        # In `Session().send(request)` nothing else has the session.
        self._session = session

    def __call__(self, request: Any, **kwargs: Any) -> Any:
        # A redirect has been read before the session sends its next hop.
        for body, response in _opened.get() or ():
            body.settle(response)
        opened: list[tuple[_Body, Any]] = []
        token = _opened.set(opened)
        try:
            return self.original()(request, **kwargs)
        finally:
            _opened.reset(token)
            for body, response in opened:
                body.settle(response)
                body.leave()
