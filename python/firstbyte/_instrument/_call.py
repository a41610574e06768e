"""What the instrumented libraries have in common."""

from __future__ import annotations

import asyncio
import re

from .. import _firstbyte
from .._rpc import current_trace_id

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

#: Errors that say that no request byte was accepted, by the name of their class.
_NOT_SENT = frozenset(
    {
        # httpx
        "ConnectError",
        "ConnectTimeout",
        "PoolTimeout",
        "UnsupportedProtocol",
        # aiohttp
        "ClientConnectorCertificateError",
        "ClientConnectorDNSError",
        "ClientConnectorError",
        "ClientConnectorSSLError",
        "ClientProxyConnectionError",
        "ConnectionTimeoutError",
        "InvalidURL",
        # requests
        "InvalidSchema",
        "MissingSchema",
        "NewConnectionError",
        "NameResolutionError",
    }
)


def begin(
    method: str,
    url: str,
    path: str,
    target: str,
    trace_id: str | None = None,
    entered_ns: int | None = None,
) -> _firstbyte.ClientCall | None:
    """The call, if it is a control call. Never raises: the request goes on whatever happens here."""
    try:
        return _firstbyte.ClientCall.begin(
            method,
            url,
            path,
            target,
            trace_id=trace_id or current_trace_id(),
            entered_ns=entered_ns,
        )
    except Exception:
        return None


def fail(call: _firstbyte.ClientCall, error: BaseException) -> None:
    """The call ended with this error."""
    name = type(error).__name__
    if isinstance(error, (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt)):
        call.fail("cancelled", "cancelled")
    else:
        outcome = "not_sent" if name in _NOT_SENT else "unknown"
        call.fail(outcome, _WORDS.sub("_", name).lower())
