"""Frames of a stream: from lines or recordings, and to the sample that a window of them is.

Shapes: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from pyskl.errors import InputError
from pyskl.inference.samples import joints_of, lines_of
from pyskl.inference.sources import Item, Unread
from pyskl.recordings import RecordingError
from pyskl.recordings.input_file import parse_json
from pyskl.recordings.numbers import brief, number

# A frame of a hundred persons has some 500 kB as JSON.
_MAX_LINE = 16 << 20


@dataclass(frozen=True)
class Frame:
    """The skeletons of one instant.

    Attributes:
        keypoint: (M, V, C); None where nobody was seen.
        score: (M, V), or None.
        time: In seconds, where the frame says.
    """

    keypoint: np.ndarray | None
    score: np.ndarray | None = None
    time: float | None = None


def window_sample(
    frames: Iterable[Frame], image_size: tuple[int, int] | None = None
) -> dict[str, Any] | None:
    """Return frames as a sample; None where nobody is in them.

    Whoever is first in a frame is the first person of the sample: a person keeps the place.

    Raises:
        RecordingError: if the frames differ in joints or coordinates.
    """
    frames = list(frames)
    there = [frame.keypoint for frame in frames if frame.keypoint is not None]
    if not any(keypoint.any() for keypoint in there):
        return None
    kinds = {keypoint.shape[1:] for keypoint in there}
    if len(kinds) > 1:
        raise RecordingError(f"its frames differ in (V, C): {sorted(kinds)}")
    persons = max(len(keypoint) for keypoint in there)
    joints, coordinates = there[0].shape[1:]
    keypoint = np.zeros((persons, len(frames), joints, coordinates), dtype=np.float32)
    score = np.zeros(keypoint.shape[:3], dtype=np.float32)
    scored = False
    for position, frame in enumerate(frames):
        if frame.keypoint is None:
            continue
        keypoint[: len(frame.keypoint), position] = frame.keypoint
        if frame.score is not None:
            score[: len(frame.keypoint), position] = frame.score
            scored = True
    sample: dict[str, Any] = {
        "frame_dir": "window",
        "keypoint": keypoint,
        "total_frames": len(frames),
    }
    if scored and coordinates == 2:
        sample["keypoint_score"] = score
    if image_size is not None:
        sample["img_shape"] = sample["original_shape"] = image_size
    return sample


# --- where frames come from -----------------------------------------------------------------------


def frames_of_lines(stream: IO[str], channels: str | None = None) -> Iterator[Frame | InputError]:
    """Yield the frame of each line of a stream.

    Args:
        stream: Lines of JSON: ``{"keypoint": (M, V, C) or (V, C), "keypoint_score": ..., "t":
            seconds}``, or the keypoint alone; ``[]`` is nobody.
        channels: What the last axis is; see
            :class:`~pyskl.recordings.ReadOptions`.
    """
    for position, line in enumerate(lines_of(stream, _MAX_LINE)):
        try:
            yield frame_of_json(line, f"line {position + 1}", channels)
        except InputError as error:
            yield error


def frame_of_json(text: str, where: str, channels: str | None = None) -> Frame:
    """Read one frame; see :func:`frames_of_lines`.

    Raises:
        RecordingError: if it is something else.
    """
    content = parse_json(text, where)
    if isinstance(content, list):
        content = {"keypoint": content}
    if not isinstance(content, Mapping):
        raise RecordingError(f"{where}: expected a frame, found {brief(content)}")
    instant = None if content.get("t") is None else number(content["t"], f"{where}, t")
    if content.get("keypoint", ()) in ([], None):
        return Frame(None, None, instant)
    keypoint, score = joints_of(content, where, channels=channels)
    return Frame(keypoint, score, instant)


def replayed(
    items: Iterable[Item | Unread],
    fps: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Frame | InputError]:
    """Yield the frames of recordings at the pace at which they were recorded.

    Args:
        items: The recordings, one after the other.
        fps: Frames per second; by default the recording's, or else 30.
        sleep: Waits.
        clock: Returns the time in seconds.
    """
    begin, elapsed = clock(), 0.0
    for item in items:
        if isinstance(item, Unread):
            yield item.error
            continue
        pace = fps or item.fps or 30.0
        keypoint = np.asarray(item.sample["keypoint"])
        score = item.sample.get("keypoint_score")
        for position in range(keypoint.shape[1]):
            ahead = begin + elapsed - clock()
            if ahead > 0:
                sleep(ahead)
            one = None if score is None else np.asarray(score)[:, position]
            yield Frame(keypoint[:, position], one, round(elapsed, 6))
            elapsed += 1 / pace
