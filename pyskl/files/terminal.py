"""What standard error can show."""

from __future__ import annotations

import os
import sys


def shows_bars() -> bool:
    """Return whether standard error is a terminal that can show a progress bar.

    Terminals of CI and of ``script`` may have zero columns, where a bar would be empty.
    """
    if not sys.stderr.isatty():
        return False
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns > 0
    except (OSError, ValueError):  # a stand-in without a size of its own
        return True
