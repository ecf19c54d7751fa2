"""Folders of OpenPose (``--write_json``): a file for each frame, with the persons in it.

``walk_000000000012_keypoints.json`` is frame 12 of ``walk``: ``{"version": 1.3, "people":
[{"person_id": [-1], "pose_keypoints_2d": [x, y, score, ...], ...}]}``. The body is read, of
25 joints (BODY_25) or 18 (COCO); hands, face and 3D are not.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.recordings.json_file import read_json
from pyskl.recordings.known_layouts import openpose_layout
from pyskl.recordings.numbers import (
    brief,
    floats,
    frame_positions,
    natural_key,
    seen_joints,
    whole_number,
)
from pyskl.recordings.options import ReadOptions
from pyskl.recordings.persons import Detections, arrange
from pyskl.recordings.recording import Recording, RecordingError

_SUFFIX = "_keypoints.json"
_JOINTS = (25, 18)


def is_recording(folder: Path) -> bool:
    """Return whether a folder is a recording of OpenPose."""
    return next(folder.glob(f"*{_SUFFIX}"), None) is not None


def read(path: Path, options: ReadOptions) -> list[Recording]:
    """Read the recordings of a folder: one, or one for each video whose frames lie in it."""
    if not path.is_dir():
        raise RecordingError(
            f"{path}: a recording of OpenPose is the folder with its *{_SUFFIX} files, this is a "
            "file"
        )
    videos: dict[str, list[tuple[int, Path]]] = {}
    for file in sorted(path.glob(f"*{_SUFFIX}"), key=lambda file: natural_key(file.name)):
        parts = re.fullmatch(r"(.*?)_?([0-9]{1,15})", file.name.removesuffix(_SUFFIX))
        if parts is None:
            raise RecordingError(
                f"{file}: the name should end in the number of the frame and {_SUFFIX}, such as "
                f"walk_000000000012{_SUFFIX}"
            )
        videos.setdefault(parts[1], []).append((int(parts[2]), file))
    if not videos:
        raise RecordingError(f"{path}: there are no *{_SUFFIX} files in this folder")
    return [
        _read_video(
            path, f"{path.name}/{name}" if len(videos) > 1 else path.name, videos[name], options
        )
        for name in sorted(videos, key=natural_key)
    ]


def _read_video(
    folder: Path, name: str, files: list[tuple[int, Path]], options: ReadOptions
) -> Recording:
    numbers, total = frame_positions(np.array([n for n, _ in files], np.int64), str(folder))
    if len(np.unique(numbers)) < len(numbers):
        raise RecordingError(f"{folder}: several files have the same frame number")
    frames: list[int] = []
    bodies: list[np.ndarray] = []
    identities: list[int] = []
    for frame, (_, file) in zip(numbers.tolist(), files):
        for position, person in enumerate(_people(read_json(file), file)):
            where = f"{file}, person {position}"
            body, identity = _body(person, where)
            if bodies and len(body) != len(bodies[0]):
                raise RecordingError(
                    f"{where}: {len(body)} joints, but {len(bodies[0])} in the frames before"
                )
            frames.append(frame)
            bodies.append(body)
            identities.append(identity)
    if not bodies:
        raise RecordingError(f"{folder}: nobody was seen in any of the {len(files)} frames")
    values = np.stack(bodies)
    keypoint, score = seen_joints(values[..., :2], values[..., 2], str(folder))
    known = np.array(identities, dtype=np.int64)
    detections = Detections(
        np.array(frames, np.int64), total, keypoint, score, known if (known >= 0).all() else None
    )
    keypoint, score = arrange(detections, options.persons, str(folder))
    layout = openpose_layout(keypoint.shape[2])
    return Recording(name, keypoint, score, options.image_size, options.fps, layout)


def _people(content: Any, file: Path) -> list[Any]:
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list):
        raise RecordingError(f"{file}: expected a dict with 'people', found {brief(content)}")
    return people


def _body(person: Any, where: str) -> tuple[np.ndarray, int]:
    """Return a person's joints (V, 3) and number, -1 where OpenPose has not tracked."""
    if not isinstance(person, dict) or "pose_keypoints_2d" not in person:
        raise RecordingError(
            f"{where}: expected a dict with 'pose_keypoints_2d', found {brief(person)}"
        )
    values = floats(person["pose_keypoints_2d"], f"{where}, pose_keypoints_2d")
    if len(values) not in [3 * joints for joints in _JOINTS]:
        raise RecordingError(
            f"{where}, pose_keypoints_2d: {len(values)} numbers, expected 75 (BODY_25) or 54 "
            "(COCO): x, y and score of each joint"
        )
    identity = person.get("person_id", [-1])
    if isinstance(identity, list):
        identity = identity[0] if identity else -1
    return values.reshape(-1, 3), whole_number(identity, f"{where}, person_id")
