"""Context managers for `with` and `async with`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import TracebackType

    from typing_extensions import Self

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


class Closable:
    """`with` for what has nothing to close."""

    def close(self) -> None:
        """Nothing has to be closed; for code that does it all the same."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class AsyncClosable:
    """`async with` for what has nothing to close."""

    async def aclose(self) -> None:
        """Nothing has to be closed; for code that does it all the same."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
