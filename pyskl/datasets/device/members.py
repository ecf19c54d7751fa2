"""What a data set is made of, seen from a device: prepared samples, and one pipeline for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pyskl.datasets.packed.columns import NotPackableError
from pyskl.datasets.packed.store import PackedSamples, Sample
from pyskl.datasets.pipelines.compose import Transform
from pyskl.datasets.pose import PoseDataset
from pyskl.datasets.wrappers import ConcatDataset, RepeatDataset
from pyskl.errors import ConfigError

# What a data set of the user's may not do in its own way, for a device store does it in another.
_OURS = ("__getitem__", "raw_sample", "prepared")


@dataclass(frozen=True)
class Members:
    """The samples inside a data set that may repeat and concatenate others.

    Attributes:
        parts: The prepared samples of each data set that reads a file.
        transforms: What remains to be done to them, the same for all.
        test_mode: Whether it is done as in testing.
        labels: (S,) int64, or (S, classes) float32 where a sample has several.
        order: Which of the S samples each sample of the whole data set is, (len,) int64.
        first: The first sample as the first of ``transforms`` receives it.
    """

    parts: list[PackedSamples]
    transforms: list[Transform]
    test_mode: bool
    labels: np.ndarray
    order: np.ndarray
    first: Sample

    def __post_init__(self) -> None:
        """Check that there is something."""
        if not len(self.labels):
            raise ConfigError("data.device: the data set has no samples")

    @property
    def frames(self) -> np.ndarray:
        """Frames of each sample, (S,) int64."""
        return np.concatenate([part.store.frames[part.indices] for part in self.parts])

    def values(self, key: str) -> list[Any]:
        """Return the value of ``key`` in each of the S samples; None for those without it."""
        return [value for part in self.parts for value in part.values(key)]

    def sample(self, number: int) -> Sample:
        """Return one of the S samples; its arrays are views of the pack."""
        for part in self.parts:
            if number < len(part):
                found: Sample = part[number]
                return found
            number -= len(part)
        raise IndexError(f"there is no sample {number}")


def find_members(dataset: Any) -> Members:
    """Take a data set apart.

    Raises:
        ConfigError: if it is of a kind that a device store can't hold.
    """
    leaves: list[PoseDataset] = []
    order = _collect(dataset, leaves)
    first = leaves[0]
    for other in leaves[1:]:
        if other.test_mode != first.test_mode or not _same(_rest(other), _rest(first)):
            raise ConfigError(
                "data.device makes a batch in one go, but the data sets of the ConcatDataset have "
                f"different pipelines: {first.ann_file} and {other.ann_file}; give them one, or "
                "leave data.device out"
            )
    prepared = []
    for leaf in leaves:
        try:
            prepared.append(leaf.prepared())
        except NotPackableError as error:
            raise ConfigError(
                f"data.device: {leaf.ann_file} can't be kept as one array ({error}); leave "
                "data.device out"
            ) from error
    samples, transforms = prepared[0]
    given = {name: first.raw_sample(0)[name] for name in ("label", "test_mode", "modality")}
    return Members(
        parts=[part for part, _ in prepared],
        transforms=transforms,
        test_mode=first.test_mode,
        labels=np.concatenate([leaf.labels for leaf in leaves]),
        order=order,
        first={**samples[0], **given, "start_index": 0},
    )


def _collect(dataset: Any, leaves: list[PoseDataset]) -> np.ndarray:
    """Append the data sets that read files; return which of their samples make up the whole."""
    if type(dataset) is RepeatDataset:
        return np.tile(_collect(dataset.dataset, leaves), dataset.times)
    if type(dataset) is ConcatDataset:
        return np.concatenate([_collect(part, leaves) for part in dataset.datasets])
    _check_leaf(dataset)
    start = sum(len(leaf) for leaf in leaves)
    leaves.append(dataset)
    return np.arange(start, start + len(dataset))


def _check_leaf(dataset: Any) -> None:
    cls = type(dataset)
    if not isinstance(dataset, PoseDataset):
        raise ConfigError(
            f"data.device takes PoseDataset, RepeatDataset and ConcatDataset, found "
            f"{cls.__name__}; leave data.device out"
        )
    for name in _OURS:
        if getattr(cls, name) is not getattr(PoseDataset, name):
            raise ConfigError(
                f"data.device reads samples without {cls.__name__}.{name}, which would go "
                "unnoticed; leave data.device out"
            )
    if dataset.start_index:
        raise ConfigError(
            f"data.device knows no start_index={dataset.start_index}; leave data.device out"
        )


def _rest(dataset: PoseDataset) -> tuple[Any, ...]:
    """Return what must be alike in data sets that share their batches."""
    return (*dataset.pipeline.transforms, dataset.multi_class, dataset.num_classes)


def _same(one: Any, other: Any) -> bool:
    """Return whether two transforms, or parts of them, do the same.

    Objects are compared by type and attributes, those of this package by public ones: its private
    ones hold what was computed once.
    """
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if one is other or isinstance(one, type) or not hasattr(one, "__dict__"):
        return bool(one == other)
    ours = type(one).__module__.startswith("pyskl.")
    first, second = (
        {name: value for name, value in vars(each).items() if not (ours and name[0] == "_")}
        for each in (one, other)
    )
    return _same(first, second)
