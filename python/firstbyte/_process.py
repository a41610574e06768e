"""The one recorder of this process: where lines go, and what becomes of it at a fork and at the end."""

from __future__ import annotations

import atexit
import os
import sys
from types import NoneType
from typing import TYPE_CHECKING, TypedDict

# The writer thread needs `_logging`. A fork while it imports it would leave the child half a module.
from . import _firstbyte, _logging  # noqa: F401
from ._errors import ConfigError

if TYPE_CHECKING:
    from os import PathLike


class Accounting(TypedDict):
    """The balance of the recorder: `offered = written + sum(dropped.values())` after `flush()`."""

    offered: int
    #: To a file, or handed to the logger `firstbyte`, whatever its handlers and its level do with it.
    written: int
    dropped: dict[str, int]
    #: How often a part of firstbyte failed; the host has not noticed.
    failures: int
    #: Control calls that came with a trace id that could not be used, and got a new one.
    invalid_ids: int


def configure(
    *,
    log: str | PathLike[str] | None = None,
    json: str | PathLike[str] | None = None,
    capacity: int | None = None,
    flush_interval: float | None = None,
) -> None:
    """Say where lines go, instead of `FIRSTBYTE_LOG` and `FIRSTBYTE_JSON`.

    `log` is a file for text lines, or `"stderr"`, or `"logging"` for the logger `firstbyte`, which is
    also what they go to without `log` and `json`. `json` is a file for JSON lines. Files are appended to
    and made with mode 0600. `capacity` is how many events may wait for the writer thread (8192),
    `flush_interval` the longest time in seconds that they do (0.2).

    Call it before clients and middlewares are made: a native client keeps the recorder it was made with, and
    the balance of `accounting` begins anew.

    Raises `ConfigError` if a file cannot be opened or a value is out of its range.
    """
    for name, path in (("log", log), ("json", json)):
        check_path(name, path)
    if not isinstance(flush_interval, (int, float, NoneType)):
        raise ConfigError(f"flush_interval={flush_interval!r}: a number of seconds is needed")
    _firstbyte.configure(log=log, json=json, capacity=capacity, flush_interval=flush_interval)


def check_path(name: str, path: object) -> None:
    """Raise `ConfigError` for what is neither a path nor `None`."""
    if not isinstance(path, (str, os.PathLike, NoneType)):
        raise ConfigError(f"{name}={path!r}: a path is needed")


def flush(timeout: float = 1.0) -> bool:
    """Wait until everything recorded so far is written, at most `timeout` seconds; whether it was."""
    return _firstbyte.flush(timeout)


def shutdown(timeout: float = 1.0) -> None:
    """End calls of native clients, write what is queued, say goodbye; at most `timeout` seconds.

    Done by itself at the end of the interpreter. What is recorded afterwards is counted as dropped.
    """
    _firstbyte.shutdown(timeout)


def accounting() -> Accounting:
    """The balance of the recorder, and what else this process has counted."""
    return _firstbyte.accounting()


def hook() -> None:
    """Ask to be told of forks and of the end. Called when a recorder is first needed, before it is there."""
    # Two threads may be here at once; to end twice would take twice as long.
    atexit.unregister(_end)
    atexit.register(_end)
    os.register_at_fork(after_in_child=_after_fork_in_child)
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        _finalize_in_child(None)


def _end() -> None:
    if mailbox := sys.modules.get("firstbyte._mailbox"):
        mailbox.discard()
    shutdown()


def _after_fork_in_child() -> None:
    _firstbyte.after_fork_in_child()
    if util := sys.modules.get("multiprocessing.util"):
        # It forgets its parent's finalizers first, and then does this.
        util.register_after_fork(_firstbyte, _finalize_in_child)


def _finalize_in_child(_: object) -> None:
    """A child of multiprocessing ends without atexit, but with these."""
    from multiprocessing import util

    util.Finalize(None, _end, exitpriority=-100)
