"""Write files atomically: a kill or power cut leaves either the old or the new file.

A file is written under a hidden name in the same folder, flushed and renamed; then the folder is
flushed. The new file keeps the permissions of the old one. If the path is a link, its target is
replaced. Pipes and devices are written directly.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

# Several machines and threads may write to one path, so hidden names are unique. They contain only
# the start of the name, because file systems limit names to 255 bytes.
_NAME_LENGTH = 40
_PARTIAL = re.compile(r"\..*\.(?P<pid>\d+)-[0-9a-f]{8}\.partial", re.DOTALL)


class AtomicFile:
    """A file that is written in pieces and appears at its path on :meth:`commit`.

    Args:
        path: The final path; its folder is created if needed.

    Attributes:
        file: Open for writing bytes.

    Raises:
        OSError: if the folder can't be created or written to.
    """

    def __init__(self, path: Path) -> None:
        self._path = _resolved(path)
        self._partial = self._path if _is_stream(self._path) else _partial_path(self._path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self._partial.open("wb")

    def commit(self) -> None:
        """Move the file to its path; raises OSError if the disk is full."""
        self.file.flush()
        if self._partial != self._path:
            os.fsync(self.file.fileno())
            self.file.close()
            _move(self._partial, self._path)

    def close(self) -> None:
        """Close the file, and delete it unless it was committed."""
        try:
            self.file.close()  # a full disk may be reported here
        finally:
            if self._partial != self._path:
                self._partial.unlink(missing_ok=True)


def replace_with(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file to a hidden path, flush it and move it to ``path``.

    Args:
        path: The final path; its folder is created if needed.
        write: Called with the hidden path. If it fails, ``path`` is unchanged.

    Raises:
        OSError: if the file can't be flushed or moved, in addition to what ``write`` raises.
    """
    path = _resolved(path)
    if _is_stream(path):
        write(path)
        return
    with _partial_file(path) as partial:
        write(partial)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file; if that fails with an OSError, ``path`` is unchanged."""
    replace_with(path, lambda partial: partial.write_bytes(content))


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8; if that fails with an OSError, ``path`` is unchanged."""
    write_bytes(path, text.encode("utf-8"))


def point_to(link: Path, target: Path) -> None:
    """Atomically make ``link`` a link to a file in the same folder.

    Without support for links it becomes a copy.
    """
    try:
        with _partial_file(link) as partial:
            partial.symlink_to(target.name)
    except OSError:  # no support for links, or no permission (Windows)
        with _partial_file(link) as partial:
            shutil.copyfile(target, partial)
            with partial.open("rb+") as file:
                os.fsync(file.fileno())


def unwritable(path: Path) -> str | None:
    """Return why ``path`` can't be written, judged by file types and permissions, or None."""
    if path.is_dir():
        return "it is a folder"
    if _is_stream(path):
        return None if os.access(path, os.W_OK) else "it can't be written to"
    path = _resolved(path)
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return f"{folder} is not a writable folder"
    return None


def flush_folder(folder: Path) -> None:
    """Make renames in the folder survive a power cut, if the system supports it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows does not open folders
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_partial_files(folder: Path) -> None:
    """Delete the hidden files of processes of this machine that no longer run."""
    for path in folder.iterdir():
        found = _PARTIAL.fullmatch(path.name)
        if found and not _is_running(int(found["pid"])) and (path.is_file() or path.is_symlink()):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _partial_file(path: Path) -> Iterator[Path]:
    """Yield a hidden path, and move the file written there to ``path``."""
    partial = _partial_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield partial
        _move(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _partial_path(path: Path) -> Path:
    return path.with_name(
        f".{path.name[:_NAME_LENGTH]}.{os.getpid()}-{uuid.uuid4().hex[:8]}.partial"
    )


def _move(partial: Path, path: Path) -> None:
    """Move a file to its path, and keep the permissions of the file that it replaces."""
    if not partial.is_symlink():
        with contextlib.suppress(OSError):  # nothing to replace, or no permissions here
            partial.chmod(stat.S_IMODE(path.stat().st_mode))
    os.replace(partial, path)
    flush_folder(path.parent)


def _resolved(path: Path) -> Path:
    # Links to something without a name, such as /dev/stdout, can't be resolved.
    return Path(os.path.realpath(path)) if path.is_symlink() and not _is_stream(path) else path


def _is_stream(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def _is_running(pid: int) -> bool:
    """Return whether another process with this id runs; True if unknown."""
    if pid == os.getpid():  # of an earlier process: containers reuse ids
        return False
    if os.name == "nt":  # os.kill would terminate the process
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True
