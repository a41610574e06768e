"""The answer to a control call, and where its time went."""

from __future__ import annotations

import json as json_module
from typing import TYPE_CHECKING, Any, NamedTuple

from ._errors import BodyError, StatusError

if TYPE_CHECKING:
    from typing_extensions import Self

    from . import _firstbyte


class AdminResponse:
    """A whole response, whatever its status, and where the time of the call went.

    All times are in milliseconds; `None` is unknown. `wall_ms` is from the call to the last byte of the
    response, `rpc_ms` what the server reports of the engine, `queue_ms` their difference.
    """

    __slots__ = ("_native", "resume_ms")

    def __init__(self, native: _firstbyte.NativeResponse) -> None:
        self._native: _firstbyte.NativeResponse | _Copy = native
        #: From the last byte of the response to the caller's code going on: the interpreter lock, and the
        #: event loop's queue. No part of `wall_ms`.
        self.resume_ms: float | None = native.resumed()

    @property
    def status(self) -> int:
        """Any status, redirects included: they are not followed."""
        return self._native.status

    @property
    def headers(self) -> dict[str, str]:
        """Header values by name in lower case; those of one name are joined by a comma."""
        headers: dict[str, str] = {}
        for name, value in self._native.headers:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return headers

    @property
    def body(self) -> bytes:
        """The whole body, not decompressed."""
        return self._native.body

    @property
    def text(self) -> str:
        """The body as UTF-8; what is none becomes U+FFFD."""
        return self._native.body.decode(errors="replace")

    @property
    def trace_id(self) -> str:
        """The id of the call: 16 hexadecimal digits."""
        return self._native.trace_id

    @property
    def attempts(self) -> int:
        """How many attempts it took."""
        return self._native.attempts

    @property
    def wall_ms(self) -> float:
        """From the call to the last byte of the response; exactly the sum of the phases in `parts`."""
        return self._native.wall_ms

    @property
    def rpc_ms(self) -> float | None:
        """The engine's work, as the server reports it."""
        return self._native.rpc_ms

    @property
    def queue_ms(self) -> float | None:
        """`wall_ms - rpc_ms`: everything that was not the engine."""
        return self._native.queue_ms

    @property
    def parts(self) -> dict[str, float]:
        """The phases of the last attempt that are known, in their order, then the server's half."""
        return self._native.parts

    @property
    def flags(self) -> list[str]:
        """Reservations about the split, such as `rpc_missing`."""
        flags = self._native.flags
        return flags.split(",") if flags else []

    def json(self) -> Any:
        """The body as JSON. Raises `BodyError` if it is none."""
        try:
            return json_module.loads(self._native.body)
        except ValueError as error:
            failed = BodyError(f"the response is no JSON: {error}, trace {self.trace_id}")
            failed.reason, failed.trace_id, failed.status = "decode", self.trace_id, self.status
            raise failed from None

    def raise_for_status(self) -> Self:
        """The response itself. Raises `StatusError` unless its status is 2xx."""
        self._native.raise_for_status()
        return self

    def __repr__(self) -> str:
        return repr(self._native)

    def __reduce__(self) -> tuple[Any, ...]:
        """For `pickle` and `copy`."""
        copy = self._native if isinstance(self._native, _Copy) else _copy(self._native)
        return _restored, (copy, self.resume_ms)


class _Copy(NamedTuple):
    """What a native response says, where it cannot go itself: into a pickle, or another process."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    trace_id: str
    attempts: int
    wall_ms: float
    rpc_ms: float | None
    queue_ms: float | None
    parts: dict[str, float]
    flags: str
    failure: StatusError | None
    text: str

    def raise_for_status(self) -> None:
        if self.failure is not None:
            raise self.failure.with_traceback(None)

    def __repr__(self) -> str:
        return self.text


def _copy(native: _firstbyte.NativeResponse) -> _Copy:
    failure = None
    try:
        native.raise_for_status()
    except StatusError as error:
        failure = error.with_traceback(None)
    return _Copy(
        native.status,
        native.headers,
        native.body,
        native.trace_id,
        native.attempts,
        native.wall_ms,
        native.rpc_ms,
        native.queue_ms,
        native.parts,
        native.flags,
        failure,
        repr(native),
    )


def _restored(copy: _Copy, resume_ms: float | None) -> AdminResponse:
    response = AdminResponse.__new__(AdminResponse)
    response._native, response.resume_ms = copy, resume_ms
    return response
