"""Videos: a pose estimator finds the skeletons, frame by frame.

The estimators are those of ``rtmlib``, which run RTMPose (Jiang et al., 2023) by onnxruntime; any
function of the same kind will do. OpenCV reads the frames.

Shapes: P persons found in a frame, M persons, T frames, V joints, H height, W width.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pyskl.errors import InputError
from pyskl.recordings import Recording, RecordingError
from pyskl.recordings.alphapose import layout_of
from pyskl.recordings.numbers import seen_joints
from pyskl.recordings.persons import Detections, arrange
from pyskl.skeleton import SkeletonLayout

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")

# Who scores less on average is taken for nobody: an estimator that is given no person finds one.
_LEAST_SCORE = 0.3

# The classes of rtmlib by the layout of what they find.
_SOLUTIONS = {"coco": "Body", "halpe26": "BodyWithFeet"}


class PoseEstimator(Protocol):
    """What finds skeletons in a picture, as the classes of ``rtmlib`` do."""

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return joints (P, V, 2), x and y in pixels, and scores (P, V) of a picture (H, W, 3)."""


def read_video(path: str | Path, estimator: PoseEstimator, *, persons: int | None = 2) -> Recording:
    """Find the skeletons of a video.

    Args:
        path: The video.
        estimator: Called with each frame, (H, W, 3) uint8 in the order blue, green, red.
        persons: How many persons to keep at most, the most active; see
            :func:`pyskl.recordings.persons.arrange`.

    Returns:
        ``keypoint`` (M, T, V, 2) in pixels and ``score`` (M, T, V).

    Raises:
        RecordingError: if the video can't be read, or nobody is in it.
    """
    path = Path(path)
    frames: list[int] = []
    joints: list[np.ndarray] = []
    scores: list[np.ndarray] = []
    total, size = 0, (1, 1)
    with _opened(path) as (images, fps):
        for image in images:
            size = (int(image.shape[0]), int(image.shape[1]))
            found, sure = _found(estimator(image), path, total)
            frames += [total] * len(found)
            joints += list(found)
            scores += list(sure)
            total += 1
    if not total:
        raise RecordingError(f"{path}: OpenCV finds no frames in it; is it a whole video?")
    if not joints:
        raise RecordingError(f"{path}: nobody was found in any of its {total} frames")
    keypoint, score = seen_joints(np.stack(joints), np.stack(scores), str(path))
    detections = Detections(np.array(frames, np.int64), total, keypoint, score)
    keypoint, score = arrange(detections, persons, str(path))
    layout = layout_of(keypoint.shape[2])
    return Recording(path.stem, keypoint, score, size, fps, layout)


def rtmlib_estimator(
    layout: SkeletonLayout | None,
    *,
    weights: Sequence[str | Path] = (),
    device: str = "cpu",
) -> PoseEstimator:
    """Return the estimator of ``rtmlib`` for a layout.

    Nothing is downloaded: the weights are given, or ``rtmlib`` has fetched them before.

    Args:
        layout: What the model takes: ``'coco'`` or ``'halpe26'``; the former where it is None.
        weights: Two ``.onnx`` files, of the detector of persons and of the pose estimator; by
            default those that ``rtmlib`` calls balanced, from its cache.
        device: ``'cpu'`` or ``'cuda'``.

    Raises:
        InputError: if ``rtmlib`` or its weights are missing, or it has none for the layout.
    """
    name = "coco" if layout is None else layout.name
    if name not in _SOLUTIONS:
        raise InputError(
            f"rtmlib finds skeletons of the layouts {' and '.join(_SOLUTIONS)}, the model takes "
            f"{name!r}: videos are for models of such skeletons"
        )
    try:
        import rtmlib
    except ImportError as error:
        raise InputError(
            "videos are read with rtmlib, which is not installed: pip install rtmlib (or give "
            f"keypoints instead of the video); found: {error}"
        ) from error
    solution = getattr(rtmlib, _SOLUTIONS[name])
    arguments = _given(weights) if weights else _cached(solution, _SOLUTIONS[name])
    try:
        with redirect_stdout(sys.stderr):  # it tells what it loads, among our lines
            return solution(**arguments, backend="onnxruntime", device=device)
    except Exception as error:  # damaged weights fail in any way
        first = (str(error).splitlines() or [""])[0]
        raise InputError(
            f"rtmlib can't load {arguments['det']} and {arguments['pose']} ({first[:300]})"
        ) from error


