"""What the instrumented libraries have in common.

Everything here that runs within a request is `guarded`: a failure of ours is no failure of the request.
"""

from __future__ import annotations

import re
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from .. import _firstbyte
from .._rpc import TRACE_ID, current_trace_id
from . import _cause

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")
_R = TypeVar("_R")

#: In these phases request bytes may have been accepted.
_SENT = ("send", "wait", "receive")

#: Errors of httpx and requests that say that no request byte was accepted.
_NEVER_SENT = (
    "ConnectError",
    "ConnectTimeout",
    "InvalidURL",
    "PoolTimeout",
    "UnsupportedProtocol",
)

#: The low 64 bits of its trace-id are the id of the call.
_TRACEPARENT = re.compile(
    r"(?!ff|00.{54})[0-9a-f]{2}-[0-9a-f]{16}([0-9a-f]{16})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[^A-Z]*)?"
)

#: Ten failed parts within a minute blow it, and no further call is traced.
fuse = _firstbyte.Fuse()


def guarded(part: Callable[_P, _R]) -> Callable[_P, _R | None]:
    """A part of ours that runs within a request: what it raises goes no further."""

    @wraps(part)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R | None:
        try:
            return part(*args, **kwargs)
        except BaseException as error:
            # A panic of the extension is no Exception; an interrupt is not ours to swallow.
            if not isinstance(error, Exception) and type(error).__module__ != "pyo3_runtime":
                raise
            fuse.failed()
            return None

    return run


@guarded
def is_control(method: str, path: str) -> bool:
    """Whether a request is to be traced."""
    return not fuse.is_blown and _firstbyte.find_route(method, path) is not None


#: The ports that URLs leave out.
_PORTS = {"http": 80, "https": 443}


def target(scheme: str, host: str | None, port: int | None) -> str:
    """Host and port as the native client names them: an address of IPv6 in brackets."""
    host = f"[{host}]" if host and ":" in host else host
    return f"{host}:{port or _PORTS.get(scheme)}"


@guarded
def begin(method: str, url: str, path: str, target: str, headers: Any) -> _firstbyte.ClientCall | None:
    """The call of a request, with its headers added to the request's own.

    Headers that the request already has stay, and tell the id.
    """
    trace_id = _id_in(headers) or current_trace_id()
    call = _firstbyte.ClientCall.begin(method, url, path, target, trace_id=trace_id)
    if call is not None:
        for name, value in [
            ("x-trace-id", call.trace_id),
            ("traceparent", call.traceparent),
        ]:
            if name not in headers:
                headers[name] = value
    return call


def _id_in(headers: Any) -> str | None:
    """The id that a server will read from these headers."""
    theirs, parent = (_text(headers.get(name)) for name in ("x-trace-id", "traceparent"))
    if TRACE_ID.fullmatch(theirs):
        return theirs
    match = _TRACEPARENT.fullmatch(parent)
    return match[1] if match and TRACE_ID.fullmatch(match[1]) else None


def _text(value: str | bytes | None) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value or ""


@guarded
def head(call: _firstbyte.ClientCall, status: int, headers: Any) -> None:
    """The response head arrived."""
    call.head(status, headers.get("server-timing"), headers.get("content-type"))


@guarded
def piece(call: _firstbyte.ClientCall, body: Any) -> None:
    """A piece of the response body arrived."""
    call.piece(bytes(body))


@guarded
def done(call: _firstbyte.ClientCall, *, unread: bool = False, at_ns: int | None = None) -> None:
    """The last byte arrived; `unread` if the caller gave it up before."""
    call.done(unread=unread, at_ns=at_ns)


@guarded
def fail(call: _firstbyte.ClientCall, error: BaseException) -> None:
    """The call ended with this error."""
    if not isinstance(error, Exception):
        # CancelledError, GeneratorExit, KeyboardInterrupt.
        call.fail("cancelled", "cancelled")
        return
    phase = call.phase
    call.fail("unknown" if phase in _SENT else "not_sent", _cause.word(error, phase))


@guarded
def fail_unseen(call: _firstbyte.ClientCall, error: BaseException, entered_ns: int) -> None:
    """The call ended with this error, and nothing was seen of it before: all was one wait.

    Unless the error is one that says that nothing was sent.
    """
    if type(error).__name__ not in _NEVER_SENT:
        call.enter("wait", entered_ns)
    fail(call, error)
