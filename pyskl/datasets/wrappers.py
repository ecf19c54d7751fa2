"""Build data sets from configs, and data sets made of other data sets."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from pyskl.datasets.annotation_cache import AnnotationFiles
from pyskl.datasets.dataset_tree import inner_key
from pyskl.datasets.pose import PoseDataset
from pyskl.errors import ConfigError
from pyskl.registry import DATASETS, DatasetConfig


class SkeletonDataset(Protocol):
    """The members of a data set that loaders and evaluation use."""

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
    """A data set that is repeated: an epoch of it is ``times`` epochs of the inner data set.

    Each repetition has its own random crops, and a small data set has fewer ends of epochs.

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
        self.dataset: SkeletonDataset = (
            build_dataset(dataset, {"test_mode": True} if test_mode else None)
            if isinstance(dataset, Mapping)
            else dataset
        )
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
        """Return the inner data set's weights, repeated."""
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
        options = {"test_mode": True} if test_mode else None
        self.datasets = [
            build_dataset(dataset, options) if isinstance(dataset, Mapping) else dataset
            for dataset in datasets
        ]
        self._ends = np.cumsum([len(dataset) for dataset in self.datasets])

    def __len__(self) -> int:
        """Return the number of samples of all."""
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return a sample after its own data set's pipeline."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} of {len(self)} samples")
        (which,), (inside,) = self.locate(np.array([index % len(self)]))
        return self.datasets[which][int(inside)]

    def locate(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the number of the data set of each sample, and its position there, (N,) each."""
        which = np.searchsorted(self._ends, indices, side="right")
        starts = self._ends - [len(dataset) for dataset in self.datasets]
        return which, indices - starts[which]

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


def build_dataset(
    cfg: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    default_args: Mapping[str, Any] | None = None,
    *,
    files: AnnotationFiles | None = None,
) -> Any:
    """Build a data set.

    Args:
        cfg: Its config, ``dict(type='PoseDataset', ...)``; a list of them is concatenated.
        default_args: Arguments used if the config does not give them, such as
            ``dict(test_mode=True)``.
        files: Opens annotation files; the data sets of a run share one.

    Raises:
        ConfigError: for an unknown type or argument, or a class that lacks a member of
            :class:`SkeletonDataset`.
        AnnotationError: if the annotation file is missing or malformed.
    """
    if isinstance(cfg, Sequence) and not isinstance(cfg, str):
        return ConcatDataset([build_dataset(one, default_args, files=files) for one in cfg])
    arguments = dict(default_args or {})
    inner = inner_key(cfg) if isinstance(cfg, Mapping) else None
    if inner is not None:
        # What is inside takes the arguments from the wrapper that holds it.
        test_mode = cfg.get("test_mode", arguments.get("test_mode", False))
        own = {"test_mode": True} if test_mode else {}
        content = cfg[inner]
        built = (
            [build_dataset(one, own, files=files) for one in content]
            if isinstance(content, (list, tuple))
            else build_dataset(content, own, files=files)
        )
        cfg = {**cfg, inner: built}
    elif isinstance(cfg, Mapping):
        cls = DATASETS.class_of(cfg)
        parameters = inspect.signature(cls).parameters.values()
        takes_all = any(one.kind is one.VAR_KEYWORD for one in parameters)
        if any(one.name == "files" for one in parameters) or (
            takes_all and isinstance(cls, type) and issubclass(cls, PoseDataset)
        ):
            arguments["files"] = files
    dataset = DATASETS.build(cfg, **arguments)
    # The class first: properties are not to be computed for this.
    lacking = [
        name for name in _MEMBERS if not (hasattr(type(dataset), name) or hasattr(dataset, name))
    ]
    if lacking:
        raise ConfigError(
            f"the data set {type(dataset).__name__} lacks {', '.join(lacking)}",
            key="type",
            hint="derive it from PoseDataset, or define what "
            "pyskl.datasets.wrappers.SkeletonDataset lists",
        )
    return dataset


def wrapped_datasets(dataset: Any) -> Iterator[Any]:
    """Yield the data sets inside a data set that do not wrap others, in order."""
    if hasattr(dataset, "datasets"):
        for inner in dataset.datasets:
            yield from wrapped_datasets(inner)
    elif hasattr(dataset, "dataset"):
        yield from wrapped_datasets(dataset.dataset)
    else:
        yield dataset


_MEMBERS = ("__len__", "__getitem__", "labels", "sample_ids", "draw_weights")
