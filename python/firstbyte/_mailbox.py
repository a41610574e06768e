"""Native calls on asyncio: a future for each, and a descriptor that wakes the loop."""

from __future__ import annotations

import asyncio
from contextvars import Context
from itertools import count
from typing import TYPE_CHECKING, overload
from weakref import ReferenceType, WeakKeyDictionary, ref

from . import _firstbyte

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from ._types import FanOut, NativeCall

    _News: TypeAlias = _firstbyte.NativeResponse | _firstbyte.Question | FanOut
    _Ask: TypeAlias = Callable[[_firstbyte.Question], Awaitable[None]]


class _Loop:
    """The calls that were begun on one event loop."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.generation = _firstbyte.generation()
        self.numbers = count()
        self.waiting: dict[int, Future[_News]] = {}
        self.mailbox = _firstbyte.Mailbox()
        # In an empty context: that of the first call would be kept as long as the loop lives.
        Context().run(loop.add_reader, self.mailbox.fileno(), self.deliver)

    def expect(self, number: int) -> Future[_News]:
        """What comes next of this call."""
        future: Future[_News] = asyncio.get_running_loop().create_future()
        self.waiting[number] = future
        return future

    def deliver(self) -> None:
        """Give what came of every call to whoever waits for it, if anybody still does."""
        for number, result in self.mailbox.drain():
            if _ending:
                # Loops of daemon threads go on for a moment: what is cut off now is no error of theirs.
                continue
            future = self.waiting.pop(number, None)
            if future is None or future.done():
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)


#: The interpreter is about to end.
_ending = False

#: The loops themselves keep what is theirs: a loop that was closed takes its calls along.
_loops: WeakKeyDictionary[AbstractEventLoop, ReferenceType[_Loop]] = WeakKeyDictionary()


def _of_running_loop() -> _Loop:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        needs = "a running asyncio loop is needed; elsewhere, as under trio, use AdminClient in a thread"
        raise RuntimeError(needs) from None
    known = _loops.get(loop)
    here = known() if known is not None else None
    if here is None or here.generation != _firstbyte.generation():
        here = _Loop(loop)
        _loops[loop] = ref(here)
    return here


@overload
async def call(
    client: _firstbyte.NativeClient, arguments: NativeCall, ask: _Ask | None = None
) -> _firstbyte.NativeResponse: ...
@overload
async def call(client: _firstbyte.NativeFleet, arguments: NativeCall) -> FanOut: ...
async def call(
    client: _firstbyte.NativeClient | _firstbyte.NativeFleet, arguments: NativeCall, ask: _Ask | None = None
) -> _firstbyte.NativeResponse | FanOut:
    """Make a call on the native thread and wait for its end; `ask` answers its questions.

    Cancelling gives the call up, unless it is a resume: nobody waits for that any longer.
    """
    here = _of_running_loop()
    number = next(here.numbers)
    future = here.expect(number)
    try:
        pending = client.start(arguments, here.mailbox, number)
    except BaseException:
        del here.waiting[number]
        raise
    try:
        while isinstance(news := await future, _firstbyte.Question):
            # What comes next may come before the answer is given.
            future = here.expect(number)
            if ask is not None:
                await ask(news)
        return news
    except BaseException:
        # An end that has come by itself is not changed by this.
        here.waiting.pop(number, None)
        pending.cancel()
        raise


def discard() -> None:
    """At the end: calls that have ended, and that no loop will ask for any more, record their end now."""
    global _ending
    _ending = True
    for known in list(_loops.values()):
        here = known()
        if here is not None and here.generation == _firstbyte.generation():
            here.mailbox.drain()
