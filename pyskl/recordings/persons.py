"""From detections to the persons of a recording: matched over time, and the most active kept.

Shapes: D detections in all, M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from pyskl.recordings.recording import RecordingError
from pyskl.recordings.tracking import MAX_PERSONS_IN_FRAME, body_size, match_persons

# Somebody who stands still still counts: what is added to the motion, in body sizes.
_STILL = 0.01

# What persons, frames and joints together may take as one array.
_MAX_BYTES = 1 << 30


@dataclass
class Detections:
    """The persons found in the frames of a recording, in any order.

    Attributes:
        frames: Frame of each, (D,) int64, from 0.
        total_frames: T.
        keypoint: (D, V, C) float32; joints that were not seen are zero.
        score: (D, V) float32, or None.
        identity: Who each is, (D,) int64, where the tool that found them has matched them.
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


def seen_mask(keypoint: np.ndarray, score: np.ndarray | None) -> np.ndarray:
    """Return which joints were seen: not zero, and of some score. (..., V) bool."""
    seen = (keypoint != 0).any(axis=-1)
    return seen if score is None else seen & (score > 0)


def activity(keypoint: np.ndarray, score: np.ndarray | None, total_frames: int) -> float:
    """Return how active a person is: motion x presence x score.

    Motion is the standard deviation of the joints' positions over time (the root of the mean
    variance of a joint), relative to the body's size, plus a little; presence the share of the
    recording's frames in which the person is seen; score the mean over the joints seen, 1 where
    there is none.

    Args:
        keypoint: Of the frames in which the person is there, (T', V, C).
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
    trust = 1.0 if score is None else float(score[seen].mean())
    return (_STILL + motion) * (present.sum() / total_frames) * trust


def most_active(
    keypoint: np.ndarray, score: np.ndarray | None, persons: int | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Keep the most active persons, the most active first; all stay as they are if few enough.

    Args:
        keypoint: (M, T, V, C).
        score: (M, T, V), or None.
        persons: How many to keep, or None.
    """
    if persons is None or len(keypoint) <= persons:
        return keypoint, score
    found = [
        activity(keypoint[person], None if score is None else score[person], keypoint.shape[1])
        for person in range(len(keypoint))
    ]
    chosen = np.argsort(-np.array(found), kind="stable")[:persons]
    return keypoint[chosen], None if score is None else score[chosen]


def arrange(
    detections: Detections, persons: int | None, where: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the persons of a recording, the most active first.

    Identities are trusted where nobody is twice in a frame; else the persons are matched by
    :func:`~pyskl.recordings.tracking.match_persons`. Then a person that was lost and
    found again is several, so whoever appears after a more active one has gone is put in its
    place, as in the published skeletons of NTU RGB+D.

    Args:
        detections: What was found; at least one.
        persons: How many to keep, or None for all.
        where: The file, used in messages.

    Returns:
        keypoint (M, T, V, C) and score (M, T, V) or None, float32.

    Raises:
        RecordingError: if nobody was found, or there are too many persons to keep them all.
    """
    if not detections.seen.any():
        raise RecordingError(f"{where}: nobody was seen in any frame; no joint has a position")
    identity, trusted = detections.identity, True
    if identity is None or _twice_in_a_frame(detections.frames, identity):
        trusted, detections = False, _without_crowds(detections)
        identity = match_persons(detections.frames, detections.keypoint, detections.seen)
    order = np.argsort(identity, kind="stable")
    tracks = np.split(order, np.flatnonzero(np.diff(identity[order])) + 1)
    found = np.array([_activity(detections, track) for track in tracks])
    ranked = [tracks[position] for position in np.argsort(-found, kind="stable")]
    if trusted:
        places = [[track] for track in ranked[:persons]]
    else:
        places = _joined(ranked, detections.frames, persons)

    shape = (len(places), detections.total_frames, *detections.keypoint.shape[1:])
    if 4 * math.prod(shape) > _MAX_BYTES:
        raise RecordingError(
            f"{where}: {shape[0]} persons in {shape[1]} frames are too much to keep; say how many "
            "persons to keep (persons, --persons), or split the recording"
        )
    keypoint = np.zeros(shape, dtype=np.float32)
    score = None if detections.score is None else np.zeros(shape[:3], dtype=np.float32)
    for place, group in enumerate(places):
        for track in group:
            keypoint[place, detections.frames[track]] = detections.keypoint[track]
            if score is not None and detections.score is not None:
                score[place, detections.frames[track]] = detections.score[track]
    return keypoint, score


def _activity(detections: Detections, track: np.ndarray) -> float:
    score = None if detections.score is None else detections.score[track]
    return activity(detections.keypoint[track], score, detections.total_frames)


def _twice_in_a_frame(frames: np.ndarray, identity: np.ndarray) -> bool:
    """Return whether somebody is twice in a frame, as where a tool numbers without matching."""
    return len(np.unique(np.stack([frames, identity]), axis=1)[0]) < len(frames)


def _without_crowds(detections: Detections) -> Detections:
    """Return the detections without the least sure ones of overcrowded frames."""
    counts = np.unique(detections.frames, return_counts=True)[1]
    if counts.max() <= MAX_PERSONS_IN_FRAME:
        return detections
    seen = detections.seen
    score = seen if detections.score is None else np.where(seen, detections.score, 0)
    sure = score.mean(axis=1)
    # By frame, and in it the surest first.
    order = np.lexsort((-sure, detections.frames))
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
    """Put each track in the first place whose time it does not overlap.

    Args:
        ranked: The tracks, the most active first: indices of detections.
        frames: Frame of each detection.
        persons: How many places there are; None for as many as it takes.
    """
    places: list[list[np.ndarray]] = []
    spans: list[list[tuple[int, int]]] = []
    for track in ranked:
        first, last = int(frames[track].min()), int(frames[track].max())
        for place, taken in zip(places, spans):
            if all(last < start or end < first for start, end in taken):
                place.append(track)
                taken.append((first, last))
                break
        else:
            if persons is None or len(places) < persons:
                places.append([track])
                spans.append([(first, last)])
    return places
