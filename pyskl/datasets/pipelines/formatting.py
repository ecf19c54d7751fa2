"""Bring samples into the form that batches are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pyskl.datasets.pipelines.coordinates import with_score
from pyskl.errors import did_you_mean
from pyskl.registry import PIPELINES

if TYPE_CHECKING:
    import torch

Sample = dict[str, Any]


@PIPELINES.register_module()
class FormatGCNInput:
    """Give every sample the same number of persons, and a clip axis.

    Args:
        num_person: Persons to keep or pad to.
        mode: What stands for absent persons: ``'zero'``, or ``'loop'``, which repeats those there
            are.

    Takes ``keypoint`` (M, clips*T, V, C) and ``keypoint_score`` (M, clips*T, V) where present,
    which becomes the last coordinate; gives ``keypoint`` (clips, num_person, T, V, C), contiguous.
    """

    def __init__(self, num_person: int = 2, mode: Literal["zero", "loop"] = "zero") -> None:
        if mode not in ("zero", "loop"):
            raise ValueError(f"mode should be 'zero' or 'loop', found {mode!r}")
        if num_person < 1:
            raise ValueError(f"num_person should be at least 1, found {num_person}")
        self.num_person = num_person
        self.mode = mode

    def __call__(self, sample: Sample) -> Sample:
        """Format ``keypoint``."""
        keypoint = sample["keypoint"]
        if "keypoint_score" in sample:
            keypoint = with_score(keypoint, sample.pop("keypoint_score"))
        persons, frames, joints, coordinates = keypoint.shape
        clips = int(sample.get("num_clips", 1))
        if frames % clips:
            raise ValueError(f"{frames} frames can't be cut into {clips} clips of one length")
        # (M, clips*T, V, C) → (clips, M, T, V, C)
        source = keypoint.reshape(persons, clips, frames // clips, joints, coordinates)
        source = source.swapaxes(0, 1)[:, : self.num_person]
        if persons >= self.num_person:
            sample["keypoint"] = np.ascontiguousarray(source)
            return sample
        shape = (clips, self.num_person, frames // clips, joints, coordinates)
        formatted = np.empty(shape, dtype=keypoint.dtype)
        formatted[:, :persons] = source
        if self.mode == "zero":
            formatted[:, persons:] = 0
        else:
            for person in range(persons, self.num_person):
                formatted[:, person] = source[:, person % persons]
        sample["keypoint"] = formatted
        return sample


@PIPELINES.register_module()
class Collect:
    """Keep only what the model needs.

    Args:
        keys: Keys to keep.
        meta_keys: Keys to gather into a dict; absent ones are passed over. A mapping renames.
        meta_name: The key of that dict; it is left out where ``meta_keys`` is empty.
        nested: Whether to wrap each kept value into a list.

    Raises:
        ValueError: when called on a sample that lacks one of the keys.
    """

    def __init__(
        self,
        keys: Sequence[str],
        meta_keys: Sequence[str] | Mapping[str, str] = (),
        meta_name: str = "img_metas",
        nested: bool = False,
    ) -> None:
        self.keys = tuple(keys)
        if not isinstance(meta_keys, Mapping):
            meta_keys = {key: key for key in meta_keys}
        self.meta_keys = dict(meta_keys)
        self.meta_name = meta_name
        self.nested = nested

    def __call__(self, sample: Sample) -> Sample:
        """Return a new dict of the chosen keys."""
        for key in self.keys:
            if key not in sample:
                raise ValueError(f"the sample has no {key!r} to collect{did_you_mean(key, sample)}")
        kept: Sample = {key: [sample[key]] if self.nested else sample[key] for key in self.keys}
        if self.meta_keys:
            kept[self.meta_name] = {
                new: sample[old] for old, new in self.meta_keys.items() if old in sample
            }
        return kept


@PIPELINES.register_module()
class ToTensor:
    """Turn arrays and numbers into tensors; a number becomes a tensor of shape (1,).

    Args:
        keys: Keys to convert.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = tuple(keys)

    def __call__(self, sample: Sample) -> Sample:
        """Convert."""
        for key in self.keys:
            sample[key] = _tensor(key, sample[key])
        return sample


def _tensor(key: str, value: Any) -> torch.Tensor:
    import torch  # here, as exported models run the other transforms without it

    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, np.ndarray):
        # Tensors can't be read-only: what belongs to the data set is copied.
        writable = value.flags.writeable
        return torch.from_numpy(np.ascontiguousarray(value) if writable else value.copy("C"))
    if isinstance(value, (bool, int, float, np.generic)):
        return torch.as_tensor(value).reshape(1)
    if isinstance(value, (list, tuple)):
        return torch.tensor(value)
    raise ValueError(f"{key!r} can't become a tensor: it is a {type(value).__name__}")
