"""Process raw files in batches, and keep each batch in a file so that a run can resume.

The name of a batch file is a hash of the raw files (name, size, time of change or checksum) and of
the version of this package. Worker processes write batch files, and the annotation files are made
from them, so at most one batch is in memory.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pyskl import __version__
from pyskl.files.atomic import write_bytes
from pyskl.files.pickling import dump_pickle
from pyskl.recordings.ntu.raw_files import RawFile
from pyskl.recordings.ntu.skeleton_file import read_skeleton_file
from pyskl.recordings.ntu.tracks import tracks_of
from pyskl.recordings.recording import RecordingError
from pyskl.unpickling.load import load_plain_pickle

# Raise this if the same raw files give other samples than before.
_FORMAT = 2


class Batch(NamedTuple):
    """The samples of some raw files.

    Attributes:
        samples: (name, keypoint (M, T, V, C) as float16) of each sample.
        problems: Messages about the raw files that gave no sample.
        incomplete: Whether a file could not be read, for example from a disconnected disk.
    """

    samples: list[tuple[str, np.ndarray]]
    problems: list[str]
    incomplete: bool


def batch_path(folder: Path, files: Sequence[RawFile]) -> Path:
    """Return the path of the batch file of some raw files."""
    digest = hashlib.sha256(f"{_FORMAT} {__version__}".encode())
    for file in files:
        line = f"\n{file.location} {file.size} {file.stamp}"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return folder / f"{digest.hexdigest()[:32]}.pkl"


def load_batch(path: Path) -> Batch | None:
    """Return a batch if its file exists and is complete, else None."""
    try:
        return Batch(*load_plain_pickle(path))
    except (OSError, EOFError, ValueError, TypeError, pickle.UnpicklingError):
        return None


def process_batch(path: Path, files: Sequence[RawFile]) -> None:
    """Read raw files and write their batch file.

    Raises:
        OSError: if the batch file can't be written.
    """
    batch = Batch([], [], False)
    for file in files:
        try:
            batch.samples.append((file.name, stored_keypoint(file)))
        except RecordingError as error:
            batch.problems.append(str(error))
        except OSError as error:
            reason = error.strerror or str(error)
            problem = RecordingError("it can't be read", file=file.location, found=reason)
            batch.problems.append(str(problem))
            batch = batch._replace(incomplete=True)
    write_bytes(path, dump_pickle(tuple(batch)))


def stored_keypoint(file: RawFile) -> np.ndarray:
    """Return the keypoints (M, T, V, C) of a raw file in float16, as annotation files have them.

    Raises:
        RecordingError: if the file is malformed, has coordinates beyond float16, or no body that
            can be a person.
        OSError: if it can't be read.
    """
    try:
        keypoint = tracks_of(read_skeleton_file(file.read()))
        with np.errstate(over="ignore"):
            stored = keypoint.astype("<f2", order="C")
        if not np.isfinite(stored).all():
            farthest = float(np.abs(keypoint).max())
            raise RecordingError("a coordinate is too large for float16", found=f"{farthest:g} m")
        return stored
    except RecordingError as error:
        raise error.in_file(file.location) from error
