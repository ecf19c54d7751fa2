"""The folder for files that can be downloaded or computed again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return ``$PYSKL_HOME``, by default ``~/.cache/pyskl``."""
    return Path(os.environ.get("PYSKL_HOME") or Path.home() / ".cache" / "pyskl")
