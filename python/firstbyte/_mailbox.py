"""Native calls on asyncio: a future for each, and a descriptor that wakes the loop."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from . import _firstbyte

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future


class _Loop:
    """The calls that were begun on one event loop."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.generation = _firstbyte.generation()
        self.numbers = count()
        self.waiting: dict[int, Future[_firstbyte.NativeResponse]] = {}
        self.mailbox = _firstbyte.Mailbox()
        loop.add_reader(self.mailbox.fileno(), self.deliver)

    def deliver(self) -> None:
        """Give every call that has ended to whoever waits for it, if anybody still does."""
        for number, result in self.mailbox.drain():
            future = self.waiting.pop(number, None)
            if future is None or future.done():
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)


_loops: WeakKeyDictionary[AbstractEventLoop, _Loop] = WeakKeyDictionary()


async def call(client: _firstbyte.NativeClient, arguments: _firstbyte.Call) -> _firstbyte.NativeResponse:
    """Make a call on the native thread and wait for its end. Cancelling gives the call up."""
    loop = asyncio.get_running_loop()
    here = _loops.get(loop)
    if here is None or here.generation != _firstbyte.generation():
        here = _loops[loop] = _Loop(loop)
    number = next(here.numbers)
    future: Future[_firstbyte.NativeResponse] = loop.create_future()
    here.waiting[number] = future
    try:
        pending = client.start(arguments, here.mailbox, number)
    except BaseException:
        del here.waiting[number]
        raise
    try:
        return await future
    except BaseException:
        # An end that has come by itself is not changed by this.
        here.waiting.pop(number, None)
        pending.cancel()
        raise
