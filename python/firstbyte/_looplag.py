"""How late an asyncio event loop is."""

from __future__ import annotations

import asyncio
from contextvars import Context
from weakref import ReferenceType, WeakKeyDictionary, ref

#: From one beat to the next, in seconds: what shorter delays hide in.
INTERVAL = 0.05


class LoopLag:
    """A heartbeat on one loop: each beat is as late as the loop is.

    20 timers per second; it ends with the loop, whose timer alone holds it.
    """

    __slots__ = ("__weakref__", "_context", "_due", "_late", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._late = 0.0
        # Empty: that of the first request would keep what its variables hold as long as the loop lives.
        self._context = Context()
        self._schedule()

    def ms(self) -> float:
        """How late the last beat was, or how overdue the next one is, whichever is more; milliseconds.

        A loop that stood still shows at the first thing that it does afterwards: its timers run in the
        same round as, or before, whatever had waited for it.
        """
        return max(self._late, self.loop.time() - self._due, 0.0) * 1e3

    def is_of_running_loop(self) -> bool:
        return asyncio._get_running_loop() is self.loop

    def _schedule(self) -> None:
        self._due = self.loop.time() + INTERVAL
        self.loop.call_at(self._due, self._beat, context=self._context)

    def _beat(self) -> None:
        self._late = max(self.loop.time() - self._due, 0.0)
        self._schedule()


#: The loops themselves keep their heartbeats, which know them: held here, no loop would ever go.
_lags: WeakKeyDictionary[asyncio.AbstractEventLoop, ReferenceType[LoopLag]] = WeakKeyDictionary()


def of_running_loop() -> LoopLag | None:
    """The heartbeat of the running loop, begun now if need be; `None` where there is no asyncio."""
    try:
        loop = asyncio.get_running_loop()
        known = _lags.get(loop)
        lag = known() if known is not None else None
        if lag is None:
            lag = LoopLag(loop)
            _lags[loop] = ref(lag)
    except (RuntimeError, TypeError):
        # No asyncio loop, or one that is closing or cannot be remembered.
        return None
    return lag
