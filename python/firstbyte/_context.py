"""Context managers for `with` and `async with`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import TracebackType

_T = TypeVar("_T")


class AsyncToo:
    """`async with` for what never waits: the same as `with`."""

    __slots__ = ()

    async def __aenter__(self: AbstractContextManager[_T, None]) -> _T:
        return self.__enter__()

    async def __aexit__(
        self: AbstractContextManager[object, None],
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)
