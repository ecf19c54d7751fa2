"""Check the samples of an annotation file."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pyskl.datasets.sample_fields import as_text, fitting_orders
from pyskl.errors import AnnotationError

# How many invalid samples an error lists at most, and how many a hint names.
_SAMPLES_SHOWN = 10
_SAMPLES_NAMED = 3

# Labels are strays if the usual label has this many times more samples.
_STRAY = 3

# More persons than this for each frame are frames; group activities have 12 persons in a frame.
_CROWD_PER_FRAME = 12

# Labels are kept in 64 bits.
_MOST_CLASSES = 2**63


class FieldProblem(NamedTuple):
    """What is wrong with a field of a sample; as text ``KEY TEXT``."""

    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.key} {self.text}"


def sample_id(sample: Mapping[str, Any]) -> str | None:
    """Return the id of a sample: ``frame_dir``, else ``filename``, else None."""
    identity = sample.get("frame_dir")
    if identity is None:
        identity = sample.get("filename")
    return None if identity is None else str(identity)


def raise_invalid_samples(
    path: Path,
    split: str | None,
    problems: Sequence[tuple[int, str | None, FieldProblem]],
    *,
    hint: str | None = None,
) -> None:
    """Raise an error that lists the invalid samples, if there are any.

    Args:
        path: The annotation file.
        split: The split of the samples.
        problems: Position in the split, id, and what is wrong.
        hint: What to do about them.

    Raises:
        AnnotationError: unless ``problems`` is empty.
    """
    if not problems:
        return
    errors = [
        AnnotationError(
            problem.text, sample=index if identity is None else identity, key=problem.key
        )
        for index, identity, problem in problems[:_SAMPLES_SHOWN]
    ]
    more = len(problems) - len(errors)
    count = f"{len(problems)} malformed sample{'s' if len(problems) > 1 else ''}"
    raise AnnotationError(
        count + (f", of which {len(errors)} are listed" if more else ""),
        file=path,
        key=None if split is None else f"split {split!r}",
        hint=hint,
        errors=errors,
    )


def label_hint(
    labels: Sequence[Any], num_classes: int | None, names: Callable[[int], str]
) -> str | None:
    """Return what to do about labels that are not below ``num_classes``, or None if all are.

    Args:
        labels: A label, or several, of each sample; invalid ones are ignored.
        num_classes: The number of classes; None for any.
        names: Returns the id of a sample by its position in ``labels``.
    """
    if num_classes is None:
        return None
    samples: dict[int, list[int]] = {}  # by label
    for position, label in enumerate(labels):
        for one in label if isinstance(label, (list, tuple, np.ndarray)) else [label]:
            if isinstance(one, (int, np.integer)) and not isinstance(one, bool) and one >= 0:
                samples.setdefault(int(one), []).append(position)
    beyond = sorted(label for label in samples if label >= num_classes)
    if not beyond:
        return None
    top = beyond[-1]
    below = [label for label in samples if label < num_classes]
    if min(samples) == 1 and top in (num_classes, len(samples)):
        return f"labels start at 1 and go to {top}: subtract 1 from each of them" + (
            "" if top == num_classes else f", and set num_classes={top}"
        )
    strays = [position for label in beyond for position in samples[label]]
    usual = sum(len(samples[label]) for label in below) / max(1, len(below))
    if _STRAY * len(strays) <= usual:
        listed = ", ".join(repr(names(position)) for position in strays[:_SAMPLES_NAMED])
        more = ", ..." if len(strays) > _SAMPLES_NAMED else ""
        return f"all other labels are at most {max(below)}: look at the label of {listed}{more}"
    return f"the data need num_classes={top + 1}"


def sample_problem(sample: Mapping[str, Any], *, multi_class: bool = False) -> FieldProblem | None:
    """Return what is wrong with a sample, or None.

    Args:
        sample: From :func:`pyskl.datasets.sample_fields.with_plain_fields`; the table in
            :mod:`pyskl.datasets.annotation_pickle` has its keys.
        multi_class: Whether ``label`` is a list of classes instead of one.
    """
    return content_problem(sample) or label_problem(sample["label"], None, multi_class)


def content_problem(sample: Mapping[str, Any]) -> FieldProblem | None:
    """Return what is wrong with a sample apart from its label, or None."""
    for key in ("keypoint", "total_frames", "label"):
        if key not in sample:
            return FieldProblem(key, f"is missing; there are {sorted(map(str, sample))}")
    problem = _array_problem("keypoint", sample["keypoint"], "(M, T, V, C)")
    if problem is None:
        keypoint, frames = sample["keypoint"], sample["total_frames"]
        problem = (
            _frames_problem(frames)
            or axes_problem(keypoint, frames)
            or _shape_problem(keypoint, frames)
            or _finite_problem("keypoint", keypoint)
            or _score_problem(sample.get("keypoint_score"), keypoint)
        )
    return problem or _size_problem(sample, "img_shape") or _size_problem(sample, "original_shape")


def _array_problem(key: str, value: Any, axes: str) -> FieldProblem | None:
    if not isinstance(value, np.ndarray):
        return FieldProblem(key, f"should be a NumPy array, found {_kind(value)}")
    if value.dtype.kind != "f":
        return FieldProblem(key, f"should be of a float type, found {value.dtype}")
    if value.ndim != len(axes.split(",")):
        return FieldProblem(key, f"should be {axes}, found shape {value.shape}")
    if 0 in value.shape:
        return FieldProblem(key, f"is empty: {axes} = {value.shape}")
    return None


def _kind(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"a {type(value).__name__} that is not nested lists of numbers of equal lengths"
    return type(value).__name__


def _frames_problem(frames: Any) -> FieldProblem | None:
    if isinstance(frames, (int, np.integer)) and not isinstance(frames, bool):
        return None
    return FieldProblem("total_frames", f"should be an int, found {_short(frames)}")


def axes_problem(keypoint: np.ndarray, total_frames: int) -> FieldProblem | None:
    """Return why the axes of keypoints with four axes are not (M, T, V, C), or None.

    Only the shape speaks: it has other numbers of coordinates or frames and another order of axes
    fits, or it has far more persons than frames, which would each be seen once or twice.
    """
    M, T, V, C = shape = keypoint.shape
    found = f"(M, T, V, C) = {shape}"
    coordinates_as_joints = V in (2, 3) and M > 4
    if C not in (2, 3) or total_frames != T or coordinates_as_joints:
        orders = fitting_orders(shape, int(total_frames))
        if orders:
            axes = " or ".join(map(as_text, orders))
            return FieldProblem("keypoint", f"should be {found}, but the axes look like {axes}")
    if M > _CROWD_PER_FRAME * T:
        text = f"is {M} persons of {T} frames: the axes look like (T, M, V, C), not {found}"
        return FieldProblem("keypoint", text)
    # A second person who is never there reads as a second coordinate that is always zero.
    if (M, C) == (3, 2) and not keypoint[..., 1].any() and keypoint[..., 0].any():
        text = f"has no second coordinate: the axes look like (C, T, V, M), not {found}"
        return FieldProblem("keypoint", text)
    return None


def _shape_problem(keypoint: np.ndarray, total_frames: int) -> FieldProblem | None:
    if keypoint.shape[3] not in (2, 3):
        text = f"should have 2 or 3 coordinates, found (M, T, V, C) = {keypoint.shape}"
        return FieldProblem("keypoint", text)
    if total_frames == keypoint.shape[1]:
        return None
    return FieldProblem(
        "total_frames", f"is {total_frames}, but keypoint has {keypoint.shape[1]} frames"
    )


def _score_problem(score: Any, keypoint: np.ndarray) -> FieldProblem | None:
    if score is None:
        return None
    problem = _array_problem("keypoint_score", score, "(M, T, V)")
    if problem is not None:
        return problem
    if score.shape != keypoint.shape[:3]:
        text = f"should be (M, T, V) = {keypoint.shape[:3]} like keypoint, found {score.shape}"
        return FieldProblem("keypoint_score", text)
    return _finite_problem("keypoint_score", score)


def _size_problem(sample: Mapping[str, Any], key: str) -> FieldProblem | None:
    size = sample.get(key)
    if size is None:
        return None
    try:
        height, width = size
        valid = _is_length(height) and _is_length(width)
    except (TypeError, ValueError):
        valid = False
    if valid:
        return None
    return FieldProblem(key, f"should be (height, width) in pixels, found {_short(size)}")


def _is_length(value: Any) -> bool:
    if type(value) is int:  # nearly always
        return value > 0
    number = isinstance(value, (float, np.integer, np.floating))
    return bool(number and 0 < value < math.inf)


def _finite_problem(name: str, array: np.ndarray) -> FieldProblem | None:
    finite = np.isfinite(array)
    if finite.all():
        return None
    frames = np.unique(np.nonzero(~finite)[1])
    return FieldProblem(
        name,
        f"has {int((~finite).sum())} values that are NaN or infinite, "
        f"in {len(frames)} frames, {int(frames[0])} the first",
    )


def label_problem(label: Any, num_classes: int | None, multi_class: bool) -> FieldProblem | None:
    """Return what is wrong with a label, or None.

    Args:
        label: The value of the key.
        num_classes: The number of classes; None for any.
        multi_class: Whether ``label`` is a list of classes instead of one.
    """
    several = multi_class and isinstance(label, (list, tuple, np.ndarray)) and np.ndim(label) > 0
    for value in label if several else [label]:
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
            return FieldProblem("label", f"should be an int, found {_short(value)}")
        if not 0 <= value < (_MOST_CLASSES if num_classes is None else num_classes):
            top = "" if num_classes is None else f" to {num_classes - 1}"
            return FieldProblem("label", f"{value} is outside 0{top}")
    return None


def _short(value: Any) -> str:
    return f"{type(value).__name__}: {reprlib.repr(value)}"
