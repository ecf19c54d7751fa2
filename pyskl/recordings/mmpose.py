"""Read the predictions of MMPose 1.x as JSON.

A video is ``{"meta_info": ..., "instance_info": [{"frame_id": 1, "instances": [...]}, ...]}``, or
the list alone; an image is a list of instances, ``{"keypoints": [[x, y], ...], "keypoint_scores":
[...]}`` each, with ``track_id`` if persons were tracked. Three coordinates are read, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pyskl.recordings.alphapose import layout_of
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


def _frames(content: Any) -> Any:
    """Return the frames, ``{"frame_id": ..., "instances": [...]}`` each; None for other JSON."""
    if isinstance(content, dict):
        if "instances" in content:
            return [content]
        return content.get("instance_info")
    if isinstance(content, list) and content and isinstance(content[0], dict):
        if "instances" in content[0]:
            return content
        if "keypoint_scores" in content[0]:
            return [{"instances": content}]
    return None


def _read(file: InputFile, options: ReadOptions) -> list[Recording]:
    content = file.json
    frames, found, numbers = _frames(content), DetectionList(), []
    if not isinstance(frames, list) or not frames:
        raise unexpected(None, content, "'instance_info', a list of frames with 'instances'")
    for position, frame in enumerate(frames):
        where = f"instance_info {position}"
        with expect_form(where, frame, "a dict with a list 'instances'"):
            number = frame.get("frame_id", position)
            numbers.append(whole_number(number, f"{where}, frame_id"))
            for at, person in enumerate(list(frame["instances"])):
                place = f"{where}, instance {at}"
                with expect_form(place, person, "a dict with 'keypoints' and 'keypoint_scores'"):
                    track = person.get("track_id")
                    track = None if track is None else whole_number(track, f"{place}, track_id")
                    found.add(position, _joints(person, place), place, track)
    if not found.frames:
        raise RecordingError(f"nobody was seen in any of the {len(frames)} frames")
    if len({joints.shape for joints in found.values}) > 1:
        raise RecordingError("the number of coordinates changes", key="keypoints")
    positions, total = frame_positions(np.array(numbers, dtype=np.int64), "frame_id")
    values = np.stack(found.values)
    names = _joint_names(content, values.shape[1])
    return [
        recording_of_detections(
            file.path.stem,
            positions[found.frames],
            total,
            values[..., :-1],
            values[..., -1],
            found.identities,
            options,
            layout=layout_of(values.shape[1], names),
            joint_names=names,
        )
    ]


READER = Reader("mmpose", (".json",), _read, lambda file: isinstance(_frames(file.json), list))


def _joints(person: dict[str, Any], where: str) -> np.ndarray:
    """Return a person's joints, (V, C + 1): coordinates and score."""
    points, scores = person["keypoints"], floats(person["keypoint_scores"], f"{where}, scores")
    dims = {len(point) for point in points}
    if dims not in ({2}, {3}) or len(points) != len(scores) or len(points) > MAX_JOINTS:
        raise unexpected(f"{where}, keypoints", points, "[x, y] or [x, y, z] for each score")
    flat = floats([number for point in points for number in point], f"{where}, keypoints")
    return np.concatenate([flat.reshape(len(points), -1), scores[:, None]], axis=1)


def _joint_names(content: Any, joints: int) -> tuple[str, ...]:
    """Return the joint names of ``meta_info``, or nothing."""
    meta = content.get("meta_info") if isinstance(content, dict) else None
    names = meta.get("keypoint_id2name") if isinstance(meta, dict) else None
    if not isinstance(names, dict):
        return ()
    ordered = [names.get(str(joint)) for joint in range(joints)]
    return tuple(str(name) for name in ordered) if None not in ordered else ()
