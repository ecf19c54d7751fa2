"""Gather the chosen frames, and pad sequences to one length."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from pyskl.datasets.pipelines.precision import as_float32
from pyskl.datasets.sample_checks import sample_id
from pyskl.registry import PIPELINES

Sample = dict[str, Any]


@PIPELINES.register_module()
class PoseDecode:
    """Gather ``frame_inds`` (all frames where absent) from the keypoints, as float32.

    Turns ``keypoint`` (M, T, V, C) and ``keypoint_score`` (M, T, V), where present, into the same
    with len(frame_inds) frames.
    """

    def __call__(self, sample: Sample) -> Sample:
        """Gather the frames."""
        inds = sample.get("frame_inds")
        for key in ("keypoint", "keypoint_score"):
            if key in sample:
                array = sample[key] if inds is None else sample[key].take(inds, axis=1)
                sample[key] = as_float32(array)
        return sample


@PIPELINES.register_module()
class PadTo:
    """Pad a sequence to ``length`` frames by repeating it from its start.

    Args:
        length: Frames after padding.
        mode: ``'loop'`` keeps the repeats, ``'zero'`` sets them to zero.

    Raises:
        ValueError: when called on a sample that is longer.
    """

    def __init__(self, length: int, mode: Literal["loop", "zero"] = "loop") -> None:
        if mode not in ("loop", "zero"):
            raise ValueError(f"mode should be 'loop' or 'zero', found {mode!r}")
        if length < 1:
            raise ValueError(f"length should be at least 1, found {length}")
        self.length = length
        self.mode = mode

    def __call__(self, sample: Sample) -> Sample:
        """Pad ``keypoint`` and ``keypoint_score``; ``total_frames`` becomes ``length``."""
        total = int(sample["keypoint"].shape[1])
        if total > self.length:
            raise ValueError(
                f"sample {sample_id(sample)!r} has {total} frames, more than the "
                f"{self.length} that PadTo pads to; raise its length or sample frames first"
            )
        for key in ("keypoint", "keypoint_score"):
            if key in sample:
                sample[key] = self._padded(sample[key], total)
        sample["total_frames"] = self.length
        return sample

    def _padded(self, array: np.ndarray, total: int) -> np.ndarray:
        """Return the array (M, T, ...) with ``length`` frames."""
        if self.mode == "loop":
            return array.take(np.arange(self.length) % total, axis=1)
        padded = np.empty((len(array), self.length, *array.shape[2:]), dtype=array.dtype)
        padded[:, :total] = array[:, :total]
        padded[:, total:] = 0
        return padded
