"""Files that are whole or not there, and still there after a power cut.

A file is written beside its place under a hidden name, flushed, renamed, and the folder flushed, so
that at any instant the place holds the old file or the new one. It keeps the permissions of the old
one. Where the place is a link, the file that it points to is replaced; what is neither a file nor a
folder (a pipe, a terminal) is written to as it is.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import uuid
from collections.abc import Callable
from pathlib import Path

# Several machines, and threads of one, may write to the same place, so hidden names all differ.
# They hold so much of the name that the rest has room in the 255 bytes of file systems.
_NAME_LENGTH = 40
_PARTIAL = re.compile(r"\..*\.(?P<pid>\d+)-[0-9a-f]{8}\.partial", re.DOTALL)


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
        self.path = _end_of_links(path)
        self._partial = None if _is_stream(self.path) else _beside(self.path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = (self._partial or self.path).open("wb")

    def keep(self) -> None:
        """Move the file to its place; raises OSError where the disk is full."""
        self.file.flush()
        if self._partial is None:
            return
        os.fsync(self.file.fileno())
        self.file.close()
        _replace(self._partial, self.path)
        flush_folder(self.path.parent)

    def discard(self) -> None:
        """Delete what was written, unless it was kept."""
        try:
            self.file.close()  # a full disk may tell here
        finally:
            if self._partial is not None:
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
    path = _end_of_links(path)
    if _is_stream(path):
        write(path)
    else:
        _replace_this(path, write)


def _replace_this(path: Path, write: Callable[[Path], object]) -> None:
    """As :func:`replace_with`, but a link is itself replaced."""
    partial = _beside(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write(partial)
        _flush(partial)
        _replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    flush_folder(path.parent)


def unwritable(path: Path) -> str | None:
    """Return why no file can be written at ``path``, as far as folders tell; None where it can."""
    if path.is_dir():
        return "it is a folder"
    if _is_stream(path):
        return None if os.access(path, os.W_OK) else "it takes nothing"
    path = _end_of_links(path)
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
        _replace_this(link, lambda copy: shutil.copyfile(target, copy))
        return
    try:
        os.replace(partial, link)
    finally:
        partial.unlink(missing_ok=True)
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
    """Delete what processes of this machine that were killed while writing left behind."""
    for path in folder.iterdir():
        found = _PARTIAL.fullmatch(path.name)
        if found and not _is_running(int(found["pid"])) and (path.is_file() or path.is_symlink()):
            path.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(
        f".{path.name[:_NAME_LENGTH]}.{os.getpid()}-{uuid.uuid4().hex[:8]}.partial"
    )


def _end_of_links(path: Path) -> Path:
    # Links to what has no name, such as /dev/stdout, lead nowhere by name.
    return Path(os.path.realpath(path)) if path.is_symlink() and not _is_stream(path) else path


def _is_stream(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def _replace(partial: Path, path: Path) -> None:
    """Move a file to its place, with the permissions of the one that it replaces."""
    with contextlib.suppress(OSError):  # there is none, or a file system without permissions
        os.chmod(partial, stat.S_IMODE(path.stat().st_mode))
    os.replace(partial, path)


def _is_running(pid: int) -> bool:
    """Whether another process of this number runs; where the system does not tell, one does."""
    if pid == os.getpid():  # of one before it: in a container all runs may have the same number
        return False
    if os.name == "nt":  # a signal would end it there
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
