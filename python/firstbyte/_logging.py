"""Lines for the logger `firstbyte`. Called by the writer thread."""

from __future__ import annotations

import logging

_logger = logging.getLogger("firstbyte")
_is_ready = False


def emit(lines: list[str]) -> None:
    """Log each line with level INFO."""
    global _is_ready
    if not _is_ready:
        _make_audible()
        _is_ready = True
    for line in lines:
        # The line is the message: a % in it means nothing.
        _logger.info("%s", line)


def _make_audible() -> None:
    """Where nobody has set up logging, INFO is off and goes nowhere: let it go to stderr."""
    if _logger.level == logging.NOTSET:
        _logger.setLevel(logging.INFO)
    if not _logger.hasHandlers():
        _logger.addHandler(logging.StreamHandler())