def estimator_for(
    layout: SkeletonLayout | None, weights: Sequence[str | Path], device: str
) -> Callable[[], PoseEstimator]:
    """Return what makes :func:`rtmlib_estimator` when the first video comes."""
    return lambda: rtmlib_estimator(layout, weights=weights, device=device)


# --- frames ---------------------------------------------------------------------------------------


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Iterator[np.ndarray], float | None]]:
    """Give the frames of a video, (H, W, 3), and its frames per second where known."""
    try:
        import cv2
    except ImportError as error:
        raise InputError(f"reading videos needs OpenCV: pip install opencv-python ({error})") from (
            error
        )
    video = cv2.VideoCapture(str(path))
    try:
        fps = float(video.get(cv2.CAP_PROP_FPS))
        yield _frames_of(video), fps if 0 < fps < 1000 else None
    finally:
        video.release()


def _frames_of(video: Any) -> Iterator[np.ndarray]:
    while True:
        there, image = video.read()
        if not there:
            return
        yield image


def _found(result: Any, path: Path, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the joints (P, V, 2) and scores (P, V) of those who are there."""
    joints = np.asarray(result[0], dtype=np.float64)
    scores = np.asarray(result[1], dtype=np.float64)
    if joints.size == 0:
        return np.zeros((0, 0, 2)), np.zeros((0, 0))
    if joints.ndim != 3 or joints.shape[2] != 2 or scores.shape != joints.shape[:2]:
        raise RecordingError(
            f"{path}, frame {frame}: the pose estimator should give (P, V, 2) and (P, V), found "
            f"{joints.shape} and {scores.shape}"
        )
    there = scores.clip(0, 1).mean(axis=1) >= _LEAST_SCORE
    return joints[there], scores[there]


# --- weights --------------------------------------------------------------------------------------


def _given(weights: Sequence[str | Path]) -> dict[str, Any]:
    """Return the arguments of rtmlib for two files."""
    if len(weights) != 2:
        raise InputError(
            "the weights of a pose estimator are two .onnx files, of the detector and the poses; "
            f"found {len(weights)}"
        )
    arguments: dict[str, Any] = {}
    for key, weight in zip(("det", "pose"), weights):
        if not Path(weight).is_file():
            raise InputError(f"{weight}: there are no such weights")
        arguments[key] = str(weight)
        arguments[f"{key}_input_size"] = _input_size(Path(weight))
    return arguments


def _input_size(path: Path) -> tuple[int, int]:
    """Return (width, height) of the pictures that a network takes."""
    try:
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        *_, height, width = session.get_inputs()[0].shape
        return int(width), int(height)
    except Exception as error:  # damaged bytes can spell any error
        first = (str(error).splitlines() or [""])[0]
        raise InputError(f"{path}: onnxruntime can't load it ({first[:300]})") from error


def _cached(solution: Any, name: str) -> dict[str, Any]:
    """Return the arguments of rtmlib for what it has fetched before."""
    mode = solution.MODE["balanced"]
    missing = []
    arguments: dict[str, Any] = {}
    for key in ("det", "pose"):
        # The name that rtmlib gives what it has fetched and unpacked.
        path = _cache_folder() / f"{Path(mode[key]).name.split('.')[0]}.onnx"
        arguments[key] = str(path)
        arguments[f"{key}_input_size"] = mode[f"{key}_input_size"]
        if not path.is_file():
            missing.append(f"{path} (from {mode[key]})")
    if missing:
        raise InputError(
            "rtmlib is installed, but its weights are not here: "
            + ", ".join(missing)
            + f". With a network, this fetches them: python -c 'import rtmlib; rtmlib.{name}()'. "
            "Or give two .onnx files with --pose-weights DETECTOR POSE"
        )
    return arguments


def _cache_folder() -> Path:
    """Return where rtmlib keeps weights."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "rtmlib"))
    return Path(home).expanduser() / "hub" / "checkpoints"
