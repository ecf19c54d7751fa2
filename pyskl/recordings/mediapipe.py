"""Read MediaPipe's landmarks of bodies (33) or hands (21) from JSON.

MediaPipe defines messages but no file format. Accepted are a list with one entry per frame, a dict
of such entries by frame number, a dict with one of these under ``frames`` (and optionally ``fps``,
``width``, ``height``), the entry of a single frame, and a ``.jsonl`` file with one entry per line.
An entry is

- the landmarks of a person: a list of ``{"x": ..., "y": ..., "z": ..., "visibility": ...}``, a dict
  of them by joint name or number, or one of these inside ``{"landmark": ...}``, as
  ``MessageToDict`` returns it;
- a list of such persons, as in the results of the Tasks API;
- a dict with one of these under a key of :data:`_IMAGE` or :data:`_WORLD` (also ``poseLandmarks``
  and so on), and optionally the number of the frame;
- ``null``, ``[]`` or a dict without any of these keys: no person.

A landmark may be a list [x, y, z, visibility], too. For bodies, x, y and z are read (C = 3), in
world coordinates if there are any; for hands, x and y (C = 2). The option ``dim`` overrides this.
Image coordinates go from 0 to 1. They become pixels if the image size is known; otherwise, for
C = 2, the image size is set to (1, 1). Larger ones are pixels already.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from pyskl.recordings.input_file import InputFile, parse_json
from pyskl.recordings.numbers import (
    MAX_JOINTS,
    brief,
    expect_form,
    floats,
    frame_positions,
    frame_rate,
    image_size,
    listed,
    natural_key,
    trailing_number,
    unexpected,
    whole_number,
)
from pyskl.recordings.persons import DetectionList, recording_of_detections
from pyskl.recordings.reader import Reader, ReadOptions
from pyskl.recordings.recording import Recording, RecordingError
from pyskl.skeleton import LAYOUTS
from pyskl.skeleton.joint_names import joint_words

_IMAGE = ("pose_landmarks", "landmarks", "hand_landmarks", "multi_hand_landmarks", "keypoints")
_WORLD = ("pose_world_landmarks", "world_landmarks", "hand_world_landmarks", "keypoints3d")
_FRAME = ("frame", "frame_number", "frame_index", "frame_id", "frame_idx", "frame_num")

_LAYOUTS = {33: "mediapipe", 21: "handmp"}  # by the number of landmarks


def _sniff(file: InputFile) -> bool:
    content = file.json
    if isinstance(content, dict) and isinstance(content.get("frames"), list):
        return True
    entry: Any = _frames(content)[0]
    for _ in range(5):
        if isinstance(entry, dict):
            found = _landmark_keys(entry)
            if set(found) == {"keypoints"}:  # a key of other tools, too
                return "keypoint_scores" not in entry and _has_points(found["keypoints"])
            return bool(found) or "x" in entry or "landmark" in entry or _is_person(entry)
        entry = next(filter(None, entry), None) if isinstance(entry, list) else None
    return False


def _read(file: InputFile, options: ReadOptions) -> list[Recording]:
    size, fps = options.image_size, options.fps
    entries: Any
    keys: list[Any] | None = None
    if file.path.suffix.lower() == ".jsonl":
        lines = enumerate(file.text().split("\n"), start=1)
        entries = [parse_json(line, f"line {number}") for number, line in lines if line.strip()]
    else:
        content = file.json
        if isinstance(content, dict):
            if content.get("fps") is not None:
                fps = frame_rate(content["fps"], "fps")
            if content.get("height") is not None and content.get("width") is not None:
                size = image_size(content["height"], content["width"], "")
        entries, keys = _frames(content)
        if isinstance(content, dict) and isinstance(entries, list) and entries[:1] == [content]:
            with expect_form("frame 0", content, "the landmarks of a frame"):
                several = len(_persons_of(content, options.dim or 3)[0])
            if several > 1:
                raise RecordingError(
                    "these may be persons of one frame or frames of one person",
                    found=f"{several} lists of landmarks",
                    hint="write a list with one entry for each frame",
                )
    if not isinstance(entries, list) or not entries:
        raise RecordingError(
            "unexpected content", found=brief(entries), expected="a list with one entry per frame"
        )
    # Hands, known by their number of landmarks, are 2D by default.
    dim = options.dim or 3
    frames, total = _frame_numbers(entries, keys)
    found, world = _detections(entries, frames, dim)
    if options.dim is None and found.values and _LAYOUTS.get(len(found.values[0])) == "handmp":
        dim = 2
        found, world = _detections(entries, frames, dim)
    if not found.frames:
        raise RecordingError(f"nobody was seen in any of the {len(entries)} frames")
    values = np.stack(found.values)  # D, V, (x, y, z, visibility)
    coordinates = values[..., :dim].copy()
    if dim == 3 and np.isnan(coordinates[..., 2]).all():
        raise RecordingError("the landmarks have no z", hint="read 2 coordinates (dim, --dim)")
    with np.errstate(invalid="ignore"):
        pixels = (np.abs(values[..., :2]) > 2).mean() > 0.5  # a body may leave the image a little
    if world:
        size = None
    elif not pixels:
        height, width = size or (1, 1)
        scale = [width, height, width][:dim]  # z has the unit of x
        coordinates *= np.array(scale, dtype=np.float64)
        size = size or ((1, 1) if dim == 2 else None)
    visibility = None if np.isnan(values[..., 3]).all() else np.nan_to_num(values[..., 3], nan=1.0)
    return [
        recording_of_detections(
            file.path.stem,
            found.frames,
            total,
            coordinates,
            visibility,
            None,
            options,
            image_size=size,
            fps=fps,
            layout=_LAYOUTS.get(values.shape[1]),
        )
    ]


READER = Reader("mediapipe", (".json", ".jsonl"), _read, _sniff)


def _frames(content: Any) -> tuple[Any, list[Any] | None]:
    """Return the entries of a file, and their frame numbers if they are in a dict by number."""
    if isinstance(content, dict) and "frames" in content:
        content = content["frames"]
        if not isinstance(content, dict):
            return content, None
    if isinstance(content, dict):
        if _landmark_keys(content) or "landmark" in content or _is_person(content):
            return [content], None
        numbers = {key: trailing_number(key) for key in content}
        by_number = {key: number[1] for key, number in numbers.items() if number}
        others = (content[key] for key in content if key not in by_number)
        if not by_number or any(isinstance(value, (dict, list)) for value in others):
            return content, None
        return [content[key] for key in by_number], list(by_number.values())
    if (
        isinstance(content, list)
        and len(content) in _LAYOUTS
        and all(isinstance(point, dict) and _is_point(point) for point in content)
    ):
        return [content], None
    return content, None


def _frame_numbers(entries: list[Any], numbers: list[Any] | None) -> tuple[list[int], int]:
    """Return the index of each entry's frame and the number of frames T.

    Args:
        entries: The entries.
        numbers: Their frame numbers. None looks for them in the entries.
    """
    if numbers is None:
        numbers = []
        for position, entry in enumerate(entries):
            keys = [key for key in _FRAME if isinstance(entry, dict) and key in entry]
            if not keys:
                return list(range(len(entries))), len(entries)
            number, where = entry[keys[0]], f"frame {position}, {keys[0]}"
            in_name = trailing_number(number) if isinstance(number, str) else None
            numbers.append(in_name[1] if in_name else whole_number(number, where))
    frames, total = frame_positions(np.array(numbers, dtype=np.int64))
    return frames.tolist(), total


def _detections(entries: list[Any], frames: list[int], dim: int) -> tuple[DetectionList, bool]:
    """Return the persons of all frames, (V, 4) each, and whether any are in world coordinates."""
    found, any_world = DetectionList(), False
    for position, (frame, entry) in enumerate(zip(frames, entries)):
        where = f"frame {position}"
        with expect_form(where, entry, "the landmarks of a frame"):
            persons, world = _persons_of(entry, dim)
            any_world = any_world or world
            for person in persons:
                found.add(frame, _landmarks(person, where), where)
    return found, any_world


def _landmark_keys(entry: dict[Any, Any]) -> dict[str, Any]:
    """Return the landmarks of an entry by their key in snake case."""
    in_snake_case = {re.sub("(?<=[a-z])([A-Z])", r"_\1", str(key)).lower(): key for key in entry}
    known = (*_IMAGE, *_WORLD)
    return {name: entry[key] for name, key in in_snake_case.items() if name in known}


def _is_point(value: Any) -> bool:
    """Return whether a value is a landmark: a dict, or a list [x, y, z, visibility]."""
    if isinstance(value, dict):
        return value.keys() >= {"x", "y"}
    return (
        isinstance(value, list)
        and 2 <= len(value) <= 4
        and all(type(number) in (int, float) for number in value[:2])
    )


def _is_person(value: Any) -> bool:
    """Return whether a value is a dict of landmarks by name or number."""
    if not isinstance(value, dict):
        return False
    # A box beside other things looks like one landmark.
    return sum(map(_is_point, value.values())) >= min(_LAYOUTS) // 4


def _has_points(value: Any) -> bool:
    """Return whether a value is a person's landmarks, or a list of persons."""
    for _ in range(2):
        if _is_person(value) or (isinstance(value, list) and value and _is_point(value[0])):
            return True
        value = value[0] if isinstance(value, list) and value else None
    return False


