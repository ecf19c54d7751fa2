"""Read AlphaPose's results, and COCO's lists of results, which have the same form.

``alphapose-results.json`` is a list of dicts with ``image_id`` (the image's name), ``keypoints``
[x, y, score, ...], ``score``, ``box`` and ``idx``, the number of the person. COCO's lists of
results have integers as ``image_id``. With ``--format cmu`` or ``open``, AlphaPose writes a dict
with the image names as keys, and 18 joints in OpenPose's order.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import Any

import numpy as np

from pyskl.recordings.input_file import InputFile
from pyskl.recordings.numbers import (
    MAX_JOINTS,
    brief,
    expect_form,
    floats,
    frame_positions,
    natural_key,
    trailing_number,
    unexpected,
    whole_number,
)
from pyskl.recordings.persons import DetectionList, recording_of_detections
from pyskl.recordings.reader import Reader, ReadOptions
from pyskl.recordings.recording import Recording, RecordingError
from pyskl.skeleton import LAYOUTS

_LAYOUTS = {17: "coco", 26: "halpe26", 136: "halpe136"}  # by the number of joints


def layout_of(joints: int, names: Sequence[str] = ()) -> str | None:
    """Return the built-in layout with these joint names or, without names, number of joints."""
    if not names:
        return _LAYOUTS.get(joints)
    fitting = [layout.name for layout in LAYOUTS.values() if layout.joint_names == tuple(names)]
    return fitting[0] if fitting else None


def image_id(value: Any, where: str) -> int | str:
    """Return the id of an image; raises RecordingError if it is neither int nor str."""
    if type(value) not in (int, str):
        raise RecordingError("not an image id", key=where, found=brief(value))
    return value


def joints_of(values: Any, where: str) -> np.ndarray:
    """Return ``keypoints`` [x, y, score, ...] as (V, 3)."""
    found = floats(values, where)
    if len(found) % 3 or not 0 < len(found) <= 3 * MAX_JOINTS:
        raise unexpected(where, len(found), "x, y and score (or visibility) of each joint")
    return found.reshape(-1, 3)


def is_result_list(content: Any) -> bool:
    """Return whether JSON looks like a list of results of AlphaPose or COCO."""
    return (
        isinstance(content, list)
        and bool(content)
        and isinstance(content[0], dict)
        and content[0].keys() >= {"keypoints", "image_id"}
    )


def is_alphapose(content: Any) -> bool:
    """Return whether JSON looks like one of AlphaPose's formats."""
    if isinstance(content, dict) and content:
        first = next(iter(content.values()))
        return isinstance(first, dict) and ("bodies" in first or "people" in first)
    return is_result_list(content) and (
        "idx" in content[0] or isinstance(content[0]["image_id"], str)
    )


def read_results(file: InputFile, options: ReadOptions) -> list[Recording]:
    """Read a list of results, or AlphaPose's dict by image name."""
    content, layout = file.json, None
    if isinstance(content, dict):
        layout = "openpose"
        entries = []
        for image, result in content.items():
            where = f"image {brief(image)}"
            with expect_form(where, result, "a dict with a list 'bodies' or 'people' of dicts"):
                for person in list(result["bodies"] if "bodies" in result else result["people"]):
                    values = person.get("joints", person.get("pose_keypoints_2d"))
                    entries.append({"image_id": image, "keypoints": values})
        content = entries
    if not isinstance(content, list) or not content:
        raise RecordingError(
            "unexpected content", found=brief(content), expected="a list of results"
        )
    ids: list[int | str] = []
    found = DetectionList()
    for position, entry in enumerate(content):
        where = f"result {position}"
        with expect_form(where, entry, "a dict with 'image_id' and 'keypoints'"):
            ids.append(image_id(entry["image_id"], f"{where}, image_id"))
            joints = joints_of(entry["keypoints"], f"{where}, keypoints")
            person = _person_number(entry.get("idx", entry.get("track_id")), f"{where}, idx")
            found.add(0, joints, where, person)
    frames, total = _frames_of(ids)
    values = np.stack(found.values)
    return [
        recording_of_detections(
            file.path.stem,
            frames,
            total,
            values[..., :2],
            values[..., 2],
            found.identities,
            options,
            layout=layout or layout_of(values.shape[1]),
        )
    ]


READER = Reader("alphapose", (".json",), read_results, lambda file: is_alphapose(file.json))


def _person_number(value: Any, where: str) -> int | None:
    """Return the number of a person, the first of a list (AlphaPose's merged detections)."""
    for _ in range(4):
        if isinstance(value, list):
            value = value[0] if value else None
    return None if value is None else whole_number(value, where)


def _frames_of(ids: Sequence[int | str]) -> tuple[np.ndarray, int]:
    """Return the frame of each image, by the number in its id or else by name, and T."""
    if all(isinstance(identity, int) for identity in ids):
        numbers = [whole_number(identity, "image_id") for identity in ids]
        return frame_positions(np.array(numbers, dtype=np.int64), "image_id")
    parts = [trailing_number(posixpath.splitext(str(identity))[0]) for identity in ids]
    if None not in parts and len({part[0] for part in parts if part}) == 1:
        numbers = [part[1] for part in parts if part]
        return frame_positions(np.array(numbers, dtype=np.int64), "image_id")
    names = sorted(set(map(str, ids)), key=natural_key)
    order = {name: position for position, name in enumerate(names)}
    return np.array([order[str(identity)] for identity in ids]), len(names)
