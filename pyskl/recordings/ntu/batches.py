"""Batches of raw files, processed one at a time and kept in files, so that a run can resume.

A batch file holds the stored keypoints of its samples; its name is a hash of the raw files (name,
size, time of change or checksum) and of the version of this package. Workers write batch files, and
the annotation files are made from them, so at most one batch is in memory.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyskl import __version__
from pyskl.files.atomic import replace_with
from pyskl.recordings.ntu.raw_files import RawFile
from pyskl.recordings.ntu.skeleton_file import NUM_JOINTS, read_skeleton_file
from pyskl.recordings.ntu.tracks import tracks_of
from pyskl.recordings.recording import RecordingError

# To be raised when the same raw files give other samples.
_FORMAT = 2

_DTYPE = np.dtype("<f2")


@dataclass(frozen=True)
class Batch:
    """A processed batch, without the keypoints.

    Attributes:
        path: The batch file.
        samples: (name, persons M, frames T) of its samples, in order.
        problems: Messages about the raw files that gave no sample.
        incomplete: Whether a file could not be read, such as on a disk that was not connected.
    """

    path: Path
    samples: list[tuple[str, int, int]]
    problems: list[str]
    incomplete: bool

    def keypoints(self) -> Iterator[np.ndarray]:
        """Yield the keypoints (M, T, V, C) of each sample, float16."""
        with np.load(self.path, allow_pickle=False) as arrays:
            flat = arrays["keypoint"]
        start = 0
        for _, persons, frames in self.samples:
            stop = start + persons * frames
            yield flat[start:stop].reshape(persons, frames, NUM_JOINTS, 3)
            start = stop


def batch_path(folder: Path, files: Sequence[RawFile]) -> Path:
    """Return the path of the batch file of some raw files."""
    digest = hashlib.sha256(f"{_FORMAT} {__version__}".encode())
    for file in files:
        line = f"\n{file.location} {file.size} {file.stamp}"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return folder / f"{digest.hexdigest()[:32]}.npz"


def open_batch(path: Path) -> Batch | None:
    """Return a batch if its file exists and is whole, else None."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            info = json.loads(arrays["info"].item())
            arrays.zip.getinfo("keypoint.npy")
        samples = [(str(name), int(persons), int(frames)) for name, persons, frames in info[0]]
        return Batch(path, samples, list(info[1]), bool(info[2]))
    except (OSError, EOFError, ValueError, KeyError, AttributeError, zipfile.BadZipFile):
        return None


def process_batch(path: Path, files: Sequence[RawFile]) -> None:
    """Read raw files and write their batch file.

    Raises:
        OSError: if the batch file can't be written.
    """
    keypoints = [np.zeros((0, NUM_JOINTS, 3), _DTYPE)]
    samples, problems, incomplete = [], [], False
    for file in files:
        try:
            keypoint = stored_keypoint(file)
        except RecordingError as error:
            problems.append(str(error))
        except OSError as error:
            reason = error.strerror or str(error)
            problems.append(
                str(RecordingError("it can't be read", file=file.location, found=reason))
            )
            incomplete = True
        else:
            samples.append((file.name, *keypoint.shape[:2]))
            keypoints.append(keypoint.reshape(-1, NUM_JOINTS, 3))
    info = np.array(json.dumps([samples, problems, incomplete]))

    def write(partial: Path) -> None:
        with partial.open("wb") as file:
            np.savez(file, info=info, keypoint=np.concatenate(keypoints))

    replace_with(path, write)


def stored_keypoint(file: RawFile) -> np.ndarray:
    """Return the keypoints (M, T, V, C) that annotation files have of a raw file, float16.

    Raises:
        RecordingError: if the file is malformed, has coordinates beyond float16, or no body that
            can be a person.
        OSError: if it can't be read.
    """
    try:
        keypoint = tracks_of(read_skeleton_file(file.read()))
        with np.errstate(over="ignore"):
            stored = keypoint.astype(_DTYPE, order="C")
        if not np.isfinite(stored).all():
            farthest = float(np.abs(keypoint).max())
            raise RecordingError("a coordinate is too large for float16", found=f"{farthest:g} m")
        return stored
    except RecordingError as error:
        raise error.in_file(file.location) from error
