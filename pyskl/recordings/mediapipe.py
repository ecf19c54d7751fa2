"""Landmarks of MediaPipe, of bodies (33) or hands (21), as people write them to JSON.

MediaPipe defines messages, but no file. Taken is a list with one entry for each frame, or a dict
with such a list under ``frames`` (and ``fps``, ``width``, ``height`` where known), or a ``.jsonl``
file with one entry in each line. An entry is

- the landmarks of a person: a list of ``{"x": ..., "y": ..., "z": ..., "visibility": ...}``, or the
  same inside ``{"landmark": [...]}``, as ``MessageToDict`` gives it;
- a list of such persons, as the results of the Tasks API have it;
- a dict with one of these under ``pose_landmarks``, ``pose_world_landmarks``, ``landmarks``,
  ``world_landmarks``, ``hand_landmarks``, ``hand_world_landmarks`` or ``multi_hand_landmarks``
  (``poseLandmarks`` and so on, too);
- ``null``, ``[]`` or a dict without any of these keys but with others: nobody.

Of a body x, y and z are taken (C = 3), of the world where there are such landmarks, of a hand x
and y (C = 2), unless the options say ``dim``. x and y of landmarks in the image go from 0 to 1.
They become pixels where the size of the image is known; else, for C = 2, it is said to be (1, 1),
to which they are relative.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.recordings.json_file import parse_json, read_json, read_text
from pyskl.recordings.known_layouts import mediapipe_layout
from pyskl.recordings.numbers import (
    MAX_JOINTS,
    brief,
    floats,
    number,
    seen_joints,
    whole_number,
)
from pyskl.recordings.options import ReadOptions
from pyskl.recordings.persons import Detections, arrange
from pyskl.recordings.recording import Recording, RecordingError
from pyskl.skeleton import LAYOUTS

_IMAGE = ("pose_landmarks", "landmarks", "hand_landmarks", "multi_hand_landmarks")
_WORLD = ("pose_world_landmarks", "world_landmarks", "hand_world_landmarks")


def read(path: Path, options: ReadOptions) -> list[Recording]:
    """Read a file of landmarks."""
    if path.suffix.lower() != ".jsonl":
        return parse(read_json(path), path, options)
    lines = read_text(path).split("\n")
    entries = [
        parse_json(line, f"{path}, line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    return parse(entries, path, options)


def looks_like_it(content: Any) -> bool:
    """Return whether JSON looks like landmarks."""
    if isinstance(content, dict):
        return isinstance(content.get("frames"), list)
    if not isinstance(content, list):
        return False
    entry = next((entry for entry in content if entry), None)
    for _ in range(3):
        if isinstance(entry, dict):
            return "x" in entry or "landmark" in entry or bool(_keys(entry))
        entry = entry[0] if isinstance(entry, list) and entry else None
    return False


def parse(content: Any, path: Path, options: ReadOptions) -> list[Recording]:
    """Take landmarks apart; see :func:`read`."""
    dim = options.dim or 3
    image_size, fps = options.image_size, options.fps
    entries = content
    if isinstance(content, dict):
        entries = content.get("frames")
        if content.get("fps") is not None:
            fps = number(content["fps"], f"{path}, fps")
            if not 0 < fps < 1e6:
                raise RecordingError(f"{path}: fps is {fps:g}, expected frames per second above 0")
        if content.get("height") is not None and content.get("width") is not None:
            image_size = (
                whole_number(content["height"], f"{path}, height"),
                whole_number(content["width"], f"{path}, width"),
            )
            if min(image_size) < 1 or max(image_size) >= 10**6:
                raise RecordingError(f"{path}: height and width are {image_size}, expected pixels")
    if not isinstance(entries, list) or not entries:
        raise RecordingError(
            f"{path}: expected a list with one entry for each frame, found {brief(content)}"
        )
    frames: list[int] = []
    persons: list[np.ndarray] = []
    world = False
    for frame, entry in enumerate(entries):
        where = f"{path}, frame {frame}"
        found, world_frame = _persons_of(entry, where, dim)
        world = world or world_frame
        for person in found:
            landmarks = _landmarks(person, where)
            if persons and len(landmarks) != len(persons[0]):
                raise RecordingError(
                    f"{where}: {len(landmarks)} landmarks, but {len(persons[0])} in the frames "
                    "before"
                )
            frames.append(frame)
            persons.append(landmarks)
    if not persons:
        raise RecordingError(f"{path}: nobody was seen in any of the {len(entries)} frames")
    layout = mediapipe_layout(len(persons[0]))
    if options.dim is None and layout is not None and LAYOUTS[layout].dim != dim:
        return parse(content, path, replace(options, dim=LAYOUTS[layout].dim))
    values = np.stack(persons)  # D, V, (x, y, z, visibility)
    coordinates = values[..., :dim].copy()
    if dim == 3 and np.isnan(coordinates[..., 2]).all():
        raise RecordingError(
            f"{path}: the landmarks have no z, so C can't be 3; take 2 (dim, --dim)"
        )
    if not world:
        # z is in the unit of x.
        height, width = image_size or (1, 1)
        image_size = image_size or ((1, 1) if dim == 2 else None)
        coordinates *= np.array([width, height, width][:dim], dtype=np.float64)
    visibility = None if np.isnan(values[..., 3]).all() else np.nan_to_num(values[..., 3], nan=1.0)
    keypoint, score = seen_joints(coordinates, visibility, str(path))
    detections = Detections(np.array(frames, np.int64), len(entries), keypoint, score)
    keypoint, score = arrange(detections, options.persons, str(path))
    return [Recording(path.stem, keypoint, score, None if world else image_size, fps, layout)]


def _snake(key: Any) -> str:
    return re.sub(r"([A-Z])", lambda match: "_" + match[1].lower(), str(key))


def _keys(entry: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the landmarks of an entry by their key, spelled with underscores."""
    return {name: entry[key] for key in entry if (name := _snake(key)) in (*_IMAGE, *_WORLD)}


