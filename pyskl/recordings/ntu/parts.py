"""Parts: what a worker made of some raw files, in a file of their own.

A run of hours that is cut short goes on with the parts that are there, and the samples get from the
workers to the annotation file without passing through anybody's memory but a part at a time. A part
is a line of JSON and after it the keypoints of all samples, float16. Its name is a hash of the raw
files (name, size, time of change or checksum) and of the version of this package.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyskl import __version__
from pyskl.files.atomic import replace_with
from pyskl.recordings.ntu.careful_reader import NUM_JOINTS
from pyskl.recordings.ntu.raw_files import Odd, RawFile
from pyskl.recordings.ntu.skeleton_file import SkeletonFileError, read_skeleton_file
from pyskl.recordings.ntu.tracks import NoBodyError, tracks_of

# To be raised when other samples come out of the same files.
_FORMAT = 1

_FRAME_SHAPE = (NUM_JOINTS, 3)
_DTYPE = np.dtype("<f2")


@dataclass(frozen=True)
class Part:
    """What a part has, but for the keypoints.

    Attributes:
        path: The file.
        shapes: (name, persons M, frames T) of its samples, in order.
        odd: The raw files that gave no sample.
        unread: Whether one of them could not be read, as when a disk is not there for a moment.
    """

    path: Path
    shapes: list[tuple[str, int, int]]
    odd: list[Odd]
    unread: bool

    def keypoints(self) -> Iterator[np.ndarray]:
        """Yield the keypoints (M, T, V, C) of each sample, float16."""
        with self.path.open("rb") as file:
            file.readline()
            for _, persons, frames in self.shapes:
                shape = (persons, frames, *_FRAME_SHAPE)
                data = file.read(int(np.prod(shape)) * _DTYPE.itemsize)
                yield np.frombuffer(data, _DTYPE).reshape(shape)


def part_path(folder: Path, files: Sequence[RawFile]) -> Path:
    """Return where the part of some raw files is, or has to be."""
    digest = hashlib.sha256(f"{_FORMAT} {__version__}".encode())
    for file in files:
        digest.update(f"\n{file.shown} {file.size} {file.stamp}".encode("utf-8", "surrogateescape"))
    return folder / f"{digest.hexdigest()[:32]}.part"


def open_part(path: Path) -> Part | None:
    """Return a part that is there and whole."""
    try:
        with path.open("rb") as file:
            head = json.loads(line := file.readline())
        shapes = [
            (str(name), int(persons), int(frames)) for name, persons, frames in head["shapes"]
        ]
        frames_in_all = sum(persons * frames for _, persons, frames in shapes)
        size = len(line) + frames_in_all * int(np.prod(_FRAME_SHAPE)) * _DTYPE.itemsize
        if path.stat().st_size != size:
            return None
        odd = [Odd(str(file), str(reason)) for file, reason in head["odd"]]
        return Part(path, shapes, odd, bool(head["unread"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def make_part(path: Path, files: Sequence[RawFile]) -> None:
    """Read raw files and write their part.

    Raises:
        OSError: if the part can't be written.
    """
    keypoints, shapes, odd, unread = [], [], [], False
    for file in files:
        try:
            keypoint = stored_keypoint(file)
        except (SkeletonFileError, NoBodyError) as error:
            odd.append(Odd(file.shown, str(error).removeprefix(f"{file.shown}: ")))
        except OSError as error:
            odd.append(Odd(file.shown, f"it can't be read ({error.strerror or error})"))
            unread = True
        else:
            keypoints.append(keypoint)
            shapes.append((file.stem, *keypoint.shape[:2]))
    head = json.dumps({"shapes": shapes, "odd": odd, "unread": unread})

    def write(partial: Path) -> None:
        with partial.open("wb") as target:
            target.write(head.encode() + b"\n")
            for keypoint in keypoints:
                target.write(keypoint.tobytes())

    replace_with(path, write)


def stored_keypoint(file: RawFile) -> np.ndarray:
    """Return the keypoints (M, T, V, C) that the annotation file has of a raw file, float16.

    Raises:
        SkeletonFileError: if the file is malformed, or has coordinates beyond float16.
        NoBodyError: if it has no body that can be a person.
        OSError: if it can't be read.
    """
    keypoint = tracks_of(read_skeleton_file(file.read(), file.shown))
    with np.errstate(over="ignore"):
        stored = keypoint.astype(_DTYPE, order="C")
    if not np.isfinite(stored).all():
        farthest = float(np.abs(keypoint).max())
        raise SkeletonFileError(
            f"{file.shown}: a joint is {farthest:g} m away, more than float16 can hold"
        )
    return stored
