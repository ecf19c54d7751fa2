"""Persons in the images of a video, as COCO's and AlphaPose's files list them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.recordings.known_layouts import layout_of
from pyskl.recordings.numbers import MAX_JOINTS, brief, floats, listed, seen_joints
from pyskl.recordings.options import ReadOptions
from pyskl.recordings.persons import Detections, arrange
from pyskl.recordings.recording import Recording, RecordingError


@dataclass
class Video:
    """What was found in one video.

    Attributes:
        frames: The frame of each person found, from 0.
        total: T.
        keypoints: x, y and score of each, (V, 3).
        identities: Who each is, where the tool has matched them.
        image_size: (height, width) in pixels, where known.
    """

    frames: list[int] = field(default_factory=list)
    total: int | None = None
    keypoints: list[np.ndarray] = field(default_factory=list)
    identities: list[int | None] = field(default_factory=list)
    image_size: tuple[int, int] | None = None


def image_key(value: Any, where: str) -> int | str:
    if type(value) not in (int, str):
        raise RecordingError(f"{where}: expected a number or a name as id, found {brief(value)}")
    return value


def keypoints_of(values: Any, where: str) -> np.ndarray:
    """Return [x, y, score, ...] as (V, 3)."""
    found = floats(values, f"{where}, keypoints")
    if len(found) % 3 or not 0 < len(found) <= 3 * MAX_JOINTS:
        raise RecordingError(
            f"{where}, keypoints: expected x, y and score (or visibility) of each joint, found "
            f"{len(found)} numbers"
        )
    return found.reshape(-1, 3)


def recording_of(
    path: Path,
    name: str,
    video: Video,
    options: ReadOptions,
    joint_names: tuple[str, ...],
    layout: str | None = None,
) -> Recording:
    counts = {len(keypoint) for keypoint in video.keypoints}
    if len(counts) > 1:
        raise RecordingError(
            f"{path}: persons have different numbers of joints: {listed(sorted(counts))}"
        )
    joints = counts.pop()
    values = np.stack(video.keypoints)
    keypoint, score = seen_joints(values[..., :2], values[..., 2], str(path))
    known = [identity for identity in video.identities if identity is not None]
    detections = Detections(
        np.array(video.frames, dtype=np.int64),
        video.total or 1,
        keypoint,
        score,
        np.array(known, dtype=np.int64) if len(known) == len(keypoint) else None,
    )
    keypoint, score = arrange(detections, options.persons, str(path))
    names = joint_names if len(joint_names) == joints else ()
    return Recording(
        name,
        keypoint,
        score,
        video.image_size,
        options.fps,
        layout=layout or layout_of(joints, names),
        joint_names=names,
    )
