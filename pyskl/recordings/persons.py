"""Match detections to persons over time, and keep the most active persons.

Shapes: D detections in all, M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pyskl.recordings.numbers import seen_joints, unexpected
from pyskl.recordings.reader import ReadOptions
from pyskl.recordings.recording import Recording, RecordingError
from pyskl.recordings.tracking import MAX_PERSONS_IN_FRAME, body_size, match_persons

# Added to the motion, in body sizes, so that a person who stands still has some activity.
_STILL = 0.01

# Limit of the keypoints of a recording in memory.
_MAX_BYTES = 1 << 30


@dataclass
class Detections:
    """The persons found in the frames of a recording, in any order.

    Attributes:
        frames: Frame of each detection, (D,) int64, from 0.
        total_frames: T.
        keypoint: (D, V, C) float32; joints that were not seen are zero.
        score: (D, V) float32, or None.
        identity: Number of the person, (D,) int64, if the pose estimator tracks persons.
    """

    frames: np.ndarray
    total_frames: int
    keypoint: np.ndarray
    score: np.ndarray | None = None
    identity: np.ndarray | None = None

    @property
    def seen(self) -> np.ndarray:
        """Which joints were seen, (D, V) bool."""
        return seen_mask(self.keypoint, self.score)


class DetectionList:
    """Collects the persons of frames one by one, for readers of JSON.

    Attributes:
        frames: Frame of each detection.
        values: Its joints, (V, K) each: coordinates, and scores if the format has them.
        identities: Number of the person, or None.
    """

    def __init__(self) -> None:
        self.frames: list[int] = []
        self.values: list[np.ndarray] = []
        self.identities: list[int | None] = []

    def add(self, frame: int, values: np.ndarray, where: str, identity: int | None = None) -> None:
        """Add a person; raises RecordingError if the number of joints differs from before."""
        if self.values and len(values) != len(self.values[0]):
            raise unexpected(
                where,
                len(values),
                f"{len(self.values[0])} as before",
                problem="the number of joints changes",
            )
        self.frames.append(frame)
        self.values.append(values)
        self.identities.append(identity)


def recording_of_detections(
    name: str,
    frames: Sequence[int] | np.ndarray,
    total_frames: int,
    coordinates: np.ndarray,
    score: np.ndarray | None,
    identities: Sequence[int | None] | np.ndarray | None,
    options: ReadOptions,
    where: str | None = None,
    **fields: Any,
) -> Recording:
    """Return a recording of the persons found in its frames.

    Args:
        name: Its id.
        frames: Frame of each detection, (D,).
        total_frames: T.
        coordinates: (D, V, C); NaN for joints that were not seen.
        score: (D, V), or None.
        identities: Number of the person in each detection; used only if none of them is None.
        options: How many persons to keep, image size and frame rate.
        where: Place for error messages.
        fields: Further fields of :class:`Recording`; they take precedence over the options.

    Raises:
        RecordingError: as :func:`arrange` and :func:`seen_joints`.
    """
    keypoint, score = seen_joints(coordinates, score, where)
    identity = None
    if identities is not None and all(number is not None for number in identities):
        identity = np.asarray(identities, dtype=np.int64)
    frame_numbers = np.asarray(frames, dtype=np.int64)
    found = Detections(frame_numbers, total_frames, keypoint, score, identity)
    keypoint, score = arrange(found, options.persons, where)
    known = {"image_size": options.image_size, "fps": options.fps, **fields}
    return Recording(name, keypoint, score, **known)


def seen_mask(keypoint: np.ndarray, score: np.ndarray | None) -> np.ndarray:
    """Return which joints were seen (not zero, and with a score above 0), (..., V) bool."""
    seen = (keypoint != 0).any(axis=-1)
    return seen if score is None else seen & (score > 0)


def activity(keypoint: np.ndarray, score: np.ndarray | None, total_frames: int) -> float:
    """Return how active a person is: motion x presence x score.

    Motion is the standard deviation of the joint positions over time (the root of the mean
    variance of a joint), relative to the body's size; presence the share of the recording's
    frames in which the person is seen; score the mean over the joints seen, 1 without scores.

    Args:
        keypoint: Of the frames in which the person was detected, (T', V, C).
        score: (T', V), or None.
        total_frames: T.
    """
    seen = seen_mask(keypoint, score)
    if not seen.any():
        return 0.0
    weight = seen[..., None]
    count = np.maximum(seen.sum(axis=0), 1)[:, None]
    position = keypoint.astype(np.float64)
    mean = np.where(weight, position, 0).sum(axis=0) / count
    variance = (np.where(weight, (position - mean) ** 2, 0).sum(axis=0) / count).sum(axis=-1)
    present = seen.any(axis=-1)
    size = max(float(np.median(body_size(keypoint[present], seen[present]))), 1e-12)
    motion = float(np.sqrt(variance[seen.any(axis=0)].mean())) / size
    confidence = 1.0 if score is None else float(score[seen].mean())
    return (_STILL + motion) * (present.sum() / total_frames) * confidence


def most_active(
    keypoint: np.ndarray, score: np.ndarray | None, persons: int | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Keep the most active persons, most active first; if none is dropped, the order stays.

    Args:
        keypoint: (M, T, V, C).
        score: (M, T, V), or None.
        persons: How many to keep; None keeps all.

    Raises:
        RecordingError: if no joint was seen in any frame.
    """
    if not seen_mask(keypoint, score).any():
        raise RecordingError("no joint of any person was seen in any frame")
    if persons is None or len(keypoint) <= persons:
        return keypoint, score
    found = [
        activity(keypoint[person], None if score is None else score[person], keypoint.shape[1])
        for person in range(len(keypoint))
    ]
    chosen = np.argsort(-np.array(found), kind="stable")[:persons]
    return keypoint[chosen], None if score is None else score[chosen]


def arrange(
    detections: Detections, persons: int | None, where: str | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the persons of a recording, the most active first.

    Identities are used if no person is in a frame twice; otherwise persons are matched by
    :func:`~pyskl.recordings.tracking.match_persons`. A person who was lost and found again then has
    several tracks, so tracks that do not overlap in time are joined, starting with the most active
    ones, as in the published skeletons of NTU RGB+D.

    Args:
        detections: At least one.
        persons: How many to keep; None keeps all.
        where: Place for error messages.

    Returns:
        keypoint (M, T, V, C) and score (M, T, V) or None, float32.

    Raises:
        RecordingError: if no joint was seen, or all persons together take too much memory.
    """
    if not detections.seen.any():
        raise RecordingError("no joint of any person was seen in any frame", key=where)
    identity = detections.identity
    tracked = True
    if identity is None or not _unique_in_frames(detections.frames, identity):
        tracked, detections = False, _limit_per_frame(detections)
        identity = match_persons(detections.frames, detections.keypoint, detections.seen)
    order = np.argsort(identity, kind="stable")
    tracks = np.split(order, np.flatnonzero(np.diff(identity[order])) + 1)
    found = [
        activity(
            detections.keypoint[track],
            None if detections.score is None else detections.score[track],
            detections.total_frames,
        )
        for track in tracks
    ]
    ranked = [tracks[position] for position in np.argsort(-np.array(found), kind="stable")]
    if tracked:
        groups = [[track] for track in ranked[:persons]]
    else:
        groups = _joined(ranked, detections.frames, persons)

    shape = (len(groups), detections.total_frames, *detections.keypoint.shape[1:])
    if 4 * math.prod(shape) > _MAX_BYTES:
        raise RecordingError(
            "too many persons to keep",
            key=where,
            found=f"{shape[0]} in {shape[1]} frames",
            hint="limit the persons (persons, --persons), or split the recording",
        )
    keypoint = np.zeros(shape, dtype=np.float32)
    score = None if detections.score is None else np.zeros(shape[:3], dtype=np.float32)
    for person, group in enumerate(groups):
        for track in group:
            keypoint[person, detections.frames[track]] = detections.keypoint[track]
            if score is not None and detections.score is not None:
                score[person, detections.frames[track]] = detections.score[track]
    return keypoint, score


def _unique_in_frames(frames: np.ndarray, identity: np.ndarray) -> bool:
    """Return whether no identity is in a frame twice; without tracking, all may be equal."""
    return len(np.unique(np.stack([frames, identity]), axis=1)[0]) == len(frames)


def _limit_per_frame(detections: Detections) -> Detections:
    """Drop the detections with the lowest scores from frames with too many."""
    counts = np.unique(detections.frames, return_counts=True)[1]
    if counts.max() <= MAX_PERSONS_IN_FRAME:
        return detections
    seen = detections.seen
    score = seen if detections.score is None else np.where(seen, detections.score, 0)
    order = np.lexsort((-score.mean(axis=1), detections.frames))  # by frame, then by score
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = np.sort(order[rank < MAX_PERSONS_IN_FRAME])
    return replace(
        detections,
        frames=detections.frames[kept],
        keypoint=detections.keypoint[kept],
        score=None if detections.score is None else detections.score[kept],
        identity=None,
    )


def _joined(
    ranked: list[np.ndarray], frames: np.ndarray, persons: int | None
) -> list[list[np.ndarray]]:
    """Append each track to the first group whose tracks it does not overlap in time.

    Args:
        ranked: The tracks (indices of detections), the most active first.
        frames: Frame of each detection.
        persons: The maximal number of groups, or None.
    """
    groups: list[list[np.ndarray]] = []
    spans: list[list[tuple[int, int]]] = []
    for track in ranked:
        first, last = int(frames[track].min()), int(frames[track].max())
        for group, taken in zip(groups, spans):
            if all(last < start or end < first for start, end in taken):
                group.append(track)
                taken.append((first, last))
                break
        else:
            if persons is None or len(groups) < persons:
                groups.append([track])
                spans.append([(first, last)])
    return groups
