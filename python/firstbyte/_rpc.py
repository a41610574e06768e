"""The engine's work, timed from inside a handler, and the id of the call that code works for."""

from __future__ import annotations

import asyncio
import inspect
import re
from contextlib import suppress
from contextvars import ContextVar, Token
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from . import _firstbyte
from ._context import AsyncToo
from ._errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

_F = TypeVar("_F", bound="Callable[..., Any]")

#: An id, as it stands in headers and lines.
TRACE_ID = re.compile(r"(?!0{16})[0-9a-fA-F]{16}")

#: The control call that the running code serves.
current_call: ContextVar[_firstbyte.ServerCall | None] = ContextVar("firstbyte.call", default=None)
#: The id that the running code works for where there is no such call.
current_id: ContextVar[str | None] = ContextVar("firstbyte.trace_id", default=None)


def current_trace_id() -> str | None:
    """The id of the control call that the running code serves, or that `trace` gave it."""
    call = current_call.get()
    return call.trace_id if call is not None else current_id.get()


class trace(AsyncToo):  # noqa: N801 - used like a function
    """Give everything within one trace id: calls of instrumented and native clients, and timers.

    A new id each time unless one is given; anything but 16 hexadecimal digits is a `ConfigError`. For the
    calls of one logical update:

        with firstbyte.trace() as trace_id:
            client.post("/pause"); client.post("/update_weights"); client.post("/resume")

    Also `async with`, and a decorator of functions and coroutine functions. Tasks and threads that run at the
    same time need an object each.
    """

    __slots__ = ("_given", "_tokens")

    def __init__(self, trace_id: str | None = None) -> None:
        if trace_id is not None and not (isinstance(trace_id, str) and TRACE_ID.fullmatch(trace_id)):
            raise ConfigError(
                f"trace_id {trace_id!r}: 16 hexadecimal digits are needed, and not all of them 0"
            )
        self._given = trace_id
        #: One for each time that it was entered and not left yet.
        self._tokens: list[Token[str | None]] = []

    def __enter__(self) -> str:
        trace_id = self._given or _firstbyte.new_trace_id()
        self._tokens.append(current_id.set(trace_id))
        return trace_id

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        token = self._tokens.pop()
        # Of one object in two tasks at once it may be the other's: what is within must not fail of that.
        with suppress(ValueError):
            current_id.reset(token)

    def __call__(self, function: _F) -> _F:
        return _within(lambda: trace(self._given), function)


class rpc(AsyncToo):  # noqa: N801 - used like a function
    """Time the engine's work: `rpc.start` when it begins, `rpc.done` when it ends, however it ends.

        async with firstbyte.rpc("update_weights") as r:
            await engine.update_weights()
        return {"status": "ok", "rpc_ms": r.rpc_ms}

    Also a plain `with`, and a decorator of functions and coroutine functions (of a generator function it
    times only the making of the generator). `Server-Timing` names the time in which at least one of a call's
    timers ran as `rpc`. The class of an exception becomes `error=`; the exception goes on. `call_id`, if it
    is set before the end, is the engine's own id of the call, which its line `[engine] call.done` has too:
    see `engine_call`.
    """

    __slots__ = ("_operation", "_timers", "call_id", "rpc_ms")

    def __init__(self, operation: str) -> None:
        if not isinstance(operation, str):
            raise TypeError(f"rpc() takes the name of an operation, not {operation!r}")
        self._operation = operation.encode(errors="replace").decode()
        #: One for each time that it was entered and not left yet.
        self._timers: list[_firstbyte.RpcTimer] = []
        #: Milliseconds from start to end, once it has ended.
        self.rpc_ms: float | None = None
        #: The engine's own id of the call.
        self.call_id: str | None = None

    def __enter__(self) -> Self:
        self._timers.append(_firstbyte.RpcTimer(self._operation, current_call.get(), current_id.get()))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._timers:
            self.rpc_ms = self._timers.pop().done(error_name(error), word(self.call_id))

    def __call__(self, function: _F) -> _F:
        return _within(lambda: rpc(self._operation), function)


def _within(context: Callable[[], trace | rpc], function: _F) -> _F:
    """The function, or coroutine function, within a context of its own for each call."""
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            with context():
                return await function(*args, **kwargs)

    else:

        @wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with context():
                return function(*args, **kwargs)

    return wrapped  # type: ignore[return-value]


def word(value: object) -> str | None:
    """What its class says of it, asked here: no Python code is to run below a frame of the extension."""
    try:
        return None if value is None else str(value)
    except Exception:
        return None


def error_name(error: BaseException | None) -> str | None:
    """The class of an error, as lines name it: a word that can be counted, no free text."""
    if error is None:
        return None
    return "cancelled" if is_cancellation(error) else type(error).__name__


def is_cancellation(error: BaseException) -> bool:
    """Whether this is how code is told to stop: by asyncio, by trio, or by the collector."""
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        return True
    if isinstance(error, Exception):
        return False
    # By their names and attributes: trio is not imported for it, and groups are of Python 3.11.
    parts = getattr(error, "exceptions", ())
    if isinstance(parts, tuple) and parts:
        # What comes out of a nursery whose tasks were all told to stop.
        return all(map(is_cancellation, parts))
    return (type(error).__module__, type(error).__name__) == ("trio", "Cancelled")
