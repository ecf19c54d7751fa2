"""Optical markers (``.c3d``), through the package ``c3d``, which is imported only here."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import IO, Any

import numpy as np

from pyskl.recordings.numbers import MAX_JOINTS, seen_joints
from pyskl.recordings.options import ReadOptions
from pyskl.recordings.persons import seen_mask
from pyskl.recordings.recording import Recording, RecordingError


def read(path: Path, options: ReadOptions) -> list[Recording]:
    """Read the markers of a ``.c3d`` file as joints, in its units; those not seen are zero."""
    try:
        c3d: Any = importlib.import_module("c3d")
    except ImportError as error:
        raise RecordingError(
            f"{path}: C3D files are read with the package c3d, which is not installed: "
            "pip install 'pyskl[mocap]'"
        ) from error
    if not path.is_file():
        raise RecordingError(f"{path} is not a regular file")
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is missing in the end is told below
        try:
            points, labels, fps, announced = _points(c3d.Reader(file), file)
        except RecordingError as error:
            raise RecordingError(f"{path}: {error}") from None
        except Exception as error:  # a damaged file fails in any way that its bytes can spell
            raise RecordingError(
                f"{path}: this is no readable C3D file ({type(error).__name__}: {error})"
            ) from error
    if len(points) != announced:
        raise RecordingError(
            f"{path}: {announced} frames are announced, {len(points)} follow; the file may be cut "
            "short"
        )
    positions = points[..., :3].astype(np.float64)  # T, V, 3
    positions[points[..., 3] < 0] = np.nan
    keypoint, _ = seen_joints(positions[None], None, str(path))
    if not seen_mask(keypoint, None).any():
        raise RecordingError(f"{path}: no marker was seen in any frame")
    unique = len(set(labels)) == len(labels) == keypoint.shape[2]
    return [
        Recording(
            path.stem,
            keypoint,
            fps=fps if fps > 0 else options.fps,
            joint_names=tuple(labels) if unique else (),
        )
    ]


def _points(reader: Any, file: IO[bytes]) -> tuple[np.ndarray, list[str], float, int]:
    """Return points (T, V, 5), their names, the frames per second and how many frames there are."""
    count, announced = int(reader.point_used), int(reader.last_frame - reader.first_frame + 1)
    if not 0 < count <= MAX_JOINTS or announced < 1:
        raise RecordingError(f"{count} markers in {announced} frames")
    frames = [points for _, points, _ in reader.read_frames(analog_transform=False)]
    labels = [str(label).strip() for label in reader.point_labels][:count]
    shape = (0, count, 5)
    return (
        (np.stack(frames) if frames else np.zeros(shape)),
        labels,
        float(reader.point_rate),
        announced,
    )
