"""Finding ``.skeleton`` files in folders and zip archives, and reading them where they are."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pyskl.datasets.ntu_names import parse_name
from pyskl.errors import InputError
from pyskl.recordings.ntu.skeleton_file import MAX_BYTES, SkeletonFileError

SUFFIX = ".skeleton"

# Of a zip archive's local header, which stands before a file: how long it is but for the name and
# the extra field, and where their lengths are (PKWARE's APPNOTE, 4.3.7).
_HEADER_BYTES, _NAME_LENGTH, _EXTRA_LENGTH = 30, slice(26, 28), slice(28, 30)


class Member(NamedTuple):
    """Where a file is in a zip archive.

    Attributes:
        name: What the archive calls it.
        offset: Of its local header.
        compressed: Its size there, bytes.
        method: ``zipfile.ZIP_STORED`` or ``zipfile.ZIP_DEFLATED``.
    """

    name: str
    offset: int
    compressed: int
    method: int


class RawFile(NamedTuple):
    """A raw file, in a folder or a zip archive.

    Attributes:
        stem: Its name without ``.skeleton``: the sample's id.
        path: The file, or the archive.
        size: Its size, bytes.
        stamp: What changes with its content: the time of the last change, or the checksum.
        member: Where it is in an archive.
    """

    stem: str
    path: str
    size: int
    stamp: int
    member: Member | None = None

    @property
    def shown(self) -> str:
        """What messages call it."""
        return self.path if self.member is None else f"{self.path}:{self.member.name}"

    def read(self) -> bytes:
        """Return its content.

        Raises:
            SkeletonFileError: if it is damaged in its archive.
            OSError: if it can't be read.
        """
        with open(self.path, "rb") as file:
            if self.member is None:
                return file.read(MAX_BYTES + 1)
            file.seek(self.member.offset)
            header = file.read(_HEADER_BYTES)
            if len(header) == _HEADER_BYTES and header.startswith(b"PK\3\4"):
                lengths = header[_NAME_LENGTH], header[_EXTRA_LENGTH]
                file.seek(sum(int.from_bytes(length, "little") for length in lengths), 1)
                content = self._unpacked(file.read(self.member.compressed))
                if len(content) == self.size and zlib.crc32(content) == self.stamp:
                    return content
        raise SkeletonFileError(f"{self.shown}: it is damaged in its archive")

    def _unpacked(self, packed: bytes) -> bytes:
        if self.member is None or self.member.method == zipfile.ZIP_STORED:
            return packed
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, self.size + 1)
        except zlib.error:
            return b""


class Odd(NamedTuple):
    """A file that is not what it should be.

    Attributes:
        file: What messages call it.
        reason: What is odd.
    """

    file: str
    reason: str


class Listing(NamedTuple):
    """The raw files of some places.

    Attributes:
        files: Sorted by stem, each of which occurs once.
        odd: What is not a sample or not what it should be.
        repeated: How many files were left out since their sample is there already.
    """

    files: list[RawFile]
    odd: list[Odd]
    repeated: int


def find_raw_files(roots: Sequence[str | Path]) -> Listing:
    """Find the raw files of folders (with all below them), zip archives and single files.

    Where several files are of one sample the first is taken: by the order of the roots, unpacked
    files before those in archives. They are odd if their sizes differ. Hidden files and folders are
    passed over.

    Args:
        roots: The places.

    Raises:
        InputError: if a place does not exist, or there is no raw file at all.
    """
    chosen: dict[str, RawFile] = {}
    odd: list[Odd] = []
    repeated = 0
    for root in map(Path, roots):
        if not root.exists():
            raise InputError(f"{root}: there is no such file or folder")
        for found in _below(root):
            if isinstance(found, Odd):
                odd.append(found)
                continue
            try:
                parse_name(found.stem)
            except InputError as error:
                odd.append(Odd(found.shown, str(error)))
                continue
            first = chosen.setdefault(found.stem, found)
            if first is not found:
                repeated += 1
                if first.size != found.size and first.path != found.path:
                    odd.append(
                        Odd(
                            found.shown,
                            f"{first.shown} is of the same sample and another size "
                            f"({found.size} and {first.size} bytes): that one is taken",
                        )
                    )
    if not chosen:
        places = ", ".join(map(str, roots))
        seen = f"; {odd[0].file}: {odd[0].reason}" if odd else ""
        raise InputError(
            f"{places}: no {SUFFIX} files of NTU RGB+D there, in folders or zip archives{seen}"
        )
    return Listing([chosen[stem] for stem in sorted(chosen)], odd, repeated)


def _below(root: Path) -> Iterator[RawFile | Odd]:
    archives = []
    for path in _paths(root):
        suffix = os.path.splitext(path)[1].lower()
        if suffix == SUFFIX:
            try:
                stat = os.stat(path)
            except OSError as error:
                yield Odd(path, f"it can't be read ({error.strerror})")
                continue
            yield RawFile(Path(path).stem, path, stat.st_size, stat.st_mtime_ns)
        elif suffix == ".zip":
            archives.append(path)
    for path in archives:
        yield from _members(path)


def _paths(root: Path) -> Iterator[str]:
    """Yield the files of a folder and of those below it in the order of their names."""
    if not root.is_dir():
        yield str(root)
        return
    visited = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        place = os.path.realpath(folder)
        if place in visited:  # a link leads back
            folders.clear()
            continue
        visited.add(place)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield os.path.join(folder, name)


def _members(path: str) -> Iterator[RawFile | Odd]:
    """Yield the raw files of a zip archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, OSError) as error:
        yield Odd(path, f"this is no readable zip archive ({error})")
        return
    for info in infos:
        name = info.filename.rpartition("/")[2]
        stem, suffix = os.path.splitext(name)
        if info.is_dir() or suffix.lower() != SUFFIX or name.startswith("."):
            continue
        member = Member(info.filename, info.header_offset, info.compress_size, info.compress_type)
        file = RawFile(stem, path, info.file_size, info.CRC, member)
        if info.flag_bits & 1:
            yield Odd(file.shown, "it is encrypted")
        elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            yield Odd(file.shown, f"it is compressed by method {info.compress_type}, not deflate")
        elif max(info.file_size, info.compress_size) > MAX_BYTES:
            yield Odd(file.shown, f"it has {info.file_size} bytes, which no recording has")
        else:
            yield file
