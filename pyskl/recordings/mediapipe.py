"""Read MediaPipe's landmarks of bodies (33) or hands (21) from JSON.

MediaPipe defines messages but no file format. Accepted are a list with one entry per frame, a dict
with such a list under ``frames`` (and optionally ``fps``, ``width``, ``height``), and a ``.jsonl``
file with one entry per line. An entry is

- the landmarks of a person: a list of ``{"x": ..., "y": ..., "z": ..., "visibility": ...}``, or the
  same inside ``{"landmark": [...]}``, as ``MessageToDict`` returns it;
- a list of such persons, as in the results of the Tasks API;
- a dict with one of these under ``pose_landmarks``, ``pose_world_landmarks``, ``landmarks``,
  ``world_landmarks``, ``hand_landmarks``, ``hand_world_landmarks`` or ``multi_hand_landmarks``
  (also ``poseLandmarks`` and so on);
- ``null``, ``[]`` or a dict without any of these keys: no person.

For bodies, x, y and z are read (C = 3), in world coordinates if there are any; for hands, x and y
(C = 2). The option ``dim`` overrides this. Image coordinates go from 0 to 1. They become pixels if
the image size is known; otherwise, for C = 2, the image size is set to (1, 1).
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
    frame_rate,
    image_size,
    unexpected,
)
from pyskl.recordings.persons import DetectionList, recording_of_detections
from pyskl.recordings.reader import Reader, ReadOptions
from pyskl.recordings.recording import Recording, RecordingError

_IMAGE = ("pose_landmarks", "landmarks", "hand_landmarks", "multi_hand_landmarks")
_WORLD = ("pose_world_landmarks", "world_landmarks", "hand_world_landmarks")

_LAYOUTS = {33: "mediapipe", 21: "handmp"}  # by the number of landmarks


def _sniff(file: InputFile) -> bool:
    content = file.json
    if isinstance(content, dict):
        return isinstance(content.get("frames"), list)
    entry = content
    for _ in range(4):
        if isinstance(entry, dict):
            return "x" in entry or "landmark" in entry or bool(_landmark_keys(entry))
        entry = next(filter(None, entry), None) if isinstance(entry, list) else None
    return False


def _read(file: InputFile, options: ReadOptions) -> list[Recording]:
    size, fps = options.image_size, options.fps
    entries: Any
    if file.path.suffix.lower() == ".jsonl":
        lines = enumerate(file.text().split("\n"), start=1)
        entries = [parse_json(line, f"line {number}") for number, line in lines if line.strip()]
    else:
        entries = content = file.json
        if isinstance(content, dict):
            entries = content.get("frames")
            if content.get("fps") is not None:
                fps = frame_rate(content["fps"], "fps")
            if content.get("height") is not None and content.get("width") is not None:
                size = image_size(content["height"], content["width"], "")
    if not isinstance(entries, list) or not entries:
        raise RecordingError(
            "unexpected content", found=brief(entries), expected="a list with one entry per frame"
        )
    # Hands, known by their number of landmarks, are 2D by default.
    dim = options.dim or 3
    found, world = _detections(entries, dim)
    if options.dim is None and found.values and _LAYOUTS.get(len(found.values[0])) == "handmp":
        dim = 2
        found, world = _detections(entries, dim)
    if not found.frames:
        raise RecordingError(f"nobody was seen in any of the {len(entries)} frames")
    values = np.stack(found.values)  # D, V, (x, y, z, visibility)
    coordinates = values[..., :dim].copy()
    if dim == 3 and np.isnan(coordinates[..., 2]).all():
        raise RecordingError("the landmarks have no z", hint="read 2 coordinates (dim, --dim)")
    if world:
        size = None
    else:
        height, width = size or (1, 1)
        scale = [width, height, width][:dim]  # z has the unit of x
        coordinates *= np.array(scale, dtype=np.float64)
        size = size or ((1, 1) if dim == 2 else None)
    visibility = None if np.isnan(values[..., 3]).all() else np.nan_to_num(values[..., 3], nan=1.0)
    return [
        recording_of_detections(
            file.path.stem,
            found.frames,
            len(entries),
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


def _detections(entries: list[Any], dim: int) -> tuple[DetectionList, bool]:
    """Return the persons of all frames, (V, 4) each, and whether any are in world coordinates."""
    found, any_world = DetectionList(), False
    for frame, entry in enumerate(entries):
        where = f"frame {frame}"
        with expect_form(where, entry, "the landmarks of a frame"):
            persons, world = _persons_of(entry, dim)
            any_world = any_world or world
            for person in persons:
                found.add(frame, _landmarks(person, where), where)
    return found, any_world


def _landmark_keys(entry: dict[Any, Any]) -> dict[str, Any]:
    """Return the landmarks of an entry by their key in snake case."""
    in_snake_case = {
        re.sub("[A-Z]", lambda c: f"_{c[0].lower()}", str(key)): entry[key] for key in entry
    }
    return {name: value for name, value in in_snake_case.items() if name in (*_IMAGE, *_WORLD)}


def _persons_of(entry: Any, dim: int) -> tuple[list[Any], bool]:
    """Return the landmarks of each person, and whether they are in world coordinates."""
    world = False
    if isinstance(entry, dict) and "landmark" not in entry:
        found = _landmark_keys(entry)
        if not found and "x" in entry:
            raise TypeError("a single landmark")
        keys = [key for key in ((*_WORLD, *_IMAGE) if dim == 3 else _IMAGE) if found.get(key)]
        world = bool(keys) and keys[0] in _WORLD
        entry = found[keys[0]] if keys else None
    if not entry:
        return [], world
    if isinstance(entry, dict):
        return [entry], world
    if isinstance(entry[0], list) or (isinstance(entry[0], dict) and "landmark" in entry[0]):
        return [person for person in entry if person], world
    return [entry], world


def _landmarks(person: Any, where: str) -> np.ndarray:
    """Return a person's landmarks as (V, 4): x, y, z, visibility; NaN for missing values."""
    points = person["landmark"] if isinstance(person, dict) else person
    if not isinstance(points, list) or not 0 < len(points) <= MAX_JOINTS:
        raise unexpected(where, points, "a list of landmarks")
    flat: list[Any] = []
    for position, point in enumerate(points):
        with expect_form(f"{where}, landmark {position}", point, "a dict with x and y"):
            flat += [point["x"], point["y"], point.get("z"), point.get("visibility")]
    return floats(flat, where).reshape(-1, 4)
