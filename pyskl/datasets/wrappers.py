"""Data sets made of other data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from pyskl.registry import DATASETS, DatasetConfig


class SkeletonDataset(Protocol):
    """What the loaders and the evaluation need of a data set."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return a sample after the pipeline."""

    @property
    def labels(self) -> np.ndarray:
        """The labels (len,), or 0/1 (len, classes)."""

    @property
    def sample_ids(self) -> list[str]:
        """The samples' ids."""

    def draw_weights(self) -> np.ndarray | None:
        """Return how often an epoch draws each sample on average, or None for once."""


@DATASETS.register_module()
class RepeatDataset:
    """A data set several times over: an epoch of it is ``times`` epochs of the other.

    Each repetition draws its own random crops, and a short data set pays the price of an epoch's
    end less often.

    Args:
        dataset: The data set, or its config.
        times: How many times.
        test_mode: Passed to a data set that is given as a config.
    """

    def __init__(
        self,
        dataset: DatasetConfig | SkeletonDataset,
        times: int,
        test_mode: bool = False,
    ) -> None:
        if times < 1:
            raise ValueError(f"times should be at least 1, found {times}")
        self.dataset: SkeletonDataset = _built(dataset, test_mode)
        self.times = times

    def __len__(self) -> int:
        """Return the number of samples, repetitions included."""
        return self.times * len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return a sample after the pipeline."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} of {len(self)} samples")
        return self.dataset[index % len(self.dataset)]

    @property
    def labels(self) -> np.ndarray:
        """The labels, repeated."""
        labels = self.dataset.labels
        return np.tile(labels, (self.times,) + (1,) * (labels.ndim - 1))

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the classes, as far as the data set knows them."""
        return getattr(self.dataset, "label_names", ())

    @property
    def sample_ids(self) -> list[str]:
        """The ids, repeated."""
        return self.dataset.sample_ids * self.times

    def draw_weights(self) -> np.ndarray | None:
        """Return the other's weights, repeated."""
        weights = self.dataset.draw_weights()
        return None if weights is None else np.tile(weights, self.times)


@DATASETS.register_module()
class ConcatDataset:
    """Several data sets, one after the other.

    Args:
        datasets: The data sets, or their configs.
        test_mode: Passed to those that are given as configs.
    """

    def __init__(
        self,
        datasets: Sequence[DatasetConfig | SkeletonDataset],
        test_mode: bool = False,
    ) -> None:
        if not datasets:
            raise ValueError("ConcatDataset needs at least one data set")
        self.datasets = [_built(dataset, test_mode) for dataset in datasets]
        self._ends = np.cumsum([len(dataset) for dataset in self.datasets])

    def __len__(self) -> int:
        """Return the number of samples of all."""
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return a sample after its own data set's pipeline."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} of {len(self)} samples")
        index %= len(self)
        which = int(np.searchsorted(self._ends, index, side="right"))
        return self.datasets[which][index - int(self._ends[which - 1] if which else 0)]

    @property
    def labels(self) -> np.ndarray:
        """The labels of all."""
        return np.concatenate([dataset.labels for dataset in self.datasets])

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the classes, if all data sets name them alike."""
        first, *others = (getattr(dataset, "label_names", ()) for dataset in self.datasets)
        return first if all(names == first for names in others) else ()

    @property
    def sample_ids(self) -> list[str]:
        """The ids of all."""
        return [identity for dataset in self.datasets for identity in dataset.sample_ids]

    def draw_weights(self) -> np.ndarray | None:
        """Return the weights of all; 1 for those that have none."""
        weights = [dataset.draw_weights() for dataset in self.datasets]
        if all(weight is None for weight in weights):
            return None
        return np.concatenate(
            [
                np.ones(len(dataset)) if weight is None else weight
                for dataset, weight in zip(self.datasets, weights, strict=True)
            ]
        )


def _built(dataset: Mapping[str, Any] | SkeletonDataset, test_mode: bool) -> Any:
    if not isinstance(dataset, Mapping):
        return dataset
    return DATASETS.build(dataset, **({"test_mode": True} if test_mode else {}))
