"""Match detections of persons over the frames of a recording.

Shapes: D detections in all, V joints, C coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Largest mean distance between the joints of a detection and their positions expected for a track,
# as a share of the body's size.
MAX_DISTANCE = 0.5
# How many frames a person may be missing before a new track begins.
MAX_GAP = 10
# In frames with more persons, only those with the highest scores are matched.
MAX_PERSONS_IN_FRAME = 64

_UNMATCHED = 1e6


@dataclass
class _Track:
    """A person in the frames up to the current one.

    Attributes:
        identity: Its number.
        frame: The frame of the last detection.
        pose: The last known position of each joint, (V, C).
        seen: Which joints have been seen, (V,) bool.
        velocity: Of the whole body, (C,), units per frame.
    """

    identity: int
    frame: int
    pose: np.ndarray
    seen: np.ndarray
    velocity: np.ndarray

    def update(self, frame: int, pose: np.ndarray, seen: np.ndarray) -> None:
        common = self.seen & seen
        if common.any():
            moved = (pose[common] - self.pose[common]).mean(axis=0) / (frame - self.frame)
            self.velocity = (self.velocity + moved) / 2
        # Hidden joints move with the body.
        self.pose = self.pose + self.velocity * (frame - self.frame)
        self.pose[seen] = pose[seen]
        self.frame, self.seen = frame, self.seen | seen


def match_persons(frames: np.ndarray, keypoint: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Match persons over the frames.

    Frame by frame, detections are assigned to tracks with the least sum of distances (Kuhn, "The
    Hungarian method", 1955). A distance is that between the joints and their expected positions at
    constant velocity: the mean over the joints seen in both, relative to the body's size (the
    diagonal of its bounding box). A detection that is too far from every track begins a new one.

    Args:
        frames: The frame of each detection, (D,) int64.
        keypoint: Joint positions, (D, V, C).
        seen: Which joints were seen, (D, V) bool.

    Returns:
        The number of the person of each detection, (D,) int64, from 0 in the order of appearance.
    """
    from scipy.optimize import linear_sum_assignment  # takes long to import

    identity = np.full(len(frames), -1, dtype=np.int64)
    tracks: list[_Track] = []
    count = 0
    order = np.argsort(frames, kind="stable")
    bounds = np.flatnonzero(np.diff(frames[order])) + 1
    sizes = np.maximum(body_size(keypoint, seen), _minimal_size(keypoint, seen))
    for members in np.split(order, bounds) if len(order) else []:
        frame = int(frames[members[0]])
        tracks = [track for track in tracks if frame - track.frame <= MAX_GAP + 1]
        matched = {}
        if tracks:
            cost = _distances(tracks, frame, keypoint[members], seen[members], sizes[members])
            rows, columns = linear_sum_assignment(np.where(cost < MAX_DISTANCE, cost, _UNMATCHED))
            matched = {
                column: tracks[row]
                for row, column in zip(rows.tolist(), columns.tolist())
                if cost[row, column] < MAX_DISTANCE
            }
        for column, member in enumerate(members.tolist()):
            pose, track = keypoint[member].astype(np.float64), matched.get(column)
            if track is None:
                track = _Track(count, frame, pose, seen[member], np.zeros(keypoint.shape[2]))
                tracks.append(track)
                count += 1
            else:
                track.update(frame, pose, seen[member])
            identity[member] = track.identity
    return identity


def body_size(keypoint: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the diagonal of the bounding box of the joints seen, (D,); keypoint is (D, V, C)."""
    low = np.where(seen[..., None], keypoint, np.inf).min(axis=-2)
    high = np.where(seen[..., None], keypoint, -np.inf).max(axis=-2)
    extent = np.where(np.asarray(seen.any(axis=-1))[..., None], high - low, 0)
    return np.sqrt((extent.astype(np.float64) ** 2).sum(axis=-1))


def _minimal_size(keypoint: np.ndarray, seen: np.ndarray) -> float:
    """Return the minimum size assumed for a body, as few of its joints may be seen."""
    usual = float(np.median(body_size(keypoint, seen)))
    if usual > 0:
        return usual / 4
    # Skeletons of one joint have no size: take half of the space that they move in.
    everything = keypoint[seen]
    return float(np.linalg.norm(np.ptp(everything, axis=0))) / 2 if len(everything) else 0.0


def _distances(
    tracks: list[_Track],
    frame: int,
    keypoint: np.ndarray,
    seen: np.ndarray,
    sizes: np.ndarray,
) -> np.ndarray:
    """Return the distance of each track to each detection, relative to the body: (tracks, D)."""
    expected = np.stack([track.pose + track.velocity * (frame - track.frame) for track in tracks])
    known = np.stack([track.seen for track in tracks])
    common = known[:, None] & seen[None]  # tracks, D, V
    offset = np.sqrt(((expected[:, None] - keypoint[None]) ** 2).sum(axis=-1))
    joints = common.sum(axis=-1)
    mean = np.where(common, offset, 0).sum(axis=-1) / np.maximum(joints, 1)
    size = np.maximum(body_size(expected, known)[:, None], sizes[None])
    # Without a common joint, compare the centers of the joints seen.
    center = _center(expected, known)[:, None] - _center(keypoint, seen)[None]
    mean = np.where(joints > 0, mean, np.sqrt((center**2).sum(axis=-1)))
    present = np.asarray(known.any(axis=-1))[:, None] & np.asarray(seen.any(axis=-1))[None]
    return np.where(present, mean / np.maximum(size, 1e-12), np.inf)


def _center(keypoint: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the mean of the joints seen, (D, C); keypoint is (D, V, C)."""
    total = np.where(seen[..., None], keypoint, 0).sum(axis=-2)
    return np.asarray(total / np.maximum(seen.sum(axis=-1), 1)[:, None])
