"""Types for checkers; nothing here is imported at run time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping


class CallOptions(TypedDict, total=False):
    """The keyword arguments of one call."""

    json: Any
    body: bytes | None
    headers: Mapping[str, str] | None
    operation_class: Literal["idempotent", "non_idempotent"] | None
    allow_overlap: bool
    step: int | None
    timeout: float | None
    trace_id: str | None
