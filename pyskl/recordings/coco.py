"""Read COCO's annotation files of keypoints.

A file is a dict with ``images`` (``id``, ``file_name``, ``width``, ``height``, and in videos
``video_id``, ``frame_id``), ``annotations`` (``image_id``, ``keypoints`` [x, y, v, ...], and in
videos ``track_id``) and ``categories``. Lists of results are read by
:mod:`pyskl.recordings.alphapose`.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import numpy as np

from pyskl.recordings.alphapose import (
    image_id,
    is_alphapose,
    is_result_list,
    joints_of,
    layout_of,
    read_results,
)
from pyskl.recordings.input_file import InputFile
from pyskl.recordings.numbers import (
    expect_form,
    frame_positions,
    image_size,
    natural_key,
    unexpected,
    whole_number,
)
from pyskl.recordings.persons import DetectionList, recording_of_detections
from pyskl.recordings.reader import Reader, ReadOptions
from pyskl.recordings.recording import Recording, RecordingError


@dataclass
class _Video:
    """The images of one video and the persons in them.

    Attributes:
        images: (frame_id or None, sort key, id) of each image.
        sizes: The sizes of the images.
        total_frames: T.
        found: The persons.
    """

    images: list[tuple[int | None, Any, int | str]] = field(default_factory=list)
    sizes: set[tuple[int, int] | None] = field(default_factory=set)
    total_frames: int = 0
    found: DetectionList = field(default_factory=DetectionList)


def _sniff(file: InputFile) -> bool:
    content = file.json
    if isinstance(content, dict):
        return isinstance(content.get("annotations"), list)
    return is_result_list(content) and not is_alphapose(content)


def _read(file: InputFile, options: ReadOptions) -> list[Recording]:
    content = file.json
    if isinstance(content, list):
        return read_results(file, options)
    if not isinstance(content, dict) or not isinstance(content.get("annotations"), list):
        raise unexpected(None, content, "a dict with a list 'annotations', or a list of results")
    videos, places = _videos(content)
    for position, entry in enumerate(content["annotations"]):
        where = f"annotation {position}"
        with expect_form(where, entry, "a dict with 'image_id'"):
            key = image_id(entry["image_id"], f"{where}, image_id")
            if entry.get("iscrowd") or not entry.get("keypoints"):
                continue  # a region of many persons, or a box without joints
            if key not in places:
                raise RecordingError("no image has this id", key=f"{where}, image_id", found=key)
            name, frame = places[key]
            joints = joints_of(entry["keypoints"], f"{where}, keypoints")
            track = entry.get("track_id")
            track = None if track is None else whole_number(track, f"{where}, track_id")
            videos[name].found.add(frame, joints, where, track)
    found = {name: np.stack(v.found.values) for name, v in videos.items() if v.found.values}
    if not found:
        raise RecordingError("no annotation has keypoints", key="annotations")
    if all(np.isin(values[..., 2], (0, 1, 2)).all() for values in found.values()):
        for values in found.values():  # 0 not labelled, 1 labelled but hidden, 2 visible
            values[..., 2] = values[..., 2] > 0
    names = _category_names(content)
    recordings = []
    for name, values in found.items():
        video, joints = videos[name], values.shape[1]
        joint_names = names if len(names) == joints else ()
        size = video.sizes.pop() if len(video.sizes) == 1 else None
        recordings.append(
            recording_of_detections(
                f"{file.path.stem}/{name}" if len(videos) > 1 else file.path.stem,
                video.found.frames,
                video.total_frames,
                values[..., :2],
                values[..., 2],
                video.found.identities,
                options,
                image_size=size or options.image_size,
                layout=layout_of(joints, joint_names),
                joint_names=joint_names,
            )
        )
    return recordings


READER = Reader("coco", (".json",), _read, _sniff)


def _category_names(content: dict[str, Any]) -> tuple[str, ...]:
    """Return the joint names of the first category that has any."""
    categories = content.get("categories")
    for category in categories if isinstance(categories, list) else ():
        names = category.get("keypoints") if isinstance(category, dict) else None
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            return tuple(names)
    return ()


def _videos(
    content: dict[str, Any],
) -> tuple[dict[str, _Video], dict[int | str, tuple[str, int]]]:
    """Return the videos by name, and the video and frame of each image id.

    Images with the same folder or ``video_id`` are one video, in the order of ``frame_id`` if all
    have one, else of their file names. Without ``images``, the image ids are frame numbers.
    """
    videos: dict[str, _Video] = {}
    places: dict[int | str, tuple[str, int]] = {}
    images = content.get("images")
    if not isinstance(images, list) or not images:
        ids = []
        for position, entry in enumerate(content["annotations"]):
            where = f"annotation {position}"
            with expect_form(where, entry, "a dict with 'image_id'"):
                ids.append(whole_number(entry["image_id"], f"{where}, image_id"))
        if not ids:
            raise RecordingError("there are no annotations", key="annotations")
        frames, total = frame_positions(np.array(ids, dtype=np.int64), "image_id")
        return (
            {"": _Video(total_frames=total)},
            {key: ("", frame) for key, frame in zip(ids, frames.tolist())},
        )
    for position, image in enumerate(images):
        where = f"image {position}"
        with expect_form(where, image, "a dict with 'id'"):
            identity = image_id(image["id"], f"{where}, id")
            file_name = image.get("file_name")
            file_name = file_name.replace("\\", "/") if isinstance(file_name, str) else ""
            name = posixpath.dirname(file_name)
            if "video_id" in image:
                name = str(image_id(image["video_id"], f"{where}, video_id"))
            frame = image.get("frame_id")
            frame = None if frame is None else whole_number(frame, f"{where}, frame_id")
            size = None
            if image.get("height") is not None and image.get("width") is not None:
                size = image_size(image["height"], image["width"], f"{where}, ")
        video = videos.setdefault(name, _Video())
        video.images.append((frame, natural_key(file_name or str(identity)), identity))
        video.sizes.add(size)
    for name, video in videos.items():
        numbered = all(frame is not None for frame, _, _ in video.images)
        video.images.sort(key=itemgetter(0 if numbered else 1))
        video.total_frames = len(video.images)
        for frame, (_, _, identity) in enumerate(video.images):
            if identity in places:
                raise RecordingError("several images have this id", key="id", found=identity)
            places[identity] = (name, frame)
    return dict(sorted(videos.items(), key=lambda video: natural_key(video[0]))), places
