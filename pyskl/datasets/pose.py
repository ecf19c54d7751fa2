"""The data set of skeleton sequences."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.datasets.annotation import AnnotationFile, Sample, load_annotations, sample_id
from pyskl.datasets.pipelines.compose import Compose, Transform
from pyskl.errors import InputError
from pyskl.registry import DATASETS, TransformConfig


class SampleError(InputError):
    """A sample could not go through its pipeline; the message names file, sample and cause."""


@DATASETS.register_module()
class PoseDataset:
    """Skeleton sequences of one annotation file, seen through a pipeline.

    Args:
        ann_file: The annotation pickle; see :mod:`pyskl.datasets.annotation`.
        pipeline: Transforms, or their configs, that each sample goes through.
        split: The split to take; None takes all samples.
        test_mode: Makes transforms choose deterministically; they read it from the sample.
        num_classes: Labels must be below it, where given.
        multi_class: Whether a sample has several labels; they become a 0/1 vector (num_classes,).
        class_prob: How many times an epoch draws a sample of each class, on average: a list with
            one number per class, or a mapping from class to number (1 for those left out). Used
            for training only.
        start_index: Added to the frame numbers that a pipeline chooses.
        trusted: Load the file with plain pickle, which runs whatever the file says.

    Raises:
        AnnotationError: if the file or one of the split's samples is malformed.
        UntrustedFileError: if the file asks for more than plain data.

    Indexing gives what the pipeline makes of the sample. The annotations themselves never change:
    each access hands out copies.
    """

    def __init__(
        self,
        ann_file: str | Path,
        pipeline: Sequence[TransformConfig | Transform],
        split: str | None = None,
        *,
        test_mode: bool = False,
        num_classes: int | None = None,
        multi_class: bool = False,
        class_prob: Sequence[float] | Mapping[int, float] | None = None,
        start_index: int = 0,
        trusted: bool = False,
    ) -> None:
        if multi_class and num_classes is None:
            raise ValueError("multi_class=True needs num_classes, the length of the label vector")
        self.ann_file = Path(ann_file)
        self.pipeline = Compose(pipeline)
        self.split = split
        self.test_mode = test_mode
        self.num_classes = num_classes
        self.multi_class = multi_class
        self.class_prob = class_prob
        self.start_index = start_index
        annotations = self.read_annotations(ann_file, trusted=trusted)
        annotations.check(split, num_classes=num_classes, multi_class=multi_class)
        self.samples: list[Sample] = annotations.select(split)

    @classmethod
    def read_annotations(cls, ann_file: str | Path, *, trusted: bool = False) -> AnnotationFile:
        """Return the content of the annotation file; subclasses may make the file first."""
        return load_annotations(ann_file, trusted=trusted)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.samples)

    @property
    def labels(self) -> np.ndarray:
        """The labels: (len,) int64, or 0/1 (len, num_classes) where multi-label."""
        if self.multi_class:
            return np.stack([self._label(sample) for sample in self.samples])
        return np.array([int(sample["label"]) for sample in self.samples], dtype=np.int64)

    @property
    def sample_ids(self) -> list[str]:
        """The samples' ids; the position stands for those without one."""
        return [sample_id(sample) or str(i) for i, sample in enumerate(self.samples)]

    def draw_weights(self) -> np.ndarray | None:
        """Return how often an epoch draws each sample on average, (len,), or None for once."""
        if self.class_prob is None:
            return None
        labels = self.labels
        if labels.ndim > 1:
            raise ValueError("class_prob is not defined for multi-label data")
        if isinstance(self.class_prob, Mapping):
            table = {int(label): float(share) for label, share in self.class_prob.items()}
        else:
            table = dict(enumerate(map(float, self.class_prob)))
            if labels.max() >= len(table):
                raise ValueError(
                    f"class_prob has {len(table)} numbers, but the labels go up to {labels.max()}"
                )
        weights = np.array([table.get(int(label), 1.0) for label in labels])
        if not np.isfinite(weights).all() or weights.min() < 0 or weights.max() == 0:
            raise ValueError(
                "class_prob should be numbers from 0 up that leave some sample to draw, found "
                f"{self.class_prob!r}"
            )
        return weights

    def raw_sample(self, index: int) -> Sample:
        """Return a copy of a sample as the pipeline receives it."""
        source = self.samples[index]
        sample: Sample = copy.deepcopy(dict(source))
        sample["label"] = self._label(source)
        sample["test_mode"] = self.test_mode
        sample["start_index"] = self.start_index
        sample["modality"] = "Pose"
        return sample

    def __getitem__(self, index: int) -> Sample:
        """Return a sample after the pipeline.

        Raises:
            IndexError: if there is no such sample.
            SampleError: if a transform fails on it.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} of {len(self)} samples")
        try:
            return self.pipeline(self.raw_sample(index))
        except Exception as error:  # whatever a transform may raise
            identity = sample_id(self.samples[index])
            what = str(error) if isinstance(error, ValueError) else repr(error)
            raise SampleError(
                f"{self.ann_file}, sample {identity!r} (number {index}): {what}"
            ) from error

    def _label(self, sample: Sample) -> Any:
        if not self.multi_class:
            return int(sample["label"])
        hot = np.zeros(self.num_classes or 0, dtype=np.float32)
        hot[np.atleast_1d(sample["label"]).astype(int)] = 1
        return hot
