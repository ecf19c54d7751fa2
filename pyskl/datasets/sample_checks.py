"""Check the samples of an annotation file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.errors import AnnotationError

# How many invalid samples an error lists at most.
_SAMPLES_SHOWN = 10


def sample_id(sample: Mapping[str, Any]) -> str | None:
    """Return the id of a sample: ``frame_dir``, else ``filename``, else None."""
    identity = sample.get("frame_dir", sample.get("filename"))
    return None if identity is None else str(identity)


def raise_invalid_samples(
    path: Path,
    split: str | None,
    problems: Sequence[tuple[int, str | None, str]],
    *,
    classes: int | None = None,
) -> None:
    """Raise an error that lists the invalid samples, if there are any.

    Args:
        path: The annotation file.
        split: The split of the samples.
        problems: Position in the split, id, and what is wrong.
        classes: The number of classes that the labels need, if ``num_classes`` is too small.

    Raises:
        AnnotationError: unless ``problems`` is empty.
    """
    if not problems:
        return
    errors = [
        AnnotationError(problem, sample=index if identity is None else identity)
        for index, identity, problem in problems[:_SAMPLES_SHOWN]
    ]
    more = len(problems) - len(errors)
    count = f"{len(problems)} malformed sample{'s' if len(problems) > 1 else ''}"
    raise AnnotationError(
        count + (f", of which {len(errors)} are listed" if more else ""),
        file=path,
        key=None if split is None else f"split {split!r}",
        hint=None if classes is None else f"the data need num_classes={classes}",
        errors=errors,
    )


def classes_needed(labels: Iterable[Any], num_classes: int | None) -> int | None:
    """Return the number of classes that labels need if it exceeds ``num_classes``, else None.

    Args:
        labels: Integers, or lists of them; other values are ignored.
        num_classes: The number of classes; None for any.
    """
    if num_classes is None:
        return None
    several = (list, tuple, np.ndarray)
    each = (one for label in labels for one in (label if isinstance(label, several) else [label]))
    whole = (int(one) for one in each if isinstance(one, (int, np.integer)))
    needed = max(whole, default=-1) + 1
    return needed if needed > num_classes else None


def sample_problem(sample: Mapping[str, Any], *, multi_class: bool = False) -> str | None:
    """Return what is wrong with a sample, or None.

    Args:
        sample: The sample; the table in :mod:`pyskl.datasets.annotation_pickle` has its keys.
        multi_class: Whether ``label`` is a list of classes instead of one.
    """
    return content_problem(sample) or label_problem(sample["label"], None, multi_class)


def content_problem(sample: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a sample apart from its label, or None."""
    for key in ("keypoint", "total_frames", "label"):
        if key not in sample:
            return f"the key {key!r} is missing; it has {sorted(map(str, sample))}"
    return (
        _keypoint_problem(sample["keypoint"], sample["total_frames"])
        or _score_problem(sample.get("keypoint_score"), sample["keypoint"])
        or _img_shape_problem(sample.get("img_shape"))
    )


def _keypoint_problem(keypoint: Any, total_frames: Any) -> str | None:
    if not isinstance(keypoint, np.ndarray):
        return f"keypoint should be a NumPy array, found {type(keypoint).__name__}"
    if keypoint.dtype.kind != "f":
        return f"keypoint should be of a float type, found {keypoint.dtype}"
    if keypoint.ndim != 4:
        return f"keypoint should be (M, T, V, C), found shape {keypoint.shape}"
    if 0 in keypoint.shape:
        return f"keypoint is empty: (M, T, V, C) = {keypoint.shape}"
    if keypoint.shape[3] not in (2, 3):
        return f"keypoint should have 2 or 3 coordinates, found (M, T, V, C) = {keypoint.shape}"
    if not isinstance(total_frames, (int, np.integer)) or isinstance(total_frames, bool):
        return f"total_frames should be an int, found {type(total_frames).__name__}"
    if total_frames != keypoint.shape[1]:
        return f"total_frames is {total_frames} but keypoint has {keypoint.shape[1]} frames"
    return _finite_problem("keypoint", keypoint)


def _score_problem(score: Any, keypoint: np.ndarray) -> str | None:
    if score is None:
        return None
    if not isinstance(score, np.ndarray):
        return f"keypoint_score should be a NumPy array, found {type(score).__name__}"
    if score.dtype.kind != "f":
        return f"keypoint_score should be of a float type, found {score.dtype}"
    if score.shape != keypoint.shape[:3]:
        return (
            f"keypoint_score should be (M, T, V) = {keypoint.shape[:3]} like keypoint, "
            f"found {score.shape}"
        )
    return _finite_problem("keypoint_score", score)


def _img_shape_problem(img_shape: Any) -> str | None:
    if img_shape is None:
        return None
    try:
        height, width = img_shape
        valid = height > 0 and width > 0
    except (TypeError, ValueError):
        valid = False
    return None if valid else f"img_shape should be (height, width) in pixels, found {img_shape!r}"


def _finite_problem(name: str, array: np.ndarray) -> str | None:
    finite = np.isfinite(array)
    if finite.all():
        return None
    frames = np.unique(np.nonzero(~finite)[1])
    return (
        f"{name} has {int((~finite).sum())} values that are NaN or infinite, "
        f"in {len(frames)} frames, {int(frames[0])} the first"
    )


def label_problem(label: Any, num_classes: int | None, multi_class: bool) -> str | None:
    """Return what is wrong with a label, or None.

    Args:
        label: The value of the key.
        num_classes: The number of classes; None for any.
        multi_class: Whether ``label`` is a list of classes instead of one.
    """
    labels = label if multi_class and isinstance(label, (list, tuple, np.ndarray)) else [label]
    for value in labels:
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
            return f"label should be an int, found {type(value).__name__}: {value!r}"
        if value < 0 or (num_classes is not None and value >= num_classes):
            top = "" if num_classes is None else f" to {num_classes - 1}"
            return f"label {value} is outside 0{top}"
    return None
