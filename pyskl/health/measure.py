"""Measure one sample: everything that a finding about it, or a figure of the set, is made of.

Shapes: M persons, T frames, V joints, C coordinates, R rows; a row is a person in a frame in which
that person is there, which is where not all of the joints are zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from pyskl.health.faults import Fault, sample_faults
from pyskl.health.fingerprint import digest
from pyskl.skeleton import SkeletonLayout

# Joints that a detector is less sure of may be anywhere: they do not count as jumping.
SURE = 0.3

# Larger values, which no skeleton has, are measured as this: its square is still a float32.
_HUGE = 1e18


@dataclass(slots=True)
class Body:
    """The skeletons of a sample. All counts are of rows or frames, all sizes in the file's unit.

    Attributes:
        shape: (M, T, V, C).
        dtype: Name of the float type.
        persons: Persons that are there in at least one frame.
        rows: R.
        empty: Frames without persons.
        longest_gap: The most of them in a row, between frames with persons.
        lead: Frames without persons at the beginning.
        trail: The same at the end; ``lead`` is T where nobody is ever there, and this 0.
        present: Rows in which joint v is not zero, (V,) int64.
        repeated: Frames with a person that are the same as the one before.
        extent: The longer side of a person's box, as a median over the rows; 0 where unknown.
        box: Sides of that box (C,), medians.
        person_jumps: Steps in which at least half of a person's joints move by more than extent.
        joint_jumps: Other steps in which a joint does.
        low: Least value of each coordinate, of joints that are there.
        high: Greatest value.
        digest: The same for samples whose persons are the same to the last bit.
    """

    shape: tuple[int, int, int, int]
    dtype: str
    persons: int
    rows: int
    empty: int
    longest_gap: int
    lead: int
    trail: int
    present: np.ndarray
    repeated: int = 0
    extent: float = 0.0
    box: tuple[float, ...] = ()
    person_jumps: int = 0
    joint_jumps: int = 0
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    digest: bytes = b""

    @property
    def zero_joints(self) -> int:
        """Joints at zero in rows, where others are there."""
        return int(self.rows * len(self.present) - self.present.sum())


@dataclass(slots=True)
class Measured:
    """A sample, measured.

    Attributes:
        name: What a report calls it.
        faults: Of its structure.
        labels: Its classes; one, unless it has several; none where faulty.
        body: None where the keypoints can't be read.
        scores: Least and greatest score, or None where there are none.
        img_shape: (height, width), where there is a sound one.
        outside: Share of the joints that lie outside of the image.
        outside_swapped: The same, were height and width swapped.
    """

    name: str
    faults: list[Fault]
    labels: tuple[int, ...] = ()
    body: Body | None = None
    scores: tuple[float, float] | None = None
    img_shape: tuple[float, float] | None = None
    outside: float = 0.0
    outside_swapped: float = 0.0


def measure(
    name: str, sample: Any, *, needs_id: bool, multi_class: bool = False
) -> tuple[Measured, np.ndarray | None]:
    """Measure a sample.

    Args:
        name: What to call it.
        sample: What stands in the file.
        needs_id: Whether there are splits, which refer to ids.
        multi_class: Whether labels are lists of classes.

    Returns:
        The measures, and its rows (R, V, C) float32 without NaN; None where it has none.
    """
    measured = Measured(name, sample_faults(sample, needs_id=needs_id, multi_class=multi_class))
    unsound = {fault.kind for fault in measured.faults}
    if not isinstance(sample, Mapping):
        return measured, None
    if "label" in sample and "label" not in unsound:
        measured.labels = tuple(int(one) for one in np.atleast_1d(sample["label"]))
    keypoint = sample.get("keypoint")
    if not is_keypoint(keypoint):
        return measured, None
    small = keypoint.dtype.itemsize < 4  # float16 ends far below
    values = (keypoint if small else keypoint.clip(-_HUGE, _HUGE)).astype(np.float32)
    broken: np.ndarray | None = None
    if "nonfinite" in unsound:
        broken = np.any(~np.isfinite(keypoint), axis=-1)
        values[broken] = 0
    there = np.logical_or.reduce([values[..., c] != 0 for c in range(values.shape[3])])  # (M, T, V)
    score = _score(sample, keypoint.shape)
    if score is not None:
        measured.scores = float(score.min()), float(score.max())
    measured.body, rows = _body(keypoint, values, there, score)
    if broken is not None:  # such joints are there, if nowhere
        measured.body.present += broken[np.any(there, axis=2)].sum(axis=0)
    measured.img_shape = image_shape(sample)
    if rows is not None and measured.img_shape is not None:
        points = values[there]
        measured.outside = _share_outside(points, measured.img_shape)
        if measured.outside:
            measured.outside_swapped = _share_outside(points, measured.img_shape[::-1])
    return measured, rows


def is_keypoint(keypoint: Any) -> TypeGuard[np.ndarray]:
    """Return whether keypoints can be measured: a float array (M, T, V, C) that is not empty."""
    return (
        isinstance(keypoint, np.ndarray)
        and keypoint.dtype.kind == "f"
        and keypoint.ndim == 4
        and keypoint.size > 0
        and keypoint.shape[3] in (2, 3)
    )


def image_shape(sample: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return a sample's (height, width), or None where it has no sound one."""
    try:
        height, width = map(float, sample["img_shape"])
    except (KeyError, TypeError, ValueError):
        return None
    return (height, width) if height > 0 and width > 0 else None


