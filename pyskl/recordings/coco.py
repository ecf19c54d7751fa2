"""COCO's annotation files of keypoints.

A dict with ``images`` (``id``, ``file_name``, ``width``, ``height``, and of videos ``video_id``,
``frame_id``), ``annotations`` (``image_id``, ``keypoints`` [x, y, v, ...], and of videos
``track_id``) and ``categories``. Lists of results are read by
:mod:`pyskl.recordings.alphapose`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.recordings import alphapose
from pyskl.recordings.detected import Video, image_key, keypoints_of, recording_of
from pyskl.recordings.json_file import read_json
from pyskl.recordings.numbers import brief, frame_positions, natural_key, whole_number
from pyskl.recordings.options import ReadOptions
from pyskl.recordings.recording import Recording, RecordingError


def read(path: Path, options: ReadOptions) -> list[Recording]:
    """Read an annotation file or a list of results."""
    return parse(read_json(path), path, options)


def looks_like_it(content: Any) -> bool:
    """Return whether JSON looks like an annotation file, or like a list of results."""
    if isinstance(content, dict):
        return isinstance(content.get("annotations"), list)
    return alphapose.is_results(content)


def parse(content: Any, path: Path, options: ReadOptions) -> list[Recording]:
    """Take a COCO file's content apart; see :func:`read`."""
    if isinstance(content, list):
        return alphapose.parse(content, path, options)
    if not isinstance(content, dict) or not isinstance(content.get("annotations"), list):
        raise RecordingError(
            f"{path}: expected a dict with 'annotations', or a list of results with 'image_id' and "
            f"'keypoints'; found {brief(content)}"
        )
    names = _category_names(content)
    where_of, videos = _image_places(content, path, options)
    for position, entry in enumerate(content["annotations"]):
        where = f"{path}, annotation {position}"
        if not isinstance(entry, dict) or "image_id" not in entry:
            raise RecordingError(f"{where}: expected a dict with 'image_id', found {brief(entry)}")
        if entry.get("iscrowd") or not entry.get("keypoints"):
            continue  # a region of many persons, or a box without joints
        place = where_of.get(image_key(entry["image_id"], where))
        if place is None:
            raise RecordingError(
                f"{where}: its image_id {brief(entry['image_id'])} is none of the ids in 'images'"
            )
        video = videos[place[0]]
        video.frames.append(place[1])
        video.keypoints.append(keypoints_of(entry["keypoints"], where))
        track = entry.get("track_id")
        video.identities.append(
            None if track is None else whole_number(track, f"{where}, track_id")
        )
    flags = all(
        np.isin(keypoint[:, 2], (0, 1, 2)).all()
        for video in videos.values()
        for keypoint in video.keypoints
    )
    if flags:  # 0 not labelled, 1 labelled but hidden, 2 labelled and visible
        for video in videos.values():
            for keypoint in video.keypoints:
                keypoint[:, 2] = keypoint[:, 2] > 0
    found = {name: video for name, video in videos.items() if video.keypoints}
    if not found:
        raise RecordingError(f"{path}: no annotation has keypoints")
    return [
        recording_of(
            path, f"{path.stem}/{name}" if len(videos) > 1 else path.stem, video, options, names
        )
        for name, video in found.items()
    ]


def _category_names(content: Mapping[str, Any]) -> tuple[str, ...]:
    categories = content.get("categories")
    if not isinstance(categories, list):
        return ()
    for category in categories:
        names = category.get("keypoints") if isinstance(category, dict) else None
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            return tuple(names)
    return ()


def _image_places(
    content: Mapping[str, Any], path: Path, options: ReadOptions
) -> tuple[dict[Any, tuple[str, int]], dict[str, Video]]:
    """Return video and frame of each image id, and the videos by name.

    Images of one folder are one video, in the order of ``frame_id`` where all have one, else of
    their file names. Without ``images`` the ids themselves are frame numbers.
    """
    images = content.get("images")
    if not isinstance(images, list) or not images:
        ids = [
            whole_number(entry.get("image_id"), f"{path}, annotation {position}, image_id")
            for position, entry in enumerate(content["annotations"])
            if isinstance(entry, dict)
        ]
        if not ids:
            raise RecordingError(f"{path}: there are no annotations")
        frames, total = frame_positions(np.array(ids, dtype=np.int64), str(path))
        video = Video(total=total, image_size=options.image_size)
        return {key: ("", int(frame)) for key, frame in zip(ids, frames)}, {"": video}
    entries: dict[str, list[tuple[Any, Any, Any]]] = {}
    sizes: dict[str, set[tuple[int, int] | None]] = {}
    for position, image in enumerate(images):
        where = f"{path}, image {position}"
        if not isinstance(image, dict) or "id" not in image:
            raise RecordingError(f"{where}: expected a dict with 'id', found {brief(image)}")
        name = image.get("file_name")
        name = name.replace("\\", "/") if isinstance(name, str) else ""
        video_name = posixpath.dirname(name)
        if "video_id" in image:
            video_name = str(image_key(image["video_id"], where))
        frame = image.get("frame_id")
        frame = None if frame is None else whole_number(frame, f"{where}, frame_id")
        identity = image_key(image["id"], where)
        order = natural_key(name or str(identity))
        entries.setdefault(video_name, []).append((frame, order, identity))
        sizes.setdefault(video_name, set()).add(_size(image, where))
    places, videos = {}, {}
    for name in sorted(entries, key=natural_key):
        members = entries[name]
        by_frame = all(frame is not None for frame, _, _ in members)
        members.sort(key=lambda entry: entry[0] if by_frame else entry[1])
        for frame, (_, _, identity) in enumerate(members):
            if identity in places:
                raise RecordingError(f"{path}: several images have the id {brief(identity)}")
            places[identity] = (name, frame)
        size = sizes[name].pop() if len(sizes[name]) == 1 else None
        videos[name] = Video(total=len(members), image_size=size or options.image_size)
    return places, videos


def _size(image: Mapping[str, Any], where: str) -> tuple[int, int] | None:
    if image.get("height") is None or image.get("width") is None:
        return None
    size = whole_number(image["height"], where), whole_number(image["width"], where)
    if not (0 < size[0] < 10**6 and 0 < size[1] < 10**6):
        raise RecordingError(f"{where}: height and width are {size}, expected pixels above 0")
    return size
