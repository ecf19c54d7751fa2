"""Read optical markers (``.c3d``) with the package ``c3d``."""

from __future__ import annotations

import importlib
import struct
import warnings
from typing import Any

import numpy as np

from pyskl.recordings.input_file import InputFile
from pyskl.recordings.numbers import MAX_JOINTS, seen_joints
from pyskl.recordings.reader import Reader, ReadOptions
from pyskl.recordings.recording import Recording, RecordingError

# What the package raises for damaged files.
_DAMAGED = (
    *(ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, LookupError),
    *(MemoryError, NotImplementedError, TypeError, ValueError, struct.error),
)


def _read(file: InputFile, options: ReadOptions) -> list[Recording]:
    """Read the markers as joints, in the file's units."""
    try:
        c3d: Any = importlib.import_module("c3d")
    except ImportError as error:
        raise RecordingError(
            "C3D files need the package c3d", hint="pip install 'pyskl[mocap]'"
        ) from error
    if not file.path.is_file():
        raise RecordingError("this is not a regular file")
    with file.path.open("rb") as content, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # missing frames are checked below
        try:
            reader = c3d.Reader(content)
            count = int(reader.point_used)
            announced = int(reader.last_frame - reader.first_frame + 1)
            if not 0 < count <= MAX_JOINTS or announced < 1:
                raise ValueError(f"{count} markers in {announced} frames")
            frames = [points for _, points, _ in reader.read_frames(analog_transform=False)]
            labels = tuple(str(label).strip() for label in reader.point_labels)[:count]
            fps = float(reader.point_rate)
            points = np.stack(frames) if frames else np.zeros((0, count, 5))  # T, V, 5
        except _DAMAGED as error:
            raise RecordingError(
                "not a readable C3D file", found=f"{type(error).__name__}: {error}"
            ) from error
    if len(points) != announced:
        raise RecordingError(
            "wrong number of frames",
            found=len(points),
            expected=f"{announced}, as announced",
            hint="the file may be cut short",
        )
    positions = points[..., :3].astype(np.float64)
    positions[points[..., 3] < 0] = np.nan
    keypoint, _ = seen_joints(positions[None], None)
    if not keypoint.any():
        raise RecordingError("no marker was seen in any frame")
    unique = len(set(labels)) == len(labels) == keypoint.shape[2]
    return [
        Recording(
            file.path.stem,
            keypoint,
            fps=fps if fps > 0 else options.fps,
            joint_names=labels if unique else (),
        )
    ]


READER = Reader("c3d", (".c3d",), _read)
