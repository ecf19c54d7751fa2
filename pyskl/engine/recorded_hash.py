"""The SHA-256 of a file that was downloaded, written down beside it on first use.

``FILE.sha256`` holds it. It tells whether the file is still the one that was downloaded, not who
made it.
"""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

# How much of a file is held in memory at once.
_BLOCK = 1 << 20


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def record_of(path: Path) -> Path:
    """Return the file that holds the hash of another."""
    return path.with_name(f"{path.name}.sha256")


def recorded_hash(path: Path) -> str | None:
    """Return the hash that was written down for a file; None where none was."""
    try:
        return record_of(path).read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return None


def record_hash(path: Path, digest: str) -> None:
    """Write a file's hash down."""
    record = record_of(path)
    partial = record.with_name(f".{record.name}.{os.getpid()}.{threading.get_ident()}")
    partial.write_text(digest + "\n", encoding="ascii")
    os.replace(partial, record)
