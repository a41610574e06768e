"""The `firstbyte` command: `firstbyte --help`, or `python -m firstbyte --help`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command with this process's arguments; the exit code."""
    from . import _firstbyte

    return _firstbyte.main([sys.executable, "-m", "firstbyte"], sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
