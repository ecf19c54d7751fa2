"""Files that are whole or not there, and still there after a power cut.

A file is written beside its place under a hidden name, flushed, renamed, and the folder flushed, so
that at any instant the place holds the old file or the new one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

_PARTIAL = ".{name}.{pid}.partial"


def replace_with(path: Path, write: Callable[[Path], None]) -> None:
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
    partial.unlink(missing_ok=True)
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
    for path in folder.glob(_PARTIAL.format(name="*", pid="*")):
        path.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(_PARTIAL.format(name=path.name, pid=os.getpid()))


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
