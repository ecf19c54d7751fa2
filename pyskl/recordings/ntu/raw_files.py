"""Find and read ``.skeleton`` files in folders and zip archives."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyskl.datasets.ntu_names import parse_name
from pyskl.errors import InputError
from pyskl.recordings.ntu.skeleton_file import MAX_BYTES
from pyskl.recordings.recording import RecordingError

SUFFIX = ".skeleton"


@dataclass(frozen=True)
class RawFile:
    """A raw file in a folder or zip archive.

    Attributes:
        name: The sample's id: its name without ``.skeleton``.
        path: The file, or the archive.
        size: Bytes.
        stamp: Changes with the content: modification time, or checksum.
        member: Its entry in an archive.
    """

    name: str
    path: str
    size: int
    stamp: int
    member: zipfile.ZipInfo | None = None

    @property
    def location(self) -> str:
        """The path for messages."""
        return self.path if self.member is None else f"{self.path}:{self.member.filename}"

    def read(self) -> bytes:
        """Return its content.

        Raises:
            RecordingError: if it is damaged in its archive.
            OSError: if it can't be read.
        """
        with open(self.path, "rb") as file:
            if self.member is None:
                return file.read(MAX_BYTES + 1)
            try:
                # Opening the archive would read the entries of all its files each time. The content
                # follows a header: 26 bytes, two lengths, and two fields of these lengths (PKWARE's
                # APPNOTE, 4.3.7).
                file.seek(self.member.header_offset + 26)
                file.seek(sum(struct.unpack("<HH", file.read(4))), os.SEEK_CUR)
                with zipfile.ZipExtFile(file, "r", self.member) as content:
                    return content.read()
            except (zipfile.BadZipFile, zlib.error, EOFError, struct.error) as error:
                raise RecordingError(
                    "it is damaged in its archive", file=self.location, found=str(error)
                ) from error


def find_raw_files(roots: Sequence[str | Path]) -> tuple[list[RawFile], list[str], int]:
    """Find the raw files of folders (at any depth), zip archives and single files.

    If a sample has several files, the first is used, in the order of the roots; in a root, unpacked
    files come before archives. Hidden files and folders are skipped.

    Args:
        roots: The places.

    Returns:
        The files sorted by name, one per sample; messages about files that can't be used, or differ
        in size from the one used; the number of further files of the same samples.

    Raises:
        InputError: if a place does not exist, or there is no raw file at all.
    """
    chosen: dict[str, RawFile] = {}
    problems: list[str] = []
    repeated = 0
    for root in map(Path, roots):
        if not root.exists():
            raise InputError("there is no such file or folder", file=root)
        for found in _search(root):
            if isinstance(found, RecordingError):
                problems.append(str(found))
                continue
            try:
                parse_name(found.name)
            except InputError as error:
                problems.append(f"{found.location}: {error}")
                continue
            first = chosen.setdefault(found.name, found)
            if first is not found:
                repeated += 1
                if first.size != found.size and first.path != found.path:
                    problem = "it is not used, as another file of this sample differs in size"
                    problems.append(f"{found.location}: {problem} ({first.location})")
    if not chosen:
        raise InputError(
            f"there are no {SUFFIX} files of NTU RGB+D, in folders or zip archives",
            file=", ".join(map(str, roots)),
            found=problems[0] if problems else "none",
        )
    return [chosen[name] for name in sorted(chosen)], problems, repeated


def _search(root: Path) -> Iterator[RawFile | RecordingError]:
    """Yield the raw files of a place, those in archives last, and the errors of others."""
    archives = []
    for path in _paths(root):
        stem, suffix = os.path.splitext(path)
        if suffix.lower() == SUFFIX:
            try:
                stat = os.stat(path)
            except OSError as error:
                yield RecordingError("it can't be read", file=path, found=error.strerror)
                continue
            yield RawFile(os.path.basename(stem), path, stat.st_size, stat.st_mtime_ns)
        elif suffix.lower() == ".zip":
            archives.append(path)
    for path in archives:
        yield from _members(path)


def _paths(root: Path) -> Iterator[str]:
    """Yield the files of a folder and those below it in the order of their names."""
    if not root.is_dir():
        yield str(root)
        return
    visited = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        place = os.path.realpath(folder)
        if place in visited:  # reached again through a link
            folders.clear()
            continue
        visited.add(place)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(folder, name) for name in sorted(names) if name[0] != ".")


def _members(path: str) -> Iterator[RawFile | RecordingError]:
    """Yield the raw files of a zip archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError) as error:
        yield RecordingError("not a readable zip archive", file=path, found=str(error))
        return
    for entry in entries:
        stem, suffix = os.path.splitext(entry.filename.rpartition("/")[2])
        if entry.is_dir() or suffix.lower() != SUFFIX or stem.startswith("."):
            continue
        file = RawFile(stem, path, entry.file_size, entry.CRC, entry)
        if entry.flag_bits & 1:
            yield RecordingError("it is encrypted", file=file.location)
        elif entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            yield RecordingError(
                "unknown compression", file=file.location, found=entry.compress_type
            )
        elif max(entry.file_size, entry.compress_size) > MAX_BYTES:
            yield RecordingError(
                "it is too large for a recording",
                file=file.location,
                found=f"{entry.file_size} bytes",
            )
        else:
            yield file
