"""All that is wrong with the structure of one sample, not only the first thing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from pyskl.datasets.sample_checks import content_fault, label_fault, sample_fault, sample_id

_KEYS = ("keypoint", "total_frames", "label")

# A sample without faults, to hold one part of another against.
_SOUND: Mapping[str, Any] = {
    "keypoint": np.zeros((1, 1, 1, 2), np.float32),
    "total_frames": 1,
    "label": 0,
}


class Fault(NamedTuple):
    """A fault: the kind of finding that it belongs to, and what was found."""

    kind: str
    text: str


def sample_faults(sample: Any, *, needs_id: bool, multi_class: bool = False) -> list[Fault]:
    """Return what is wrong with a sample.

    Args:
        sample: Anything; a sound one is a dict, see :mod:`pyskl.datasets.annotation`.
        needs_id: Whether there are splits, which refer to ids.
        multi_class: Whether ``label`` is a list of classes.
    """
    if not isinstance(sample, Mapping):
        return [Fault("structure", f"should be a dict, found {type(sample).__name__}")]
    faults = []
    if needs_id and sample_id(sample) is None:
        faults.append(Fault("structure", "has neither 'frame_dir' nor 'filename'"))
    complete = all(key in sample for key in _KEYS)
    if complete and sample_fault(sample, multi_class=multi_class) is None:
        return faults
    faults += [
        Fault("structure", f"the key {key!r} is missing") for key in _KEYS if key not in sample
    ]
    if "keypoint" in sample:
        faults += _keypoint_faults(sample)
    if "label" in sample:
        faults += _fault("label", label_fault(sample["label"], None, multi_class))
    faults += _content("structure", img_shape=sample.get("img_shape"))
    return faults


def _keypoint_faults(sample: Mapping[str, Any]) -> list[Fault]:
    keypoint, score = sample["keypoint"], sample.get("keypoint_score")
    if not isinstance(keypoint, np.ndarray):
        return _content("structure", keypoint=keypoint)
    # Of the same shape and type, but without values that could be at fault.
    blank = _blank(keypoint)
    T = keypoint.shape[1] if keypoint.ndim > 1 else 0
    faults = _content("structure", keypoint=blank, total_frames=T)
    if faults:
        return faults
    if "total_frames" in sample:
        faults += _content("total_frames", keypoint=blank, total_frames=sample["total_frames"])
    faults += _content("nonfinite", keypoint=keypoint, total_frames=T)
    if score is not None:
        blank_score = _blank(score) if isinstance(score, np.ndarray) else score
        wrong = _content("structure", keypoint=blank, total_frames=T, keypoint_score=blank_score)
        faults += wrong or _content(
            "nonfinite", keypoint=blank, total_frames=T, keypoint_score=score
        )
    return faults


def _blank(array: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.zeros((), array.dtype), array.shape)


def _content(kind: str, **parts: Any) -> list[Fault]:
    return _fault(kind, content_fault({**_SOUND, **parts}))


def _fault(kind: str, text: str | None) -> list[Fault]:
    return [] if text is None else [Fault(kind, text)]
