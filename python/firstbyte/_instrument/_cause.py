"""What a failure is called, whatever library tells it: by the words of the native client, where they fit.

httpx says `ConnectError` for a refused connection, a name that nobody knows and a certificate that is wrong.
The errors below it, which are the system's and those of the standard library, tell which. They are known by
their names, so that nothing has to be imported for them.
"""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Words by a class of the failure or of its causes, the most telling first.
_BY_NAME = {
    "ProxyError": "proxy_error",
    "ClientProxyConnectionError": "proxy_error",
    "ClientHttpProxyError": "proxy_error",
    "gaierror": "dns",
    "ClientConnectorDNSError": "dns",
    "SSLCertVerificationError": "certificate",
    "SSLEOFError": "closed",
    "EndOfStream": "closed",  # anyio's word for the same
    "SSLError": "tls",
    "ConnectionRefusedError": "connect_refused",
    "TimeoutError": "timeout",
    "InvalidChunkLength": "protocol",  # which is an IncompleteRead of urllib3's
    "IncompleteRead": "body_truncated",
    "RemoteDisconnected": "closed",
    "ServerDisconnectedError": "closed",
    "ConnectionResetError": "reset",
    "ConnectionAbortedError": "reset",
    "BrokenPipeError": "reset",
    "HTTPException": "protocol",
    "HttpProcessingError": "protocol",
    "LocalProtocolError": "request",
    "ProtocolError": "protocol",
    "ClientPayloadError": "protocol",
}

#: Words by the number of the system's error.
_BY_NUMBER: dict[int | None, str] = {
    # Of the kernel's own clock: a time-out of a library's has no number.
    errno.ETIMEDOUT: "peer_dead",
    **dict.fromkeys((errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.EADDRNOTAVAIL), "unreachable"),
    **dict.fromkeys((errno.ENETUNREACH, errno.ENETDOWN), "unreachable"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EAFNOSUPPORT), "local"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.ENOMEM, errno.EADDRINUSE), "local"),
}

#: Whose clock ran out, by the phase that it ran out in.
_TIMEOUTS = {
    "pool": "pool_timeout",
    "dns": "connect_timeout",
    "connect": "connect_timeout",
    "tls": "connect_timeout",
    "send": "send_timeout",
    "wait": "read_timeout",
    "receive": "read_timeout",
}

#: How httpcore, h11, aiohttp and urllib3 say of what is no HTTP that it is too short.
_CLOSED = re.compile(
    "disconnected|peer closed connection|payload is not completed|ended prematurely|got length b''"
)

_CAPITALS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def word(error: Exception, phase: str) -> str:
    """The word for `error=`; the class of the failure, in lower case, where none fits."""
    causes = list(_causes(error))
    names = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
    found = next((_BY_NAME[name] for name in _BY_NAME if name in names), None)
    if found in ("timeout", None):
        # First, as urllib3 takes whatever keeps it from connecting for a time-out.
        numbers = (_BY_NUMBER.get(cause.errno) for cause in causes if isinstance(cause, OSError))
        found = next(filter(None, numbers), found)
    if found == "timeout":
        # aiohttp's clock of the whole call raises it bare; that of a socket has something to say.
        is_bare = type(error).__name__ == "TimeoutError" and not error.args
        return "total_timeout" if is_bare else _TIMEOUTS.get(phase, _own(error))
    if found == "protocol" and _CLOSED.search(str(error)):
        found = "closed"
    if found == "closed" and phase == "receive":
        found = "body_truncated"
    return found or _own(error)


def _own(error: Exception) -> str:
    return _CAPITALS.sub("_", type(error).__name__).lower()


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was made of: not its context, which may be what its caller is busy with."""
    for _ in range(10):
        if error is None:
            return
        yield error
        parts = getattr(error, "exceptions", ())
        made_of = [error.__cause__, *error.args, getattr(error, "reason", None)]
        made_of += parts if isinstance(parts, tuple) else ()
        error = next((cause for cause in made_of if isinstance(cause, BaseException)), None)
