"""Read the JSON of Kinetics-skeleton and of Northwestern-UCLA: one file for each clip.

- Kinetics-skeleton: ``{"data": [{"frame_index": 1, "skeleton": [{"pose": [x, y, ...], "score":
  [...]}, ...]}, ...], "label": ..., "label_index": ...}``. The 18 joints of OpenPose, or COCO's 17;
  x and y go from 0 to 1 as published, and may be pixels. They may be pairs, [[x, y], ...].
- Northwestern-UCLA: ``{"file_name": ..., "skeletons": (T, V, 3), "label": ...}`` with the 20 joints
  of the first Kinect.

The labels in the files are not used: folders or a table define the classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pyskl.recordings.input_file import InputFile
from pyskl.recordings.numbers import (
    MAX_JOINTS,
    expect_form,
    floats,
    frame_positions,
    unexpected,
    whole_number,
)
from pyskl.recordings.persons import DetectionList, recording_of_detections
from pyskl.recordings.reader import Reader, ReadOptions
from pyskl.recordings.recording import Recording, RecordingError

_KINETICS_LAYOUTS = {17: "coco", 18: "openpose"}  # by the number of joints


def _numbers(values: Any, where: str) -> np.ndarray:
    """Return the numbers of a list, or of a list of lists, (N,)."""
    if isinstance(values, list) and any(isinstance(part, list) for part in values):
        if not all(isinstance(part, list) and len(part) == len(values[0]) for part in values):
            raise unexpected(where, values, "lists of one length")
        values = [number for part in values for number in part]
    return floats(values, where)


def _is_kinetics(file: InputFile) -> bool:
    content = file.json
    if not isinstance(content, dict) or not isinstance(content.get("data"), list):
        return False
    return all(isinstance(entry, dict) and "skeleton" in entry for entry in content["data"])


def _read_kinetics(file: InputFile, options: ReadOptions) -> list[Recording]:
    content, found, numbers = file.json, DetectionList(), []
    with expect_form("data", content, "a dict with a list 'data'"):
        entries = list(content["data"])
    for position, entry in enumerate(entries):
        where = f"data {position}"
        with expect_form(where, entry, "a dict with 'frame_index' and a list 'skeleton'"):
            numbers.append(whole_number(entry["frame_index"], f"{where}, frame_index"))
            for person in list(entry["skeleton"]):
                pose = _numbers(person["pose"], f"{where}, pose")
                score = _numbers(person["score"], f"{where}, score")
                if len(pose) != 2 * len(score) or not 0 < len(score) <= MAX_JOINTS:
                    raise unexpected(f"{where}, pose", len(pose), "x and y for each score")
                joints = np.concatenate([pose.reshape(-1, 2), score[:, None]], axis=1)
                found.add(position, joints, where)
    if not found.frames:
        raise RecordingError(f"nobody was seen in any of the {len(entries)} frames")
    frames, total = frame_positions(np.array(numbers, dtype=np.int64), "frame_index")
    values = np.stack(found.values)
    coordinates, size = values[..., :2], options.image_size
    if not (np.abs(coordinates) > 1).any():
        size = size or (1, 1)
        coordinates = coordinates * np.array(size[::-1], dtype=np.float64)
    return [
        recording_of_detections(
            file.path.stem,
            frames[found.frames],
            total,
            coordinates,
            values[..., 2],
            None,
            options,
            image_size=size,
            layout=_KINETICS_LAYOUTS.get(values.shape[1]),
        )
    ]


KINETICS_READER = Reader("kinetics", (".json",), _read_kinetics, _is_kinetics)


def _is_nwucla(file: InputFile) -> bool:
    return isinstance(file.json, dict) and isinstance(file.json.get("skeletons"), list)


def _read_nwucla(file: InputFile, options: ReadOptions) -> list[Recording]:
    content, found = file.json, DetectionList()
    with expect_form("skeletons", content, "a dict with a list 'skeletons'"):
        skeletons = list(content["skeletons"])
    for frame, joints in enumerate(skeletons):
        where = f"skeletons {frame}"
        values = _numbers(joints, where)
        if not joints or len(values) != 3 * len(joints) or len(joints) > MAX_JOINTS:
            raise unexpected(where, joints, "[x, y, z] for each joint")
        found.add(frame, values.reshape(-1, 3), where)
    if not found.frames:
        raise RecordingError("there are no frames", key="skeletons")
    coordinates = np.stack(found.values)
    return [
        recording_of_detections(
            file.path.stem,
            found.frames,
            len(skeletons),
            coordinates,
            None,
            np.zeros(len(skeletons), dtype=np.int64),
            options,
            layout="kinect_v1" if coordinates.shape[1] == 20 else None,
        )
    ]


NWUCLA_READER = Reader("nwucla", (".json",), _read_nwucla, _is_nwucla)
