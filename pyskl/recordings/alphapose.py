"""Lists of persons found in images: AlphaPose's results, and COCO's, whose form they have.

``alphapose-results.json`` is a list of dicts with ``image_id`` (the image's name), ``keypoints``
[x, y, score, ...], ``score``, ``box`` and ``idx``, who it is. COCO's lists of results have whole
numbers as ``image_id``. With ``--format cmu`` or ``open`` AlphaPose writes a dict by image name, of
17 joints and a neck in the order of OpenPose.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.recordings.detected import Video, image_key, keypoints_of, recording_of
from pyskl.recordings.json_file import read_json
from pyskl.recordings.numbers import (
    brief,
    frame_positions,
    natural_key,
    trailing_number,
    whole_number,
)
from pyskl.recordings.options import ReadOptions
from pyskl.recordings.recording import Recording, RecordingError


def read(path: Path, options: ReadOptions) -> list[Recording]:
    """Read a result of AlphaPose, or a list of results in COCO's form."""
    return parse(read_json(path), path, options)


def is_results(content: Any) -> bool:
    """Return whether JSON looks like a list of results, AlphaPose's or others'."""
    return (
        isinstance(content, list)
        and bool(content)
        and isinstance(content[0], dict)
        and "keypoints" in content[0]
        and "image_id" in content[0]
    )


def looks_like_it(content: Any) -> bool:
    """Return whether JSON looks like a result of AlphaPose."""
    if isinstance(content, dict) and content:
        first = next(iter(content.values()))
        return isinstance(first, dict) and ("bodies" in first or "people" in first)
    if not is_results(content):
        return False
    return "idx" in content[0] or isinstance(content[0]["image_id"], str)


def parse(content: Any, path: Path, options: ReadOptions) -> list[Recording]:
    """Take a list of results apart; see :func:`read`."""
    if isinstance(content, dict):
        entries, layout = (
            _by_image(content, path),
            "openpose",
        )  # 17 joints and a neck, in that order
    else:
        entries, layout = content, None
    if not isinstance(entries, Sequence) or isinstance(entries, str) or not entries:
        raise RecordingError(f"{path}: expected a list of results, found {brief(content)}")
    video = Video(image_size=options.image_size)
    ids: list[int | str] = []
    for position, entry in enumerate(entries):
        where = f"{path}, result {position}"
        if not isinstance(entry, dict) or "image_id" not in entry or "keypoints" not in entry:
            raise RecordingError(
                f"{where}: expected a dict with 'image_id' and 'keypoints', found {brief(entry)}"
            )
        ids.append(image_key(entry["image_id"], where))
        video.keypoints.append(keypoints_of(entry["keypoints"], where))
        identity = entry.get("idx", entry.get("track_id"))
        video.identities.append(_person_number(identity, f"{where}, idx"))
    frames, video.total = _frames_of(ids, path)
    video.frames = frames
    return [recording_of(path, path.stem, video, options, (), layout)]


def _by_image(content: Mapping[str, Any], path: Path) -> list[dict[str, Any]]:
    """Return the entries of AlphaPose's forms ``cmu`` and ``open``: dicts by image name."""
    entries: list[dict[str, Any]] = []
    for image, result in content.items():
        persons = None
        if isinstance(result, dict):
            persons = result.get("bodies", result.get("people"))
        if not isinstance(persons, list):
            raise RecordingError(
                f"{path}, {brief(image)}: expected a dict with 'bodies' or 'people', found "
                f"{brief(result)}"
            )
        for person in persons:
            if not isinstance(person, dict):
                raise RecordingError(
                    f"{path}, {brief(image)}: expected dicts, found {brief(person)}"
                )
            values = person.get("joints", person.get("pose_keypoints_2d"))
            entries.append({"image_id": image, "keypoints": values})
    return entries


def _person_number(value: Any, where: str) -> int | None:
    """Return the number of a person; AlphaPose writes lists of the detections it has merged."""
    for _ in range(4):
        if not isinstance(value, list):
            break
        value = value[0] if value else None
    return None if value is None else whole_number(value, where)


def _frames_of(ids: Sequence[int | str], path: Path) -> tuple[list[int], int]:
    """Return the frame of each image id: by its number, or else in the order of the names."""
    numbers: list[int] = []
    if all(isinstance(identity, int) for identity in ids):
        numbers = [whole_number(identity, f"{path}, image_id") for identity in ids]
    else:
        parts = [trailing_number(posixpath.splitext(str(identity))[0]) for identity in ids]
        forms = {part[0] for part in parts if part is not None}
        if len(forms) == 1 and all(part is not None for part in parts):
            numbers = [part[1] for part in parts if part is not None]
    if not numbers:
        names = sorted(set(map(str, ids)), key=natural_key)
        places = {name: position for position, name in enumerate(names)}
        return [places[str(identity)] for identity in ids], len(names)
    frames, total = frame_positions(np.array(numbers, dtype=np.int64), str(path))
    return frames.tolist(), total
