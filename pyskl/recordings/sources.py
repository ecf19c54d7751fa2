"""Which recordings lie in the folders that a user names, and what they are called."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyskl.recordings import openpose
from pyskl.recordings.formats import FORMATS
from pyskl.recordings.numbers import natural_key
from pyskl.recordings.recording import Recording, RecordingError


@dataclass(frozen=True)
class Source:
    """A file (for OpenPose a folder) that holds recordings.

    Attributes:
        path: Where it is.
        name: Its id: the path without suffix, seen from the folder that was named.
        folder: The name of the folder that it lies in.
    """

    path: Path
    name: str
    folder: str

    def name_of(self, recording: Recording) -> str:
        """Return the id of a recording in it: the source's, and its own where it has several."""
        own = recording.name.partition("/")[2]
        return f"{self.name}/{own}" if own else self.name


@dataclass
class Found:
    """What was found: the sources in order, and what was left alone, counted by suffix."""

    sources: list[Source] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)


def find_sources(
    paths: Sequence[str | Path], *, format: str = "auto", without: Collection[Path] = ()
) -> Found:
    """Return the recordings among files and, at any depth, in folders.

    Args:
        paths: Files and folders. Where several folders are named, ids begin with theirs.
        format: A name of :data:`FORMATS`, whose suffixes are looked for; ``'auto'`` for all.
        without: Files that are no recordings: tables of labels, lists.

    Raises:
        RecordingError: if a path does not exist, or there is nothing.
    """
    formats = FORMATS.values() if format == "auto" else [FORMATS[format]]
    suffixes = {suffix for each in formats for suffix in each.suffixes}
    left_out = {path.resolve() for path in without}
    folders = [path for path in map(Path, paths) if path.is_dir() and not _is_openpose(path)]
    found = Found()
    for path in map(Path, paths):
        if not path.exists():
            raise RecordingError(
                f"{path}: there is no such file or folder (looked in {path.parent.resolve()})"
            )
        if path not in folders:
            whole = path.resolve()  # '.' has no name
            name = whole.name if path.is_dir() else whole.stem
            found.sources.append(Source(path, name, whole.parent.name))
            continue
        prefix = f"{path.resolve().name}/" if len(folders) > 1 else ""
        _search(path, prefix, suffixes, left_out, found)
    if not found.sources:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in found.ignored.most_common(5))
        raise RecordingError(
            f"{', '.join(map(str, paths))}: no recordings; looked for "
            f"{', '.join(sorted(suffixes - {'/'})) or 'folders with *_keypoints.json'}"
            f"{f', found {kinds}' if kinds else ', found no files'}"
        )
    return found


def _is_openpose(folder: Path) -> bool:
    return openpose.is_recording(folder)


def _search(root: Path, prefix: str, suffixes: set[str], left_out: set[Path], found: Found) -> None:
    for folder_name, folders, files in os.walk(root):
        folder = Path(folder_name)
        folders[:] = sorted((name for name in folders if name[0] != "."), key=natural_key)
        for name in list(folders):
            if _is_openpose(folder / name):
                folders.remove(name)  # its files are the frames of one recording
                if "/" in suffixes:
                    found.sources.append(_source(folder / name, root, prefix))
                else:
                    found.ignored["folder of OpenPose"] += 1
        for name in sorted(files, key=natural_key):
            path = folder / name
            suffix = path.suffix.lower()
            if name[0] == "." or suffix == ".asf" or path.resolve() in left_out:
                continue
            if suffix in suffixes:
                found.sources.append(_source(path, root, prefix))
            else:
                found.ignored[suffix or "without suffix"] += 1


def _source(path: Path, root: Path, prefix: str) -> Source:
    relative = path.relative_to(root)
    name = relative if path.is_dir() else relative.with_suffix("")
    return Source(path, prefix + name.as_posix(), path.resolve().parent.name)
