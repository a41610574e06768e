"""The ASGI middleware. Its hot paths are Rust's: `_firstbyte.Middleware`."""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from . import _firstbyte, _looplag
from ._errors import ConfigError
from ._process import check_path
from ._rpc import current_call, is_cancellation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from os import PathLike

    from typing_extensions import Self

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

#: The scope and the `receive` that the running code was called with by the outermost middleware.
_exchange: ContextVar[tuple[Scope, Receive] | None] = ContextVar("firstbyte.exchange", default=None)

#: How long the end of an application waits for its lines to be written at most, in seconds.
LAST_WORDS = 0.25


class FirstByteMiddleware(_firstbyte.Middleware):
    """Trace the control calls of an ASGI application; let everything else pass untouched.

        app = FirstByteMiddleware(app)              # any ASGI 3 application: outermost, once it is whole
        app.add_middleware(FirstByteMiddleware)     # Starlette, FastAPI: inside of their answers to errors
        vllm serve MODEL --middleware firstbyte.FirstByteMiddleware

    A control call is a request that the route table knows: those of vLLM, SGLang, prime-rl, AReaL, SkyRL and
    TRL, and of the file that `routes` or `FIRSTBYTE_ROUTES` names. It gets `server.recv`,
    `server.first_byte` and exactly one `server.done`, and its response `server-timing` and `x-trace-id`. All
    other requests are counted while they run, and nothing more: application, `receive` and `send` are handed
    on as they are.

    `loop_lag` says whether a heartbeat measures the event loop's delay. Where it is not given, it does, but
    for `FIRSTBYTE_LOOP_LAG=0`. Twice around one application, the outer one traces.

    Raises `ConfigError` when it is made, if a setting cannot work; never afterwards.
    """

    def __new__(
        cls,
        app: ASGIApp,
        *args: Any,
        routes: str | PathLike[str] | None = None,
        **kwargs: Any,
    ) -> Self:
        # What else there is, is for the `__init__` of a class that is made of this one.
        check_path("routes", routes)
        if not callable(app):
            raise ConfigError(f"app={app!r}: an ASGI application is needed")
        return super().__new__(cls, app, routes=routes)

    def __init__(
        self,
        app: ASGIApp,
        *,
        routes: str | PathLike[str] | None = None,
        loop_lag: bool | None = None,
    ) -> None:
        if loop_lag is None:
            loop_lag = os.environ.get("FIRSTBYTE_LOOP_LAG") != "0"
        self._measures_loop_lag = loop_lag
        #: How often the application runs: one may be served at several addresses.
        self._lifespans = 0
        #: Since when. An application that knows of no lifespan ends that at once, and goes on.
        self._since_ns = 0
        #: Weak: a heartbeat knows its loop, which may go.
        self._loop_lag: weakref.ReferenceType[_looplag.LoopLag] | None = None
        # Servers tell ASGI 3 from ASGI 2 by whether `app.__call__` is a coroutine function, which a
        # method in Rust is not. They look at the instance; what they call is the type's.
        self.__call__ = self._asgi3  # type: ignore[method-assign]

    async def _asgi3(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self(scope, receive, send)

    def _lifespan(self, coroutine: object) -> None:
        """The application begins. Its end may be the last that we see of this process.

        uvicorn raises the signal that ended it once more, and is ended by that without `atexit`.
        """
        self._start_loop_lag()
        with suppress(TypeError):
            weakref.finalize(coroutine, self._ended).atexit = False
            if self._lifespans == 0:
                self._since_ns = _firstbyte.now_ns()
            self._lifespans += 1

    def _ended(self) -> None:
        """Its server has closed all connections: what is open still was cancelled, and cannot say so."""
        self._lifespans -= 1
        if self._lifespans == 0:
            self._cut_off(self._since_ns)
        _firstbyte.checkpoint(LAST_WORDS)

    def _start_loop_lag(self) -> _looplag.LoopLag | None:
        """The heartbeat of the running loop: a look at the last one, which is nearly always right."""
        lag = self._loop_lag() if self._loop_lag is not None else None
        if lag is not None and lag.is_of_running_loop():
            return lag
        lag = _looplag.of_running_loop() if self._measures_loop_lag else None
        self._loop_lag = weakref.ref(lag) if lag is not None else None
        return lag

    def _loop_lag_ms(self) -> float | None:
        try:
            lag = self._start_loop_lag()
            return lag.ms() if lag is not None else None
        except Exception:
            self._fuse.failed()
            return None

    async def _traced(self, call: _firstbyte.ServerCall, scope: Scope, receive: Receive, send: Send) -> None:
        outer = _exchange.get()
        if outer is not None and (outer[0] is scope or outer[1] is receive):
            # Another one is around us, such as that of vLLM's flag around the application's own.
            await self.app(scope, receive, send)
            return
        call.received(self._loop_lag_ms())
        tokens = (current_call.set(call), _exchange.set((scope, receive)))
        outcome = "ok"
        try:
            await self.app(scope, receive, _firstbyte.ServerSend(call, send, self._fuse).send)
        except BaseException as error:
            outcome = "cancelled" if is_cancellation(error) else "error"
            raise
        finally:
            call.end(outcome, receive)
            # Closed from another context than it ran in, they cannot be reset.
            with suppress(ValueError):
                current_call.reset(tokens[0])
                _exchange.reset(tokens[1])

    async def _counted(self, awaitable: Awaitable[None]) -> None:
        await awaitable
