"""Which bodies of a file are people, and which of two tracks each belongs to.

Kinect v2 now and then takes a chair or a shadow for a body, and gives a person who was out of sight
a new id. The public annotation files tell people from the rest by how long a body is seen, how
much it moves, and whether it is taller than wide; the steps and numbers here are those.

Coordinates and their differences are in float32, as they were recorded; sums, variances and
comparisons are in float64.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyskl.errors import InputError
from pyskl.recordings.ntu.skeleton_file import Body

# A body seen in so many frames or fewer is no person, if there are others.
SHORT_FRAMES = 11

# In a plausible frame a body's width is at most this much of its height; a body of which this
# share of the frames or more is implausible is no person.
WIDTH_TO_HEIGHT = 0.8
IMPLAUSIBLE_SHARE = 0.69754

# Sums of absolute coordinates below this count as nothing.
NOTHING = 1e-3

# The joint that tells whether a person is there: the middle of the spine.
_SPINE = 1


class NoBodyError(InputError):
    """A file has no body, or none that can be a person."""


def tracks_of(bodies: Sequence[Body]) -> np.ndarray:
    """Arrange the bodies of a file in one or two tracks.

    Args:
        bodies: In order of appearance, as :func:`read_skeleton_file` returns them.

    Returns:
        (M, T, V, C), float32, metres: M is 1 or 2; a person who is not there is zero.

    Raises:
        NoBodyError: if there is no body, or all look like none.
    """
    if not bodies:
        raise NoBodyError("no frame has a body")
    if len(bodies) == 1:
        return _alone(bodies[0])
    long = [body for body in bodies if len(body.keypoint) > SHORT_FRAMES]
    if not long:
        raise NoBodyError(
            f"none of its {len(bodies)} bodies is seen in more than {SHORT_FRAMES} frames"
        )
    if len(long) == 1:
        return _alone(long[0])
    people = _people(long)
    if not people:
        raise NoBodyError(f"all of its {len(long)} bodies are wider than people are")
    if len(people) == 1:
        return _alone(people[0])
    return _in_two(people)


def motion(keypoint: np.ndarray) -> float:
    """Return how much a body moves: the sum of the variances of x, y and z.

    Args:
        keypoint: (T, V, C); the variances are over all joints and frames together.
    """
    return float(keypoint.reshape(-1, 3).var(axis=0, dtype=np.float64).sum())


def plausible_frames(keypoint: np.ndarray) -> np.ndarray:
    """Return in which frames a body (T, V, C) is not too wide to be a person: (T,), bool."""
    width, height = np.ptp(keypoint[..., :2], axis=1).astype(np.float64).T  # T each
    plausible: np.ndarray = width <= WIDTH_TO_HEIGHT * height
    return plausible


def _alone(body: Body) -> np.ndarray:
    return body.keypoint[np.newaxis]


def _people(bodies: Sequence[Body]) -> list[Body]:
    """Drop the bodies that are too wide too often, and put the one that moves most first."""
    motions = []
    for body in bodies:
        plausible = plausible_frames(body.keypoint)
        if 1 - plausible.mean() >= IMPLAUSIBLE_SHARE:
            continue
        moved = motion(body.keypoint)
        if not plausible.all():
            moved = min(moved, motion(body.keypoint[plausible]))
        motions.append((moved, body))
    motions.sort(key=lambda pair: -pair[0])  # equal ones stay as they appear
    return [body for _, body in motions]


def _in_two(people: Sequence[Body]) -> np.ndarray:
    """Lay the bodies into two tracks, in their order, each where there is room for it.

    A track is taken from the start of its first body to the end of its last; a body that overlaps
    both tracks is left out.
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
    return _seen_first(_trimmed(keypoint))


def _trimmed(keypoint: np.ndarray) -> np.ndarray:
    """Cut the frames before the first and after the last in which anybody is there."""
    there = np.abs(keypoint).sum(axis=(0, 2, 3), dtype=np.float64) >= NOTHING  # T
    frames = np.flatnonzero(there)
    if not len(frames):
        raise NoBodyError("its bodies have no coordinates other than zero")
    return keypoint[:, frames[0] : frames[-1] + 1]


def _seen_first(keypoint: np.ndarray) -> np.ndarray:
    """Put the second person first where only they are there at the start."""
    first, second = np.abs(keypoint[:, 0, _SPINE]).sum(axis=-1, dtype=np.float64) >= NOTHING
    return np.ascontiguousarray(keypoint[::-1] if second and not first else keypoint)
