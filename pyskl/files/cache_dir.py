"""Where this package keeps what it can get or make again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return ``$PYSKL_HOME``, by default ``~/.cache/pyskl``."""
    return Path(os.environ.get("PYSKL_HOME") or Path.home() / ".cache" / "pyskl")
