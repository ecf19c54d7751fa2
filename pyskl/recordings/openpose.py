"""Read folders of OpenPose (``--write_json``): one file per frame with the persons in it.

``walk_000000000012_keypoints.json`` is frame 12 of ``walk``: ``{"version": 1.3, "people":
[{"person_id": [-1], "pose_keypoints_2d": [x, y, score, ...], ...}]}``. The body of 25 joints
(BODY_25) or 18 (COCO) is read; hands, face and 3D are not. Files that were renamed
(``walk_12.json``, ``000.json``) are recognised by their content.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.recordings.input_file import InputFile
from pyskl.recordings.numbers import (
    expect_form,
    floats,
    frame_positions,
    natural_key,
    unexpected,
    whole_number,
)
from pyskl.recordings.persons import DetectionList, recording_of_detections
from pyskl.recordings.reader import Reader, ReadOptions
from pyskl.recordings.recording import Recording, RecordingError

_SUFFIX = "_keypoints.json"
_LAYOUTS = {25: "body_25", 18: "openpose"}  # by the number of joints


def is_openpose_folder(path: Path) -> bool:
    """Return whether a path is a folder with the frames of OpenPose."""
    return path.is_dir() and bool(_frame_files(path))


def _frame_files(folder: Path) -> list[Path]:
    """Return the files of the frames in natural order, empty if the folder is not OpenPose's.

    Without ``*_keypoints.json``, they are the numbered files if the first one looks like a frame.
    """
    files = [path for path in folder.glob("*.json") if path.name[0] != "."]
    files.sort(key=lambda path: natural_key(path.name))
    named = [path for path in files if path.name.endswith(_SUFFIX)]
    if named:
        return named
    numbered = [path for path in files if "0" <= path.stem[-1] <= "9" and path.is_file()]
    if not numbered:
        return []
    try:
        with numbered[0].open("rb") as first:  # searching must not parse large files
            head = first.read(4096)
    except OSError:
        return []
    before, key, after = head.partition(b'"people"')
    frame = before.count(b"{") == 1 and after.lstrip(b" \t\r\n:").startswith(b"[")
    return numbered if key and frame else []


def _read(file: InputFile, options: ReadOptions) -> list[Recording]:
    folder = file.path
    if not is_openpose_folder(folder):
        raise RecordingError("a recording of OpenPose is a folder with files *_keypoints.json")
    videos: dict[str, list[tuple[int, Path]]] = {}
    for path in _frame_files(folder):
        stem = path.name.removesuffix(_SUFFIX).removesuffix(".json")
        parts = re.fullmatch(r"(.*?)_?([0-9]{1,15})", stem)
        if parts is None:
            raise RecordingError(
                "the file name has no frame number",
                file=path,
                expected=f"a name such as walk_000000000012{_SUFFIX}",
            )
        videos.setdefault(parts[1], []).append((int(parts[2]), path))
    return [
        _read_video(f"{folder.name}/{name}" if len(videos) > 1 else folder.name, frames, options)
        for name, frames in sorted(videos.items(), key=lambda video: natural_key(video[0]))
    ]


READER = Reader("openpose", ("/",), _read, lambda file: is_openpose_folder(file.path))


def _read_video(name: str, files: list[tuple[int, Path]], options: ReadOptions) -> Recording:
    frames, total = frame_positions(np.array([number for number, _ in files], np.int64))
    if len(np.unique(frames)) < len(frames):
        raise RecordingError("several files have the same frame number", key=name)
    found = DetectionList()
    for frame, (_, path) in zip(frames.tolist(), files):
        try:
            content = InputFile(path).json
            with expect_form("people", content, "a dict with a list 'people'"):
                people = list(content["people"])
            for position, person in enumerate(people):
                where = f"person {position}"
                with expect_form(where, person, "a dict with 'pose_keypoints_2d'"):
                    body, identity = _body(person, where)
                    found.add(frame, body, where, identity)
        except RecordingError as error:
            raise error.in_file(path) from error
    if not found.frames:
        raise RecordingError(f"nobody was seen in any of the {len(files)} frames", key=name)
    values = np.stack(found.values)
    return recording_of_detections(
        name,
        found.frames,
        total,
        values[..., :2],
        values[..., 2],
        found.identities,
        options,
        layout=_LAYOUTS[values.shape[1]],
    )


def _body(person: dict[str, Any], where: str) -> tuple[np.ndarray, int | None]:
    """Return a person's joints (V, 3) and number; None if OpenPose did not track persons."""
    values = floats(person["pose_keypoints_2d"], f"{where}, pose_keypoints_2d")
    if len(values) not in [3 * joints for joints in _LAYOUTS]:
        raise unexpected(
            f"{where}, pose_keypoints_2d",
            len(values),
            "75 (BODY_25) or 54 (COCO): x, y and score of each joint",
        )
    identity = person.get("person_id", [-1])
    if isinstance(identity, list):
        identity = identity[0] if identity else -1
    number = whole_number(identity, f"{where}, person_id")
    return values.reshape(-1, 3), number if number >= 0 else None
