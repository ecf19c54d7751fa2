"""Find the skeletons in a video with a pose estimator, frame by frame.

The estimators are those of ``rtmlib``, which run RTMPose (Jiang et al., 2023) with onnxruntime; any
function with the same arguments works. OpenCV reads the frames.

Shapes: P persons found in a frame, M persons, T frames, V joints, H height, W width.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pyskl.errors import InputError
from pyskl.recordings import Recording, RecordingError
from pyskl.recordings.alphapose import layout_of
from pyskl.recordings.numbers import seen_joints
from pyskl.recordings.persons import Detections, arrange
from pyskl.runtime.onnx import first_line
from pyskl.skeleton import SkeletonLayout

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")

# Persons with a lower mean score are dropped: the estimators return one even if nobody is there.
_MIN_SCORE = 0.3

# The classes of rtmlib by the layout that they estimate.
_SOLUTIONS = {"coco": "Body", "halpe26": "BodyWithFeet"}


class PoseEstimator(Protocol):
    """A function that finds skeletons in a picture, like the classes of ``rtmlib``."""

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return joints (P, V, 2), x and y in pixels, and scores (P, V) of a picture (H, W, 3)."""


def read_video(path: str | Path, estimator: PoseEstimator, *, persons: int | None = 2) -> Recording:
    """Find the skeletons in a video.

    Args:
        path: The video.
        estimator: Is called with each frame, (H, W, 3) uint8 in the order blue, green, red.
        persons: Number of persons to keep at most, the most active ones; see
            :func:`pyskl.recordings.persons.arrange`.

    Returns:
        ``keypoint`` (M, T, V, 2) in pixels and ``score`` (M, T, V).

    Raises:
        RecordingError: if the video can't be read, or has no persons.
    """
    try:
        import cv2
    except ImportError as error:
        raise InputError(
            f"a video needs OpenCV ({error})", file=path, hint="pip install opencv-python"
        ) from error
    path = Path(path)
    frames: list[int] = []
    joints: list[np.ndarray] = []
    scores: list[np.ndarray] = []
    total, size = 0, (1, 1)
    video = cv2.VideoCapture(str(path))
    try:
        fps = float(video.get(cv2.CAP_PROP_FPS))
        while True:
            is_frame, image = video.read()
            if not is_frame:
                break
            size = (int(image.shape[0]), int(image.shape[1]))
            found, confidences = _estimate(estimator, image, path, total)
            frames += [total] * len(found)
            joints += list(found)
            scores += list(confidences)
            total += 1
    finally:
        video.release()
    if not total:
        raise RecordingError("OpenCV finds no frames in it", file=path)
    if not joints:
        raise RecordingError("nobody was found", file=path, found=f"{total} frames")
    keypoint, score = seen_joints(np.stack(joints), np.stack(scores), str(path))
    detections = Detections(np.array(frames, np.int64), total, keypoint, score)
    keypoint, score = arrange(detections, persons, str(path))
    layout = layout_of(keypoint.shape[2])
    return Recording(path.stem, keypoint, score, size, fps if 0 < fps < 1000 else None, layout)


def _estimate(
    estimator: PoseEstimator, image: np.ndarray, path: Path, frame: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the joints (P, V, 2) and scores (P, V) of the persons in a frame."""
    found = estimator(image)
    joints, scores = (np.asarray(one, dtype=np.float64) for one in found)
    if joints.size == 0:
        return np.zeros((0, 0, 2)), np.zeros((0, 0))
    if joints.ndim != 3 or joints.shape[2] != 2 or scores.shape != joints.shape[:2]:
        raise RecordingError(
            f"wrong shapes from the pose estimator in frame {frame}",
            file=path,
            found=f"{joints.shape} and {scores.shape}",
            expected="(P, V, 2) and (P, V)",
        )
    keep = scores.clip(0, 1).mean(axis=1) >= _MIN_SCORE
    return joints[keep], scores[keep]


def rtmlib_estimator(
    layout: SkeletonLayout | None,
    *,
    weights: Sequence[str | Path] = (),
    device: str = "cpu",
) -> PoseEstimator:
    """Return the estimator of ``rtmlib`` for a layout. Nothing is downloaded.

    Args:
        layout: Layout of the model, ``coco`` or ``halpe26``; None stands for ``coco``.
        weights: The ``.onnx`` files of the person detector and of the pose estimator; by default
            those that ``rtmlib`` calls balanced, from its cache.
        device: ``'cpu'`` or ``'cuda'``.

    Raises:
        InputError: if ``rtmlib`` or its weights are missing, or it has none for the layout.
    """
    name = "coco" if layout is None else layout.name
    if name not in _SOLUTIONS:
        raise InputError(
            "no pose estimator for the skeletons of this model",
            key="layout",
            found=name,
            expected=" or ".join(_SOLUTIONS),
        )
    try:
        import rtmlib
    except ImportError as error:
        raise InputError(
            f"videos need rtmlib ({error})", hint="pip install rtmlib, or give keypoints instead"
        ) from error
    solution = getattr(rtmlib, _SOLUTIONS[name])
    arguments = _given_weights(weights) if weights else _cached_weights(solution)
    try:
        with redirect_stdout(sys.stderr):  # it prints what it loads
            return solution(**arguments, backend="onnxruntime", device=device)
    except Exception as error:  # damaged weights raise errors without a common base
        raise InputError(
            f"rtmlib can't load its weights: {first_line(error)}",
            key="--pose-weights",
            found=f"{arguments['det']} and {arguments['pose']}",
        ) from error


def _given_weights(weights: Sequence[str | Path]) -> dict[str, Any]:
    """Return the arguments of rtmlib for the files of a detector and a pose estimator."""
    import onnxruntime  # rtmlib needs it, too

    arguments: dict[str, Any] = {}
    for key, path in zip(("det", "pose"), weights, strict=True):
        if not Path(path).is_file():
            raise InputError("there are no such weights", file=path, key="--pose-weights")
        try:
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            *_, height, width = session.get_inputs()[0].shape
            arguments[key], arguments[f"{key}_input_size"] = str(path), (int(width), int(height))
        except Exception as error:  # the error classes of onnxruntime have no common base
            raise InputError(
                f"onnxruntime can't load it: {first_line(error)}", file=path
            ) from error
    return arguments


def _cached_weights(solution: Any) -> dict[str, Any]:
    """Return the arguments of rtmlib for the weights that it has downloaded before."""
    mode = solution.MODE["balanced"]
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "rtmlib"))
    folder = Path(home).expanduser() / "hub" / "checkpoints"
    arguments: dict[str, Any] = {}
    missing = []
    for key in ("det", "pose"):
        # The name that rtmlib gives to the file that it unpacks.
        path = folder / f"{Path(mode[key]).name.split('.')[0]}.onnx"
        arguments[key], arguments[f"{key}_input_size"] = str(path), mode[f"{key}_input_size"]
        if not path.is_file():
            missing.append(InputError("missing", file=path, expected=f"the file from {mode[key]}"))
    if missing:
        command = f"import rtmlib; rtmlib.{solution.__name__}()"
        raise InputError(
            "rtmlib has not downloaded its weights",
            hint=f'python -c "{command}" downloads them; or give --pose-weights DETECTOR POSE',
            errors=missing,
        )
    return arguments
