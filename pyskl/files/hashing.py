"""Compute the SHA-256 of files, and record it next to downloaded files.

``FILE.sha256`` holds the hash of ``FILE``. It shows whether the file has changed since, not who
made it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pyskl.files.atomic import write_text

_CHUNK = 1 << 20  # bytes in memory at once


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; raises OSError if it can't be read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def hash_record(path: Path) -> Path:
    """Return the file that records the hash of ``path``."""
    return path.with_name(f"{path.name}.sha256")


def recorded_hash(path: Path) -> str | None:
    """Return the recorded hash of a file, or None if there is none."""
    try:
        return hash_record(path).read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return None


def record_hash(path: Path, digest: str) -> None:
    """Record the hash of a file."""
    write_text(hash_record(path), digest + "\n")
