"""A checksum inside a checkpoint, as torch notices a missing part of a file but no wrong bit.

A checkpoint is a zip archive whose parts torch reads by name, so one more part is no trouble to any
reader: ``sha256`` comes last and covers all bytes before it, and where the parts lie. A program
that loads a checkpoint, changes it and saves it again writes no such part, and nothing is checked.
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import IO

PART = "sha256"

# How much of a file is held in memory at once.
_BLOCK = 1 << 22


def add_checksum(path: Path) -> None:
    """Add the checksum to a file that ``torch.save`` wrote.

    Raises:
        OSError: if it can't be written.
    """
    with zipfile.ZipFile(path, "a") as archive:
        parts = archive.infolist()
        folder = parts[0].filename.partition("/")[0]
        with path.open("rb") as file:
            digest = _digest(file, archive.start_dir, parts)
        archive.writestr(f"{folder}/{PART}", digest)


def wrong_checksum(path: Path) -> str | None:
    """Return what is wrong with a file by its own checksum; None where nothing is, or it has none.

    Nothing but the checksum is taken from the file.
    """
    try:
        with path.open("rb") as file:
            if file.read(2) != b"PK":  # not an archive: as torch wrote long ago, or no checkpoint
                return None
            with zipfile.ZipFile(file) as archive:
                *parts, last = archive.infolist()
                if last.filename.rpartition("/")[2] != PART:
                    return None
                if last.file_size != 64:
                    return "its checksum is no SHA-256"
                expected = archive.read(last).decode("ascii")
            found = _digest(file, last.header_offset, parts)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        return f"the archive is incomplete or damaged ({error})"
    if found == expected:
        return None
    return f"its content has the SHA-256 {found[:12]}..., but {expected[:12]}... was written"


def _digest(file: IO[bytes], end: int, parts: list[zipfile.ZipInfo]) -> str:
    """Return the SHA-256 of the first ``end`` bytes and of where the parts lie."""
    digest = hashlib.sha256()
    file.seek(0)
    while end > 0 and (block := file.read(min(_BLOCK, end))):
        digest.update(block)
        end -= len(block)
    for part in parts:
        place = (part.filename, part.header_offset, part.file_size, part.compress_type)
        digest.update(repr(place).encode())
    return digest.hexdigest()
