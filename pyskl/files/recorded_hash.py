"""The SHA-256 of a file that was downloaded, written down beside it on first use.

``FILE.sha256`` holds it. It tells whether the file is still the one that was downloaded, not who
made it.
"""

from __future__ import annotations

from pathlib import Path

from pyskl.files.atomic import write_text


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
    write_text(record_of(path), digest + "\n")
