"""Measure one sample, for the findings and statistics.

Shapes: M persons, T frames, V joints, C coordinates, R rows. A row is one person in one frame, if
the person is present: not all joints are zero.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeGuard

import numpy as np

from pyskl.datasets.sample_checks import (
    FieldProblem,
    axes_problem,
    content_problem,
    label_problem,
    sample_id,
    sample_problem,
)
from pyskl.skeleton import SkeletonLayout

# Joints below this score may be anywhere, so they do not count as jumps.
_SURE_SCORE = 0.3

# Larger values, which no skeleton has, are clipped; the square of this fits into float32.
_HUGE = 1e18

_KEYS = ("keypoint", "total_frames", "label")

# A valid sample, to check one part of another sample at a time.
_VALID: Mapping[str, Any] = {
    "keypoint": np.zeros((1, 1, 1, 2), np.float32),
    "total_frames": 1,
    "label": 0,
}


class Problem(NamedTuple):
    """A structural problem: the kind of finding, and what was found."""

    kind: str
    text: str


@dataclass(slots=True)
class Body:
    """Measurements of a sample's skeletons. Counts are of rows or frames, sizes in the file's unit.

    Attributes:
        shape: (M, T, V, C).
        dtype: Name of the float type.
        persons: Persons present in at least one frame.
        rows: R.
        empty: Frames without persons.
        longest_gap: The longest run of them between frames with persons.
        lead: Frames without persons at the beginning; T if no person is ever present.
        trail: Frames without persons at the end; 0 if no person is ever present.
        present: Rows in which joint v is not zero, (V,) int64.
        repeated: Frames with a person that equal the previous frame.
        extent: The longer side of a person's bounding box, median over the rows; 0 if unknown.
        box: Sides of that box (C,), medians.
        person_jumps: Steps in which at least half of a person's joints move by more than extent.
        joint_jumps: Other steps in which a joint moves by more than extent.
        low: Minimum of each coordinate, of joints that are not missing.
        high: Maximum of each coordinate.
        digest: Equal for samples whose persons are identical bit for bit; empty without persons.
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


@dataclass(slots=True)
class SampleMeasurements:
    """Measurements of a sample.

    Attributes:
        name: Its name in reports.
        problems: Structural problems.
        labels: Its classes: one, or several in multi-class data; none if invalid.
        body: None if the keypoints can't be read.
        scores: Least and greatest score, or None without scores.
        img_shape: (height, width), if it is valid.
        outside: Share of the joints outside the image.
        outside_swapped: The same with height and width swapped.
    """

    name: str
    problems: list[Problem]
    labels: tuple[int, ...] = ()
    body: Body | None = None
    scores: tuple[float, float] | None = None
    img_shape: tuple[float, float] | None = None
    outside: float = 0.0
    outside_swapped: float = 0.0

    @property
    def label_text(self) -> str:
        """The classes as text."""
        return " ".join(map(str, self.labels)) or "no label"


