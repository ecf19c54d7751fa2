"""One sequence that somebody wants recognised, as pipelines expect their samples."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from pyskl.datasets.sample_checks import sample_fault
from pyskl.errors import AnnotationError


def complete_sample(sample: Mapping[str, Any] | np.ndarray) -> dict[str, Any]:
    """Return a checked copy of a sample with what a data set would add.

    Args:
        sample: A sample as annotation files hold them (``label`` is not needed), or its
            ``keypoint`` alone: (M, T, V, C), or (T, V, C) for one person.

    Raises:
        AnnotationError: if it is malformed.
    """
    if isinstance(sample, np.ndarray):
        sample = {"keypoint": sample[None] if sample.ndim == 3 else sample}
    full = {"frame_dir": "sample", **copy.deepcopy(dict(sample)), "label": 0}
    keypoint = full.get("keypoint")
    shape = np.shape(keypoint) if isinstance(keypoint, np.ndarray) else ()
    full.setdefault("total_frames", shape[1] if len(shape) == 4 else 0)
    fault = sample_fault(full)
    if fault is not None:
        raise AnnotationError(f"sample {full['frame_dir']!r}: {fault}")
    return {"start_index": 0, "modality": "Pose", **full, "test_mode": True}
