"""Find the recordings in files and folders."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyskl.recordings.formats import FORMATS
from pyskl.recordings.numbers import natural_key
from pyskl.recordings.openpose import is_openpose_folder
from pyskl.recordings.recording import Recording, RecordingError


@dataclass(frozen=True)
class RecordingPath:
    """A file (for OpenPose a folder) with recordings.

    Attributes:
        path: Where it is.
        name: Its id: the path without suffix, relative to the folder that was searched.
        folder: The name of the folder that it is in.
    """

    path: Path
    name: str
    folder: str

    def name_of(self, recording: Recording) -> str:
        """Return the id of a recording in it, with the recording's own name if it has several."""
        own = recording.name.partition("/")[2]
        return f"{self.name}/{own}" if own else self.name


@dataclass
class FoundRecordings:
    """The files with recordings, in order, and the number of other files by suffix."""

    paths: list[RecordingPath] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)


def find_recordings(
    paths: Sequence[str | Path], *, format: str = "auto", without: Collection[Path] = ()
) -> FoundRecordings:
    """Find the recordings among files and, at any depth, in folders.

    Args:
        paths: Files and folders. If there are several folders, ids begin with the folder's name.
        format: A name of :data:`FORMATS`, to find files with its suffixes; ``'auto'`` for all.
        without: Files to leave out, such as tables of labels.

    Raises:
        RecordingError: if a path does not exist, or nothing is found.
    """
    readers = FORMATS.values() if format == "auto" else [FORMATS[format]]
    suffixes = {suffix for reader in readers for suffix in reader.suffixes}
    left_out = {path.resolve() for path in without}
    folders = [path for path in map(Path, paths) if path.is_dir() and not is_openpose_folder(path)]
    found = FoundRecordings()
    for path in map(Path, paths):
        whole = path.resolve()  # '.' has no name
        if not path.exists():
            raise RecordingError(
                "there is no such file or folder", file=path, hint=f"looked in {whole.parent}"
            )
        if path in folders:
            prefix = f"{whole.name}/" if len(folders) > 1 else ""
            _search(path, prefix, suffixes, left_out, found)
        else:
            name = whole.name if path.is_dir() else whole.stem
            found.paths.append(RecordingPath(path, name, whole.parent.name))
    if not found.paths:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in found.ignored.most_common(5))
        raise RecordingError(
            "there are no recordings",
            file=", ".join(map(str, paths)),
            found=kinds or "no files",
            expected=", ".join(sorted(suffixes - {"/"})) or "folders with *_keypoints.json",
        )
    return found


def _search(
    root: Path, prefix: str, suffixes: set[str], left_out: set[Path], found: FoundRecordings
) -> None:
    def add(path: Path, relative: Path) -> None:
        found.paths.append(
            RecordingPath(path, prefix + relative.as_posix(), path.resolve().parent.name)
        )

    for folder_name, folders, files in os.walk(root):
        folder = Path(folder_name)
        folders[:] = sorted((name for name in folders if name[0] != "."), key=natural_key)
        for name in list(folders):
            if is_openpose_folder(folder / name):
                folders.remove(name)  # its files are the frames of one recording
                if "/" in suffixes:
                    add(folder / name, (folder / name).relative_to(root))
                else:
                    found.ignored["folder of OpenPose"] += 1
        for name in sorted(files, key=natural_key):
            path = folder / name
            suffix = path.suffix.lower()
            if name[0] == "." or suffix == ".asf" or path.resolve() in left_out:
                continue
            if suffix in suffixes:
                add(path, path.relative_to(root).with_suffix(""))
            else:
                found.ignored[suffix or "without suffix"] += 1