def _persons_of(entry: Any, where: str, dim: int) -> tuple[list[Any], bool]:
    """Return the persons of a frame as lists of landmarks, and whether they are of the world."""
    world = False
    if isinstance(entry, dict) and "landmark" not in entry:
        found = _keys(entry)
        if not found and entry and "x" in entry:
            raise RecordingError(f"{where}: expected the landmarks of a frame, found a single one")
        order = (*_WORLD, *_IMAGE) if dim == 3 else _IMAGE
        key = next((key for key in order if found.get(key)), None)
        world, entry = key in _WORLD, None if key is None else found[key]
    if not entry:
        return [], world
    if isinstance(entry, dict):
        return [entry], world
    if not isinstance(entry, list):
        raise RecordingError(f"{where}: expected landmarks, found {brief(entry)}")
    if isinstance(entry[0], list) or (isinstance(entry[0], dict) and "landmark" in entry[0]):
        return [person for person in entry if person], world
    return [entry], world


def _landmarks(person: Any, where: str) -> np.ndarray:
    """Return a person's landmarks as (V, 4): x, y, z, visibility; nan for what is not there."""
    points = person.get("landmark") if isinstance(person, dict) else person
    if not isinstance(points, list) or not 0 < len(points) <= MAX_JOINTS:
        raise RecordingError(f"{where}: expected a list of landmarks, found {brief(points)}")
    flat: list[Any] = []
    for position, point in enumerate(points):
        if not isinstance(point, dict) or "x" not in point or "y" not in point:
            raise RecordingError(
                f"{where}, landmark {position}: expected a dict with x and y, found {brief(point)}"
            )
        flat += [point["x"], point["y"], point.get("z"), point.get("visibility")]
    return floats(flat, where).reshape(-1, 4)
