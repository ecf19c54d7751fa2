"""Files that are whole or not there, and still there after a power cut.

A file is written beside its place under a hidden name, flushed, renamed, and the folder flushed, so
that at any instant the place holds the old file or the new one.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

# Processes on several machines, and threads of one, may write to the same place.
_PARTIAL = ".{name}.{writer}.partial"


class Draft:
    """A file that is written beside its place and moved there in the end.

    Args:
        path: The place; its folder is made where there is none.

    Attributes:
        file: Open for writing bytes, until it is kept or discarded.

    Raises:
        OSError: if the folder can't be made or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._partial = _beside(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self._partial.open("wb")

    def keep(self) -> None:
        """Move the file to its place; raises OSError where the disk is full."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        os.replace(self._partial, self.path)
        flush_folder(self.path.parent)

    def discard(self) -> None:
        """Delete what was written, unless it was kept."""
        try:
            self.file.close()  # a full disk may tell here
        finally:
            self._partial.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file; if it fails with an OSError the place stays as it was."""
    draft = Draft(path)
    try:
        draft.file.write(content)
        draft.keep()
    finally:
        draft.discard()


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8; if it fails with an OSError the place stays as it was."""
    write_bytes(path, text.encode("utf-8"))


def replace_with(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside ``path`` and move it there once it is safe on the disk.

    Args:
        path: The place; its folder is made where there is none.
        write: Writes to the path that it is given. If it fails the place stays as it was.

    Raises:
        OSError: if the folder can't be made, or the file can't be flushed or moved, besides what
            ``write`` raises.
    """
    partial = _beside(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write(partial)
        _flush(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    flush_folder(path.parent)


def unwritable(path: Path) -> str | None:
    """Return why no file can be written at ``path``, as far as folders tell; None where it can."""
    if path.is_dir():
        return "it is a folder"
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return f"{folder} is no folder to write to"
    return None


def point_to(link: Path, target: Path) -> None:
    """Make ``link`` a link to a file of the same folder; at no instant is it missing.

    Where the file system has no links it becomes a copy.
    """
    partial = _beside(link)
    try:
        partial.symlink_to(target.name)
    except OSError:  # a file system without links, or Windows without the right to make them
        replace_with(link, lambda copy: _copy(target, copy))
        return
    os.replace(partial, link)
    flush_folder(link.parent)


def flush_folder(folder: Path) -> None:
    """Make a renaming in the folder survive a power cut, where the system can do that."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_partial_files(folder: Path) -> None:
    """Delete what processes that were killed while writing left behind."""
    for path in folder.glob(_PARTIAL.format(name="*", writer="*")):
        path.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    writer = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    return path.with_name(_PARTIAL.format(name=path.name, writer=writer))


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
