"""Samples and frames as lines of JSON, from a pipe or another program.

Shapes: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from pyskl.datasets.sample_fields import with_plain_fields
from pyskl.errors import InputError
from pyskl.recordings import Recording, RecordingError
from pyskl.recordings.input_file import parse_json
from pyskl.recordings.numbers import MAX_JOINTS, brief, number, seen_joints, whole_number
from pyskl.recordings.reader import CHANNELS

# A recording of ten minutes takes about 20 MB as JSON, a frame of a hundred persons 500 kB. A line
# without an end must not fill the memory.
MAX_SAMPLE_LINE = 256 << 20
MAX_FRAME_LINE = 16 << 20


@dataclass(frozen=True)
class Frame:
    """The skeletons of one frame.

    Attributes:
        keypoint: (M, V, C); None if nobody was seen.
        score: (M, V), or None.
        time: In seconds, if known.
    """

    keypoint: np.ndarray | None
    score: np.ndarray | None = None
    time: float | None = None


def read_lines(stream: IO[str], limit: int = MAX_SAMPLE_LINE) -> Iterator[str]:
    """Yield the non-empty lines of a stream as they arrive.

    Raises:
        RecordingError: for a line of more than ``limit`` characters, or bytes that are not UTF-8.
    """
    try:
        while line := stream.readline(limit):
            if len(line) == limit and line[-1] != "\n":
                raise RecordingError(
                    "a line is too long", file="standard input", expected=f"{limit} characters"
                )
            if line.strip():
                yield line.strip()
    except UnicodeDecodeError as error:
        raise RecordingError(f"not UTF-8 text ({error})", file="standard input") from error


def read_frames(stream: IO[str], channels: str | None = None) -> Iterator[Frame | InputError]:
    """Yield the frame of each line of a stream, or what is wrong with it.

    Args:
        stream: Lines for :func:`frame_of_json`.
        channels: Meaning of the last axis, a key of :data:`pyskl.recordings.reader.CHANNELS`.
    """
    for position, line in enumerate(read_lines(stream, MAX_FRAME_LINE), 1):
        try:
            yield frame_of_json(line, f"line {position}", channels)
        except InputError as error:
            yield error


def frame_of_json(text: str, where: str, channels: str | None = None) -> Frame:
    """Read one frame.

    Args:
        text: ``{"keypoint": (M, V, C) or (V, C), "keypoint_score": ..., "t": seconds}``, or the
            keypoint alone; ``[]`` if nobody was seen.
        where: For messages.
        channels: See :func:`read_frames`.

    Raises:
        RecordingError: for other content.
    """
    content = parse_json(text, where)
    if isinstance(content, list):
        content = {"keypoint": content}
    if not isinstance(content, Mapping):
        raise RecordingError("not a frame", file=where, found=brief(content))
    time = None if content.get("t") is None else number(content["t"], f"{where}, t")
    if content.get("keypoint", ()) in ([], None):
        return Frame(None, None, time)
    return Frame(*_joints(content, where, ("M", "V"), channels), time)


def recording_of_json(
    text: str,
    where: str,
    *,
    channels: str | None = None,
    image_size: tuple[int, int] | None = None,
    fps: float | None = None,
) -> Recording:
    """Read one sample.

    Args:
        text: ``{"keypoint": (M, T, V, C) or (T, V, C)}`` with optional ``name`` (or
            ``frame_dir``), ``keypoint_score``, ``img_shape`` (height, width) and ``fps``.
        where: For messages, and the name of a sample without one.
        channels: See :func:`read_frames`.
        image_size: (height, width) in pixels if the sample does not have it.
        fps: Frames per second if the sample does not have them.

    Raises:
        RecordingError: for other content.
    """
    content = parse_json(text, where)
    if not isinstance(content, Mapping):
        raise RecordingError("not an object", file=where, found=brief(content))
    name = content.get("name", content.get("frame_dir", where))
    if not isinstance(name, str):
        raise RecordingError("not a text", file=where, key="name", found=brief(name))
    keypoint, score = _joints(content, where, ("M", "T", "V"), channels)
    if content.get("fps") is not None:
        fps = number(content["fps"], f"{where}, fps")
        if not 0 < fps < 1e6:
            raise RecordingError("not frames per second", file=where, key="fps", found=fps)
    size = with_plain_fields({"img_shape": content.get("img_shape")}).get("img_shape")
    if size is not None:
        if not isinstance(size, (list, tuple)) or len(size) != 2:
            size = [0, 0]
        height, width = (whole_number(side, f"{where}, img_shape") for side in size)
        if not (0 < height < 10**6 and 0 < width < 10**6):
            raise RecordingError(
                "not a size in pixels",
                file=where,
                key="img_shape",
                found=brief(content["img_shape"]),
                expected="[height, width]",
            )
        image_size = (height, width)
    return Recording(name, keypoint, score, image_size, fps)


def _joints(
    content: Mapping[str, Any], where: str, axes: tuple[str, ...], channels: str | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return ``keypoint`` (*axes, C) and ``keypoint_score`` (*axes) or None, both float32."""
    if "keypoint" not in content:
        raise RecordingError(
            "missing", file=where, key="keypoint", found=str(sorted(map(str, content))[:8])
        )
    keypoint = _array(content["keypoint"], where, "keypoint")
    one_person = keypoint.ndim == len(axes)  # without the axis M
    if one_person:
        keypoint = keypoint[None]
    if (
        keypoint.ndim != len(axes) + 1
        or 0 in keypoint.shape
        or keypoint.shape[-1] not in (2, 3, 4)
        or keypoint.shape[-2] > MAX_JOINTS
    ):
        raise RecordingError(
            "wrong axes",
            file=where,
            key="keypoint",
            found=keypoint.shape,
            expected=f"({', '.join(axes)}, C), with or without M",
        )
    score = None
    if content.get("keypoint_score") is not None:
        score = _array(content["keypoint_score"], where, "keypoint_score")
        score = score[None] if one_person else score
        if score.shape == (*keypoint.shape[:-1], 1):
            score = score[..., 0]
        if score.shape != keypoint.shape[:-1]:
            raise RecordingError(
                "does not match keypoint",
                file=where,
                key="keypoint_score",
                found=score.shape,
                expected=str(keypoint.shape[:-1]),
            )
    expected = CHANNELS[channels] if channels is not None else min(keypoint.shape[-1], 3)
    if keypoint.shape[-1] != expected:
        raise RecordingError(
            "wrong number of channels",
            file=where,
            key="keypoint",
            found=keypoint.shape[-1],
            expected=f"{expected}{f' ({channels})' if channels else ''}",
            hint="if the last channel is a score, use --channels xys or xyzs",
        )
    if channels is not None and channels.endswith("s"):
        keypoint, score = keypoint[..., :-1], keypoint[..., -1]
    return seen_joints(keypoint, score, where)


def _array(values: Any, where: str, key: str) -> np.ndarray:
    try:
        array = np.array(values if isinstance(values, list) else None)
        if array.dtype == object:  # null stands for what was not seen
            array = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):  # ragged lists, texts, huge integers
        array = np.array("")
    if array.dtype.kind not in "iuf" or array.ndim == 0:
        raise RecordingError(
            "not nested lists of numbers, all of the same length",
            file=where,
            key=key,
            found=brief(values),
        )
    return array.astype(np.float64)
