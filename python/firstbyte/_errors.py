"""What can go wrong, by what it means for the caller.

    FirstByteError
     ├ ConfigError (ValueError)   a setting or an argument cannot work; nothing was sent
     ├ OverlapError               another operation is in flight, or its outcome is unknown; nothing was sent
     ├ NotSent                    the server cannot have acted on it: it may be sent again
     ├ OutcomeUnknown             it may have happened, or may still happen
     ├ StatusError                the server answered with a status other than 2xx
     └ BodyError                  the response is too large, or not what was asked for

Neither message nor attributes contain credentials or query values.
"""

from __future__ import annotations


class FirstByteError(Exception):
    """Base of all errors of firstbyte."""

    reason: str = "config"
    """The cause as one word, as `error=` of the line has it: `connect_refused`, `reset`, ..."""
    phase: str | None = None
    """The phase of the call that it happened in, if a call had begun."""
    bytes_sent: int = 0
    """How many bytes of the request the transport had accepted."""
    trace_id: str | None = None
    """The id of the call, if it had one."""
    status: int | None = None
    """The status, if a response head had arrived."""
    is_timeout: bool = False
    """Whether one of the client's clocks ran out."""


class ConfigError(FirstByteError, ValueError):
    """A setting or an argument cannot work; nothing was sent. The message says what to change."""


class OverlapError(FirstByteError):
    """Refused: another operation on the same server is in flight, or ended with an unknown outcome.

    Nothing was sent. Find out what became of it and call `forget_unknown()`, or send with
    `allow_overlap=True`.
    """


class NotSent(FirstByteError):  # noqa: N818 - what it says, not what it is
    """No byte of the request was accepted: the server cannot have acted on it."""


class OutcomeUnknown(FirstByteError):  # noqa: N818
    """Request bytes were accepted and no whole answer came back.

    The operation may have happened, or may still happen. It is never sent again by itself.
    """


class StatusError(FirstByteError):
    """The status of a whole response is not 2xx."""


class BodyError(FirstByteError):
    """The response body is larger than the limit, or is not what was asked for."""
