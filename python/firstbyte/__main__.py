"""The `firstbyte` command: `firstbyte --help`, or `python -m firstbyte --help`."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Run the command with this process's arguments; the exit code."""
    from . import _firstbyte

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Python's handler waits for an interpreter that does not run here: a command without a handler of its
        # own would ignore Ctrl-C, and behind one that has its own it would be raised once more.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _firstbyte.main([sys.executable, "-m", "firstbyte"], sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
