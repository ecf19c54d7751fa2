"""Choose the bodies of a file that are people, and arrange them in two tracks.

Kinect v2 sometimes detects a chair or a shadow as a body, and a person who was out of sight gets a
new id. The steps and constants here are those of the public annotation files, which choose people
by how long a body is seen, how much it moves, and its width relative to its height.

Coordinates and their differences are in float32, as they were recorded; sums, variances and
comparisons are in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pyskl.recordings.recording import RecordingError

if TYPE_CHECKING:
    from pyskl.recordings.ntu.skeleton_file import Body

# If there are several bodies, those seen in at most so many frames are dropped.
SHORT_FRAMES = 11

# In a plausible frame the width of a body is at most this share of its height. A body is dropped
# if at least this share of its frames is implausible.
WIDTH_TO_HEIGHT = 0.8
IMPLAUSIBLE_SHARE = 0.69754

# Sums of absolute coordinates below this count as absence.
ABSENT = 1e-3

# A person is present if this joint, the middle of the spine, is not zero.
_SPINE = 1


def tracks_of(bodies: Sequence[Body]) -> np.ndarray:
    """Arrange the bodies of a file in one or two tracks.

    Args:
        bodies: In order of appearance, as :func:`read_skeleton_file` returns them.

    Returns:
        (M, T, V, C), float32, metres: M is 1 or 2; absent persons are zero.

    Raises:
        RecordingError: if there is no body that can be a person.
    """
    if not bodies:
        raise RecordingError("no frame has a body")
    people = list(bodies)
    if len(people) > 1:
        people = [body for body in bodies if len(body.keypoint) > SHORT_FRAMES]
        if not people:
            raise RecordingError(
                "no body is seen long enough to be a person",
                found=f"{len(bodies)} bodies of at most {SHORT_FRAMES} frames",
            )
    if len(people) > 1:
        people = _plausible_people(people)
        if not people:
            raise RecordingError("all bodies are too wide to be people")
    return people[0].keypoint[np.newaxis] if len(people) == 1 else _in_two_tracks(people)


def motion(keypoint: np.ndarray) -> float:
    """Return how much a body moves: the sum of the variances of x, y and z.

    Args:
        keypoint: (T, V, C); each variance is over all joints and frames.
    """
    return float(keypoint.reshape(-1, 3).var(axis=0, dtype=np.float64).sum())


def plausible_frames(keypoint: np.ndarray) -> np.ndarray:
    """Return in which frames a body (T, V, C) is not too wide to be a person: (T,), bool."""
    width, height = np.ptp(keypoint[..., :2], axis=1).astype(np.float64).T  # T each
    plausible: np.ndarray = width <= WIDTH_TO_HEIGHT * height
    return plausible


def _plausible_people(bodies: Sequence[Body]) -> list[Body]:
    """Drop the bodies that are too wide too often, and sort by motion, most first."""
    motions = []
    for body in bodies:
        plausible = plausible_frames(body.keypoint)
        if 1 - plausible.mean() >= IMPLAUSIBLE_SHARE:
            continue
        moved = motion(body.keypoint)
        if not plausible.all():
            moved = min(moved, motion(body.keypoint[plausible]))
        motions.append((moved, body))
    motions.sort(key=lambda pair: -pair[0])  # equal ones stay in order of appearance
    return [body for _, body in motions]


def _in_two_tracks(people: Sequence[Body]) -> np.ndarray:
    """Put each body into the first track that is free in its interval, else drop it.

    A track is occupied from the start of its first body to the end of its last. Frames without
    persons are cut off both ends. If only the second person is present in the first frame, the two
    are swapped.
    """
    num_frames = max(body.stop for body in people)
    keypoint = np.zeros((2, num_frames, *people[0].keypoint.shape[1:]), np.float32)
    taken: list[tuple[int, int] | None] = [None, None]  # frames from, to; by track
    for body in people:
        for track, interval in enumerate(taken):
            start, stop = interval or (body.start, body.start)
            if max(start, body.start) >= min(stop, body.stop):
                keypoint[track, body.start : body.stop] = body.keypoint
                taken[track] = (min(start, body.start), max(stop, body.stop))
                break
    frames = np.flatnonzero(np.abs(keypoint).sum(axis=(0, 2, 3), dtype=np.float64) >= ABSENT)
    if not len(frames):
        raise RecordingError("the bodies have no coordinates other than zero")
    keypoint = keypoint[:, frames[0] : frames[-1] + 1]
    first, second = np.abs(keypoint[:, 0, _SPINE]).sum(axis=-1, dtype=np.float64) >= ABSENT
    return np.ascontiguousarray(keypoint[::-1] if second and not first else keypoint)
