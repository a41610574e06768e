"""Types that signatures are made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from typing import TypeAlias

    from ._admin import AdminClient, AsyncAdminClient
    from ._firstbyte import NativeResponse
    from ._response import AdminResponse


class CallOptions(TypedDict, total=False):
    """The keyword arguments of one call."""

    json: Any
    body: bytes | bytearray | memoryview | None
    headers: Mapping[str, str] | None
    operation_class: Literal["idempotent", "non_idempotent"] | None
    allow_overlap: bool
    step: int | None
    timeout: float | None
    trace_id: str | None


class NativeCall(TypedDict):
    """One call, as the native client takes it."""

    method: str
    path: str
    body: bytes | None
    headers: list[tuple[str, str]]
    operation_class: str | None
    allow_overlap: bool
    #: It begins whatever is in flight, and goes on without whoever waits for it.
    resume: bool
    #: A probe can tell whether it happened.
    probe: bool
    step: int | None
    timeout: float | None
    trace_id: str | None


class CallState(TypedDict):
    """An attempt that is on its way: see `in_flight`."""

    trace_id: str | None
    operation: str | None
    attempt: int
    phase: str
    state: str
    elapsed_ms: float
    sent_bytes: int
    unacked_bytes: int | None


#: How a call of a fan-out ended.
Outcome: TypeAlias = Literal["done", "failed", "unknown", "not_sent"]

#: `trace_id`, `wall_ms`, and of each server the target, outcome, result, `wall_ms` and `waited_ms`.
FanOut: TypeAlias = "tuple[str, float, list[tuple[str, Outcome, NativeResponse | Exception, float, float]]]"

#: Tells whether a call happened whose outcome is unknown: see `AdminClient.request`.
Probe: TypeAlias = Callable[["AdminClient"], "AdminResponse | bool | None"]
AsyncProbe: TypeAlias = Callable[["AsyncAdminClient"], Awaitable["AdminResponse | bool | None"]]
