"""Lines for the logger `firstbyte`, on a thread of their own."""

from __future__ import annotations

import logging
import os
import sys
import threading
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import _firstbyte


@cache
def _logger() -> logging.Logger:
    """Asked for when there is a line: `dictConfig` turns loggers off that there are before it."""
    return logging.getLogger("firstbyte")


def start(feed: _firstbyte.LoggingFeed) -> None:
    """Log what a recorder has to say, until it has ended."""
    threading.Thread(target=_run, args=(feed,), name="firstbyte-logging", daemon=True).start()


def _run(feed: _firstbyte.LoggingFeed) -> None:
    lines = feed.take()
    while lines is not None:
        logged = 0
        for line in lines:
            try:
                emit(line)
                logged += 1
            except BaseException:
                # A filter or a handler of somebody's: the line is counted as dropped.
                pass
        lines = feed.take(logged)


def emit(line: str) -> None:
    """Log a line with level INFO."""
    logger = _logger()
    if logger.level == logging.NOTSET:
        # The root's level is WARNING where nobody has chosen one.
        logger.setLevel(logging.INFO)
    if logger.isEnabledFor(logging.INFO):
        # Looked at each time, for a program may set up its logging later; then its handlers are enough.
        # The line is the message: a % in it means nothing.
        (logger if logger.hasHandlers() else _stderr()).info("%s", line)


class _StderrHandler(logging.Handler):
    """Where nobody has set up logging, lines go to stderr.

    `logging` waits for no lock of it at the end of the interpreter, which a writer thread that is stuck may
    hold for ever; and it does not take the lock of `sys.stderr`.
    """

    def acquire(self) -> None:
        pass

    def release(self) -> None:
        pass

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record) + "\n"
        if sys.stderr is not sys.__stderr__:
            # Somebody's own.
            sys.stderr.write(line)
        elif sys.__stderr__ is not None:
            os.write(sys.__stderr__.fileno(), line.encode())


@cache
def _stderr() -> logging.Logger:
    """The same logger with a handler, which nobody else sees."""
    logger = logging.Logger(_logger().name, logging.INFO)
    logger.filters = _logger().filters
    logger.addHandler(_StderrHandler())
    return logger
