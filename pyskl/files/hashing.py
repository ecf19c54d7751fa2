"""The SHA-256 of a file of any size."""

from __future__ import annotations

import hashlib
from pathlib import Path

# How much of a file is held in memory at once.
_BLOCK = 1 << 20


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; raises OSError where it can't be read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
