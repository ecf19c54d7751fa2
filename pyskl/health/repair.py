"""Repair single samples where there is one right way to.

Shapes: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from pyskl.health.faults import sample_faults
from pyskl.health.measure import is_keypoint

Sample = dict[str, Any]

# Share of the joints that are there and NaN from which on a sample is beyond repair.
_BEYOND_REPAIR = 0.5


class Change(NamedTuple):
    """Something that the cleaned copy has otherwise than the file.

    Attributes:
        kind: Of the finding that it answers.
        name: Id of the sample, or name of the split.
        text: What was done.
    """

    kind: str
    name: str
    text: str


def repaired(
    name: str, sample: Any, *, needs_id: bool, multi_class: bool
) -> tuple[Sample | None, list[Change]]:
    """Return a sample without faults, and what was done to it.

    Args:
        name: What to call it.
        sample: What stands in the file; never changed.
        needs_id: Whether there are splits, which refer to ids.
        multi_class: Whether labels are lists of classes.

    Returns:
        The sample, None where it has to be dropped, and the changes.
    """
    if not isinstance(sample, Mapping):
        return None, [Change("structure", name, f"dropped: a {type(sample).__name__}, not a dict")]
    found = dict(sample)
    changes = [
        Change(kind, name, text)
        for kind, text in (
            *_repair_type(found),
            *_repair_label(found, multi_class),
            *_repair_length(found),
            *_repair_values(found),
        )
    ]
    faults = sample_faults(found, needs_id=needs_id, multi_class=multi_class)
    if faults:
        return None, [*changes, Change(faults[0].kind, name, f"dropped: {faults[0].text}")]
    keypoint = found["keypoint"]
    if not keypoint.any():
        return None, [*changes, Change("all_zero", name, "dropped: all is zero")]
    cut = _cut_ends(found)
    if cut is not None:
        changes.append(Change("empty_ends", name, cut))
    return found, changes


def converted(sample: Sample, dtype: np.dtype[Any]) -> Sample:
    """Return a sample whose keypoints are of another float type; wider where they do not fit."""
    keypoint = sample["keypoint"]
    if keypoint.dtype == dtype:
        return sample
    with np.errstate(over="ignore"):
        changed = keypoint.astype(dtype)
    return {**sample, "keypoint": changed if np.isfinite(changed).all() else keypoint}


def _repair_type(sample: Sample) -> list[tuple[str, str]]:
    """Make float arrays of whole numbers and of lists; add the axis of a single person."""
    done = []
    keypoint = sample.get("keypoint")
    if isinstance(keypoint, (list, tuple)):
        keypoint = _as_array(keypoint)
        if keypoint is None:
            return []
        done.append(("structure", "keypoint made an array of float32"))
    elif isinstance(keypoint, np.ndarray) and keypoint.dtype.kind in "iu":
        done.append(("structure", f"keypoint made float32, was {keypoint.dtype}"))
        keypoint = keypoint.astype(np.float32)
    if not isinstance(keypoint, np.ndarray):
        return []
    frames = sample.get("total_frames")
    if keypoint.ndim == 3 and len(keypoint) == frames and keypoint.shape[2] in (2, 3):
        done.append(("structure", f"keypoint made (1, T, V, C), was {keypoint.shape}"))
        keypoint = keypoint[None]
        score = sample.get("keypoint_score")
        if isinstance(score, np.ndarray) and score.shape == keypoint.shape[1:3]:
            sample["keypoint_score"] = score[None]
    sample["keypoint"] = keypoint
    return done


def _as_array(values: Any) -> np.ndarray | None:
    try:
        array = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError):  # ragged, or not of numbers
        return None
    return array if array.ndim in (3, 4) else None


def _repair_label(sample: Sample, multi_class: bool) -> list[tuple[str, str]]:
    """Make an int of a label that is one in another type."""
    label = sample.get("label")
    if isinstance(label, np.ndarray) and label.size == 1 and not multi_class:
        label = label.reshape(()).item()
    if isinstance(label, (float, np.floating)) and float(label).is_integer():
        label = int(label)
    if label is sample.get("label"):
        return []
    if not isinstance(label, int) or isinstance(label, bool):
        return []
    was, sample["label"] = sample["label"], label
    return [("label", f"label made {label}, was {was!r}")]


def _repair_length(sample: Sample) -> list[tuple[str, str]]:
    """Set total_frames to the number of frames."""
    if not is_keypoint(sample.get("keypoint")):
        return []
    T, said = sample["keypoint"].shape[1], sample.get("total_frames")
    whole = isinstance(said, (int, np.integer)) and not isinstance(said, bool)
    if whole and said == T:
        return []
    sample["total_frames"] = T
    if said is None:
        return [("structure", f"total_frames set to {T}")]
    return [("total_frames", f"total_frames set to {T}, was {said!r}")]


def _repair_values(sample: Sample) -> list[tuple[str, str]]:
    """Make joints with NaN absent, unless too few others are left."""
    keypoint, score = sample.get("keypoint"), sample.get("keypoint_score")
    if not is_keypoint(keypoint):
        return []
    bad = ~np.isfinite(keypoint).all(axis=-1)  # (M, T, V)
    if not (isinstance(score, np.ndarray) and score.shape == bad.shape and score.dtype.kind == "f"):
        score = None
    if score is not None:
        bad |= ~np.isfinite(score)
    there = np.any(keypoint, axis=-1)  # NaN is not zero
    count = int(bad.sum())
    if not count or (bad & there).sum() > _BEYOND_REPAIR * there.sum():
        return []
    sample["keypoint"] = keypoint.copy()
    sample["keypoint"][bad] = 0
    if score is not None:
        sample["keypoint_score"] = score.copy()
        sample["keypoint_score"][bad] = 0
    return [("nonfinite", f"{count} joint{'s' * (count > 1)} with NaN or infinity made absent")]


def _cut_ends(sample: Sample) -> str | None:
    """Cut frames without persons off both ends; return what was done."""
    keypoint = sample["keypoint"]
    T = keypoint.shape[1]
    frames = np.flatnonzero(keypoint.any(axis=(0, 2, 3)))
    start, stop = int(frames[0]), int(frames[-1]) + 1
    if stop - start == T:
        return None
    for key, value in sample.items():  # keypoint, keypoint_score, and what else goes with them
        if isinstance(value, np.ndarray) and value.shape[:2] == keypoint.shape[:2]:
            sample[key] = value[:, start:stop].copy()
    sample["total_frames"] = stop - start
    return f"{start} frames cut off at the beginning, {T - stop} at the end"