def bone_lengths(rows: np.ndarray, layout: SkeletonLayout) -> np.ndarray:
    """Return the mean length of each joint's bone (V,), over rows (R, V, C)."""
    bones = rows - rows[:, layout.parents]
    lengths: np.ndarray = np.sqrt((bones * bones).sum(axis=-1)).mean(axis=0)
    return lengths


def _score(sample: Mapping[str, Any], shape: tuple[int, ...]) -> np.ndarray | None:
    score = sample.get("keypoint_score")
    if isinstance(score, np.ndarray) and score.dtype.kind == "f" and score.shape == shape[:3]:
        return np.nan_to_num(score.astype(np.float32))
    return None


def _body(
    keypoint: np.ndarray, values: np.ndarray, there: np.ndarray, score: np.ndarray | None
) -> tuple[Body, np.ndarray | None]:
    """Measure the skeletons; ``values`` are the keypoints in float32, ``there`` is not zero."""
    seen: np.ndarray = np.any(there, axis=2)  # (M, T)
    somebody: np.ndarray = np.any(seen, axis=0)  # (T,)
    persons: np.ndarray = np.any(seen, axis=1)  # (M,)
    frames = np.flatnonzero(somebody)
    joints_there = there[seen]  # (R, V)
    T = len(somebody)
    body = Body(
        shape=keypoint.shape,
        dtype=keypoint.dtype.name,
        persons=int(persons.sum()),
        rows=len(joints_there),
        empty=T - len(frames),
        longest_gap=int(np.diff(frames).max(initial=1) - 1),
        lead=int(frames[0]) if len(frames) else T,
        trail=T - 1 - int(frames[-1]) if len(frames) else 0,
        present=joints_there.sum(axis=0),
    )
    if not body.rows:
        return body, None
    body.digest = digest(keypoint if persons.all() else keypoint[persons])
    rows = values[seen]  # (R, V, C)
    # Joints first: reducing the first axis is several times faster than one in the middle.
    joints = np.ascontiguousarray(rows.transpose(1, 0, 2))
    if joints_there.all():
        low, high = joints.min(axis=0), joints.max(axis=0)
    else:
        absent = ~joints_there.T[..., None]
        low = np.where(absent, np.inf, joints).min(axis=0)
        high = np.where(absent, -np.inf, joints).max(axis=0)
    body.low, body.high = _floats(low.min(axis=0)), _floats(high.max(axis=0))
    box = np.median(high - low, axis=0)
    body.box, body.extent = _floats(box), float(box.max())
    if T > 1:
        _measure_steps(body, values, there, somebody, score)
    return body, rows


def _measure_steps(
    body: Body,
    values: np.ndarray,
    there: np.ndarray,
    somebody: np.ndarray,
    score: np.ndarray | None,
) -> None:
    """Measure what happens from one frame to the next."""
    steps = values[:, 1:] - values[:, :-1]  # (M, T - 1, V, C)
    still = ~steps.any(axis=(0, 2, 3)) & somebody[1:]
    body.repeated = int(still.sum())
    squared = np.einsum("mtvc,mtvc->mtv", steps, steps)
    limit = body.extent**2
    if not body.extent or float(squared.max()) <= limit:
        return
    sure = there if score is None else there & (score >= SURE)
    both = sure[:, 1:] & sure[:, :-1]
    far = ((squared > limit) & both).sum(axis=2)  # (M, T - 1)
    whole = (far > 0) & (2 * far >= both.sum(axis=2))
    body.person_jumps = int(whole.sum())
    body.joint_jumps = int(((far > 0) & ~whole).sum())


def _share_outside(points: np.ndarray, img_shape: tuple[float, ...]) -> float:
    """Return the share of points (P, C) that lie outside of an image of (height, width)."""
    height, width = img_shape
    x, y = points[:, 0], points[:, 1]
    return float(((x < 0) | (x > width) | (y < 0) | (y > height)).mean())


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(values.tolist())