def _persons_of(entry: Any, dim: int) -> tuple[list[Any], bool]:
    """Return the landmarks of each person, and whether they are in world coordinates."""
    world = False
    if isinstance(entry, dict) and "landmark" not in entry:
        found = _landmark_keys(entry)
        if not found and _is_person(entry):
            return [entry], False
        if not found and "x" in entry:
            raise TypeError("a single landmark")
        keys = [key for key in ((*_WORLD, *_IMAGE) if dim == 3 else _IMAGE) if found.get(key)]
        world = bool(keys) and keys[0] in _WORLD
        entry = found[keys[0]] if keys else None
    if not entry:
        return [], world
    if isinstance(entry, dict):
        return [entry], world
    first = entry[0]
    several = isinstance(first, list) or (
        isinstance(first, dict) and ("landmark" in first or _is_person(first))
    )
    if several and not _is_point(first):
        return [person for person in entry if person], world
    return [entry], world


def _landmarks(person: Any, where: str) -> np.ndarray:
    """Return a person's landmarks as (V, 4): x, y, z, visibility; NaN for missing values."""
    points = person
    if isinstance(person, dict) and "landmark" in person:
        points = person["landmark"]
    if isinstance(points, dict):
        points = _in_order(points, where)
    if not isinstance(points, list) or not 0 < len(points) <= MAX_JOINTS:
        raise unexpected(where, points, "a list of landmarks")
    names = [point.get("name") for point in points if isinstance(point, dict)]
    if len(names) == len(points) == len({name for name in names if isinstance(name, str)}):
        points = _in_order(dict(zip(map(str, names), points)), where)
    ids = [point.get("id") for point in points if isinstance(point, dict)]
    if len(ids) == len(points) and all(type(number) is int for number in ids):
        points = sorted(points, key=lambda point: point["id"])
    flat: list[Any] = []
    for position, point in enumerate(points):
        with expect_form(f"{where}, landmark {position}", point, "a dict with x and y"):
            if isinstance(point, list):
                x, y, z, visibility = [*point, None, None][:4]
            else:
                x, y, z = point["x"], point["y"], point.get("z")
                visibility = point.get("visibility", point.get("score"))
            flat += [x, y, z, visibility]
    return floats(flat, where).reshape(-1, 4)


def _in_order(points: dict[str, Any], where: str) -> list[Any]:
    """Return landmarks by name in the order of the layout, or by number in that of the numbers.

    Case, separators and the order of the words (MOUTH_LEFT) do not matter; names that are left out
    are joints that were not seen.
    """
    points = {key: point for key, point in points.items() if _is_point(point)}
    numbers = [trailing_number(key) for key in points]
    if None not in numbers and len({number[0] for number in numbers if number}) == 1:
        return [points[key] for key in sorted(points, key=natural_key)]
    by_words = {joint_words(key): point for key, point in points.items()}
    for name in _LAYOUTS.values():
        order = [joint_words(joint) for joint in LAYOUTS[name].joint_names]
        if set(by_words) <= set(order) and len(by_words) == len(points):
            return [by_words.get(words, {"x": None, "y": None}) for words in order]
    raise RecordingError(
        "unknown names of landmarks",
        key=where,
        found=listed(list(points)),
        expected="the names of the layouts mediapipe or handmp",
    )