def measure(
    name: str, sample: Any, *, needs_id: bool, multi_class: bool = False
) -> tuple[SampleMeasurements, np.ndarray | None]:
    """Measure a sample.

    Args:
        name: Its name in reports.
        sample: Anything; a valid one is a dict, see :mod:`pyskl.datasets.annotation_pickle`, with
            plain fields (:func:`pyskl.datasets.sample_fields.with_plain_fields`).
        needs_id: Whether there are splits, which refer to ids.
        multi_class: Whether labels are lists of classes.

    Returns:
        The measurements; the rows (R, V, C) in float32, or None if the keypoints can't be read or
        are all zero.
    """
    found = SampleMeasurements(
        name, sample_problems(sample, needs_id=needs_id, multi_class=multi_class)
    )
    invalid = {problem.kind for problem in found.problems}
    if not isinstance(sample, Mapping):
        return found, None
    if "label" in sample and "label" not in invalid:
        found.labels = tuple(int(one) for one in np.atleast_1d(sample["label"]))
    keypoint = sample.get("keypoint")
    if not is_keypoint(keypoint) or "axes" in invalid:
        return found, None
    half = keypoint.dtype.itemsize < 4  # float16 can't hold such values
    values = (keypoint if half else keypoint.clip(-_HUGE, _HUGE)).astype(np.float32)
    broken: np.ndarray | None = None
    if "nonfinite" in invalid:
        broken = np.any(~np.isfinite(keypoint), axis=-1)
        values[broken] = 0
    exists = np.logical_or.reduce(
        [values[..., c] != 0 for c in range(values.shape[3])]
    )  # (M, T, V)
    score = sample.get("keypoint_score")
    if (
        isinstance(score, np.ndarray)
        and score.dtype.kind == "f"
        and score.shape == keypoint.shape[:3]
    ):
        score = np.nan_to_num(score.astype(np.float32))
        found.scores = float(score.min()), float(score.max())
    else:
        score = None
    found.body, rows = _measure_body(keypoint, values, exists, score)
    if broken is not None:  # such joints are not missing, their position is unknown
        found.body.present += broken[np.any(exists, axis=2)].sum(axis=0)
    try:
        height, width = map(float, sample["img_shape"])
        found.img_shape = (height, width) if height > 0 and width > 0 else None
    except (KeyError, TypeError, ValueError):
        pass
    if rows is not None and found.img_shape is not None:
        points = values[exists]
        found.outside = _share_outside(points, *found.img_shape)
        if found.outside:
            found.outside_swapped = _share_outside(points, *found.img_shape[::-1])
    return found, rows


def is_keypoint(keypoint: Any) -> TypeGuard[np.ndarray]:
    """Return whether keypoints can be measured: a non-empty float array (M, T, V, 2 or 3)."""
    return (
        isinstance(keypoint, np.ndarray)
        and keypoint.dtype.kind == "f"
        and keypoint.ndim == 4
        and keypoint.size > 0
        and keypoint.shape[3] in (2, 3)
    )


def sample_problems(sample: Any, *, needs_id: bool, multi_class: bool = False) -> list[Problem]:
    """Return all structural problems of a sample; arguments as for :func:`measure`."""
    if not isinstance(sample, Mapping):
        return [Problem("structure", f"should be a dict, found {type(sample).__name__}")]
    problems = []
    if needs_id and sample_id(sample) is None:
        problems.append(Problem("structure", "has neither 'frame_dir' nor 'filename'"))
    missing = [key for key in _KEYS if key not in sample]
    if not missing and sample_problem(sample, multi_class=multi_class) is None:
        return problems
    problems += [Problem("structure", f"the key {key!r} is missing") for key in missing]

    def check(kind: str, **parts: Any) -> bool:
        """Add the problem of some parts of the sample, if any; return whether there is one."""
        problem = content_problem({**_VALID, **parts})
        if problem is not None:
            problems.append(Problem(kind, str(problem)))
        return problem is not None

    keypoint, score = sample.get("keypoint"), sample.get("keypoint_score")
    if "keypoint" in sample:
        T = keypoint.shape[1] if isinstance(keypoint, np.ndarray) and keypoint.ndim > 1 else 1
        shape_only = _zeros_like(keypoint)  # checks shape and type without the values
        axes = order_problem(sample)
        if axes is not None:
            problems.append(Problem("axes", str(axes)))
        elif not check("structure", keypoint=shape_only, total_frames=T):
            if "total_frames" in sample:
                check("total_frames", keypoint=shape_only, total_frames=sample["total_frames"])
            check("nonfinite", keypoint=keypoint, total_frames=T)
            parts = {"keypoint": shape_only, "total_frames": T}
            if score is not None and not check(
                "structure", **parts, keypoint_score=_zeros_like(score)
            ):
                check("nonfinite", **parts, keypoint_score=score)
    if "label" in sample:
        problem = label_problem(sample["label"], None, multi_class)
        if problem is not None:
            problems.append(Problem("label", str(problem)))
    for key in ("img_shape", "original_shape"):
        check("structure", **{key: sample.get(key)})
    return problems


