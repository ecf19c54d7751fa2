"""Format samples as model inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np

from pyskl.datasets.batch import Batch
from pyskl.datasets.pipelines.compose import BatchTransform
from pyskl.errors import InputError, did_you_mean
from pyskl.registry import PIPELINES


@PIPELINES.register_module()
class FormatGCNInput(BatchTransform):
    """Bring every sample to the same number of persons, and split it into clips.

    Args:
        num_person: Persons to keep or pad to.
        mode: How to pad: ``'zero'`` adds zeros, ``'loop'`` repeats the persons of the sample.

    Takes ``keypoint`` (M, clips*T, V, C) and ``keypoint_score`` (M, clips*T, V) if present, which
    becomes the last channel; gives ``keypoint`` (clips, num_person, T, V, C), contiguous.

    Raises:
        ValueError: for another mode, or fewer persons than 1.
        InputError: when called on frames that can't be divided into ``num_clips`` clips, or on
            samples of different lengths.
    """

    def __init__(self, num_person: int = 2, mode: Literal["zero", "loop"] = "zero") -> None:
        if mode not in ("zero", "loop"):
            raise ValueError(f"mode should be 'zero' or 'loop', found {mode!r}")
        if num_person < 1:
            raise ValueError(f"num_person should be at least 1, found {num_person}")
        self.num_person = num_person
        self.mode = mode

    def apply(self, batch: Batch) -> None:
        """Format ``keypoint``."""
        if "keypoint_score" in batch:
            batch.concatenate(["keypoint", "keypoint_score"], "keypoint")
        axis = batch.axis
        clips, frames = int(batch.shared("num_clips", 1)), int(axis.frames[0])
        if (axis.frames != frames).any():
            raise InputError(
                "the samples of a batch differ in length",
                key="keypoint",
                found=f"{axis.frames.min()} to {axis.frames.max()} frames",
                expected="one length",
                hint="sample frames (UniformSample), pad (PadTo), or use batches of one sample",
            )
        if frames % clips:
            raise InputError(
                "the frames can't be divided into clips of equal length",
                key="keypoint",
                found=frames,
                expected=f"a multiple of num_clips={clips}",
            )
        persons = [min(one, self.num_person) for one in axis.persons.tolist()]
        formatted = None
        for kept in {*persons}:  # samples with equally many persons at a time
            count = kept if self.mode == "zero" else self.num_person
            inside = _clip_rows(frames, clips, count, kept)
            some = np.flatnonzero(np.equal(persons, kept)) if len(batch) > 1 else np.zeros(1, int)
            first = axis.starts[some]
            values = batch.gather(first[:, None, None, None] + inside)  # (n, clips, M, T, V, C)
            if count == self.num_person and len(some) == len(batch):
                formatted = values
                break
            if formatted is None:
                formatted = batch.empty(
                    (len(batch), clips, self.num_person, *values.shape[3:]), values
                )
            chosen = slice(None) if len(some) == len(batch) else batch.on_device(some)
            formatted[chosen, :, :count] = values
            formatted[chosen, :, count:] = 0
        batch.formatted["keypoint"] = formatted
        batch.pop("keypoint")


@lru_cache(maxsize=64)
def _clip_rows(frames: int, clips: int, count: int, persons: int) -> np.ndarray:
    """Return the rows of ``count`` persons of a sample by clip, (clips, M, T), read-only.

    If the sample has fewer ``persons``, they are repeated.
    """
    person = np.arange(count) % persons
    rows = person[:, None] * frames + np.arange(frames).reshape(clips, 1, -1)
    rows.setflags(write=False)
    return rows


@PIPELINES.register_module()
class Collect(BatchTransform):
    """Keep only what the model needs.

    Args:
        keys: Keys to keep.
        meta_keys: Keys to gather into a dict; absent ones are skipped. A mapping renames.
        meta_name: The key of that dict; it is left out if ``meta_keys`` is empty.
        nested: Whether to wrap each kept value into a list.

    Raises:
        InputError: when called on a sample that lacks one of the keys.
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

    def apply(self, batch: Batch) -> None:
        """Keep the chosen keys."""
        for key in self.keys:
            _check_key(batch, key)
        metas = None
        if self.meta_keys:
            known = {new: batch.get(old) for new, old in self._present(batch.values).items()}
            metas = [
                {new: values[position] for new, values in known.items()}
                for position in range(len(batch))
            ]
        if self.nested:
            samples = batch.to_samples()
            for key in self.keys:
                batch.values[key] = [[sample[key]] for sample in samples]
        for key in batch.array_keys():
            if key not in self.keys or self.nested:
                batch.pop(key)
        for arrays in (batch.values, batch.formatted):
            for key in arrays.keys() - set(self.keys):
                del arrays[key]
        if self.nested:
            batch.formatted.clear()
        if metas is not None:
            batch.values[self.meta_name] = metas

    def _present(self, values: Mapping[str, object]) -> dict[str, str]:
        return {new: old for old, new in self.meta_keys.items() if old in values}


@PIPELINES.register_module()
class ToTensor(BatchTransform):
    """Turn arrays and numbers into tensors; a number becomes a tensor of shape (1,).

    Args:
        keys: Keys to convert.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = tuple(keys)

    def apply(self, batch: Batch) -> None:
        """Convert."""
        for key in self.keys:
            _check_key(batch, key)
        batch.tensor_keys.update(self.keys)


def _check_key(batch: Batch, key: str) -> None:
    if key not in batch.values and key not in batch and key not in batch.formatted:
        there = {*batch.values, *batch.array_keys(), *batch.formatted}
        raise InputError(f"the sample has no such key{did_you_mean(key, there)}", key=key)
