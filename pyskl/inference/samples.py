"""Samples and frames as lines of JSON, from a pipe or another program.

Shapes: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO, Any

import numpy as np

from pyskl.recordings import Recording, RecordingError
from pyskl.recordings.input_file import parse_json
from pyskl.recordings.numbers import MAX_JOINTS, brief, number, seen_joints, whole_number
from pyskl.recordings.reader import CHANNELS

# A recording of ten minutes has some 20 MB as JSON; a line without an end must not fill the memory.
MAX_LINE = 256 << 20


def lines_of(stream: IO[str], limit: int = MAX_LINE) -> Iterator[str]:
    """Yield the lines of a stream that are not empty, as they come.

    Raises:
        RecordingError: for a line of more than ``limit`` characters, or what is no text.
    """
    try:
        while line := stream.readline(limit):
            if len(line) == limit and line[-1] != "\n":
                raise RecordingError(f"standard input: a line has more than {limit} characters")
            if line.strip():
                yield line.strip()
    except UnicodeDecodeError as error:
        raise RecordingError(f"standard input: it is no UTF-8 text ({error})") from error


def recording_of_json(
    text: str,
    where: str,
    *,
    channels: str | None = None,
    image_size: tuple[int, int] | None = None,
    fps: float | None = None,
) -> Recording:
    """Read a sample that is an object of JSON.

    Args:
        text: ``{"keypoint": (M, T, V, C) or (T, V, C)}``, and where known ``name`` (or
            ``frame_dir``), ``keypoint_score``, ``img_shape`` (height, width), ``fps``.
        where: What messages call it, and its name where it has none.
        channels: What the last axis is; see
            :class:`~pyskl.recordings.ReadOptions`.
        image_size: Where the sample does not say it.
        fps: Likewise.

    Raises:
        RecordingError: if it is something else.
    """
    content = parse_json(text, where)
    if not isinstance(content, Mapping):
        raise RecordingError(f"{where}: expected an object of JSON, found {brief(content)}")
    name = content.get("name", content.get("frame_dir", where))
    if not isinstance(name, str):
        raise RecordingError(f"{where}, name: expected a text, found {brief(name)}")
    keypoint, score = joints_of(content, where, "T", channels)
    if content.get("fps") is not None:
        fps = number(content["fps"], f"{where}, fps")
        if not 0 < fps < 1e6:
            raise RecordingError(f"{where}, fps: expected frames per second, found {fps:g}")
    if content.get("img_shape") is not None:
        image_size = _image_size(content["img_shape"], f"{where}, img_shape")
    return Recording(name, keypoint, score, image_size, fps)


def joints_of(
    content: Mapping[str, Any], where: str, time: str = "", channels: str | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what an object says of joints.

    Args:
        content: ``keypoint`` as nested lists, and where known ``keypoint_score``.
        where: For messages.
        time: ``'T'`` for sequences; nothing for single frames.
        channels: See :func:`recording_of_json`.

    Returns:
        ``keypoint`` (M, [T,] V, C) float32 and ``score`` (M, [T,] V) or None.

    Raises:
        RecordingError: if they are no numbers, or of other axes.
    """
    if "keypoint" not in content:
        raise RecordingError(f"{where}: it has no 'keypoint', but {sorted(map(str, content))[:8]}")
    axes = f"M, {time + ', ' if time else ''}V"
    keypoint = _array(content["keypoint"], f"{where}, keypoint")
    alone = keypoint.ndim == len(time) + 2  # one person, without an axis for it
    if alone:
        keypoint = keypoint[None]
    fits = keypoint.ndim == len(time) + 3 and keypoint.shape[-1] in (2, 3, 4)
    if not fits or 0 in keypoint.shape or keypoint.shape[-2] > MAX_JOINTS:
        raise RecordingError(
            f"{where}, keypoint: expected ({axes}, C), with or without M, found the shape "
            f"{keypoint.shape}"
        )
    score = None
    if content.get("keypoint_score") is not None:
        score = _array(content["keypoint_score"], f"{where}, keypoint_score")
        score = score[None] if alone else score
        if score.shape != keypoint.shape[:-1]:
            raise RecordingError(
                f"{where}, keypoint_score: expected ({axes}) = {keypoint.shape[:-1]}, as keypoint "
                f"is, found {score.shape}"
            )
    if channels is not None and keypoint.shape[-1] != CHANNELS[channels]:
        raise RecordingError(
            f"{where}, keypoint: {channels} are {CHANNELS[channels]} channels, found "
            f"{keypoint.shape[-1]}"
        )
    if channels is not None and channels.endswith("s"):
        keypoint, score = keypoint[..., :-1], keypoint[..., -1]
    if keypoint.shape[-1] == 4:
        raise RecordingError(
            f"{where}, keypoint: found 4 channels; if the last one is a score, say --channels xyzs"
        )
    return seen_joints(keypoint, score, where)


def _array(values: Any, where: str) -> np.ndarray:
    if not isinstance(values, list):
        raise RecordingError(f"{where}: expected lists of numbers, found {brief(values)}")
    try:
        array = np.array(values)
    except (ValueError, OverflowError):
        raise RecordingError(f"{where}: the lists differ in length") from None
    if array.dtype == object:  # null, for what was not seen
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            raise RecordingError(f"{where}: expected lists of numbers") from None
    if array.dtype.kind not in "iuf":
        raise RecordingError(f"{where}: expected lists of numbers, found {array.dtype}")
    return array.astype(np.float64)


def _image_size(value: Any, where: str) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise RecordingError(f"{where}: expected [height, width], found {brief(value)}")
    size = whole_number(value[0], where), whole_number(value[1], where)
    if not all(0 < side < 10**6 for side in size):
        raise RecordingError(f"{where}: expected pixels, found {list(size)}")
    return size