def order_problem(sample: Mapping[str, Any]) -> FieldProblem | None:
    """Return why the axes of a sample's keypoints are not (M, T, V, C), or None.

    Samples that are not arrays of four axes, or lack the number of frames, have no such problem.
    """
    keypoint, T = sample.get("keypoint"), sample.get("total_frames")
    if not isinstance(keypoint, np.ndarray) or keypoint.ndim != 4 or keypoint.dtype.kind != "f":
        return None
    if not keypoint.size or isinstance(T, bool):
        return None
    return axes_problem(keypoint, int(T) if isinstance(T, (int, np.integer)) else keypoint.shape[1])


def _zeros_like(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    return np.broadcast_to(np.zeros((), value.dtype), value.shape)


def bone_lengths(rows: np.ndarray, layout: SkeletonLayout) -> np.ndarray:
    """Return the mean length of each joint's bone (V,), over rows (R, V, C)."""
    bones = rows - rows[:, layout.parents]
    lengths: np.ndarray = np.sqrt((bones * bones).sum(axis=-1)).mean(axis=0)
    return lengths


def digest(keypoint: np.ndarray) -> bytes:
    """Return a 128-bit BLAKE2b hash of dtype, shape and values."""
    content = np.ascontiguousarray(keypoint)
    state = hashlib.blake2b(f"{content.dtype.str}{content.shape}".encode(), digest_size=16)
    state.update(content.data)
    return state.digest()


def _measure_body(
    keypoint: np.ndarray, values: np.ndarray, exists: np.ndarray, score: np.ndarray | None
) -> tuple[Body, np.ndarray | None]:
    """Measure the skeletons; ``exists`` (M, T, V) marks nonzero joints. ``values`` are finite."""
    present: np.ndarray = np.any(exists, axis=2)  # (M, T)
    occupied: np.ndarray = np.any(present, axis=0)  # (T,)
    persons: np.ndarray = np.any(present, axis=1)  # (M,)
    frames = np.flatnonzero(occupied)
    joints_exist = exists[present]  # (R, V)
    T = len(occupied)
    body = Body(
        shape=keypoint.shape,
        dtype=keypoint.dtype.name,
        persons=int(persons.sum()),
        rows=len(joints_exist),
        empty=T - len(frames),
        longest_gap=int(np.diff(frames).max(initial=1) - 1),
        lead=int(frames[0]) if len(frames) else T,
        trail=T - 1 - int(frames[-1]) if len(frames) else 0,
        present=joints_exist.sum(axis=0),
    )
    if not body.rows:
        return body, None
    body.digest = digest(keypoint if persons.all() else keypoint[persons])
    rows = values[present]  # (R, V, C)
    # Joints first: reducing the first axis is several times faster than one in the middle.
    joints = np.ascontiguousarray(rows.transpose(1, 0, 2))
    if joints_exist.all():
        low, high = joints.min(axis=0), joints.max(axis=0)
    else:
        missing = ~joints_exist.T[..., None]
        low = np.where(missing, np.inf, joints).min(axis=0)
        high = np.where(missing, -np.inf, joints).max(axis=0)
    body.low, body.high = tuple(low.min(axis=0).tolist()), tuple(high.max(axis=0).tolist())
    box = np.median(high - low, axis=0)
    body.box, body.extent = tuple(box.tolist()), float(box.max())
    if T == 1:
        return body, rows

    steps = values[:, 1:] - values[:, :-1]  # (M, T - 1, V, C)
    body.repeated = int((~steps.any(axis=(0, 2, 3)) & occupied[1:]).sum())
    squared = np.einsum("mtvc,mtvc->mtv", steps, steps)
    limit = body.extent**2
    if body.extent and float(squared.max()) > limit:
        sure = exists if score is None else exists & (score >= _SURE_SCORE)
        both = sure[:, 1:] & sure[:, :-1]
        far = ((squared > limit) & both).sum(axis=2)  # (M, T - 1)
        whole = (far > 0) & (2 * far >= both.sum(axis=2))
        body.person_jumps = int(whole.sum())
        body.joint_jumps = int(((far > 0) & ~whole).sum())
    return body, rows


def _share_outside(points: np.ndarray, height: float, width: float) -> float:
    """Return the share of points (P, C) outside an image."""
    x, y = points[:, 0], points[:, 1]
    return float(((x < 0) | (x > width) | (y < 0) | (y > height)).mean())
