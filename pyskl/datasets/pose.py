"""The data set of skeleton sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.datasets.annotation import (
    AnnotationFile,
    Sample,
    label_names_beside,
    load_annotations,
)
from pyskl.datasets.packed.ahead import leading_transforms
from pyskl.datasets.packed.cache import Pack
from pyskl.datasets.packed.folder import PackedAnnotations
from pyskl.datasets.packed.store import PackedSamples, PackedStore
from pyskl.datasets.pipelines.compose import Compose, Transform
from pyskl.datasets.sample_checks import sample_id
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
        pack: Whether to read through a pack, which all processes share and which opens in
            milliseconds; see :mod:`pyskl.datasets.packed.cache`. ``'auto'``: for large files.

    Raises:
        AnnotationError: if the file or one of the split's samples is malformed.
        UntrustedFileError: if the file asks for more than plain data.

    Indexing gives what the pipeline makes of the sample. The annotations themselves never change:
    their arrays are read-only.
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
        pack: Pack = "auto",
    ) -> None:
        if multi_class and num_classes is None:
            raise ValueError("multi_class=True needs num_classes, the length of the label vector")
        self.ann_file = Path(ann_file)
        self.split = split
        self.test_mode = test_mode
        self.num_classes = num_classes
        self.multi_class = multi_class
        self.class_prob = class_prob
        self.start_index = start_index
        annotations = self.read_annotations(ann_file, pipeline=pipeline, trusted=trusted, pack=pack)
        annotations.check(split, num_classes=num_classes, multi_class=multi_class)
        self.samples: Sequence[Sample] = annotations.select(split)
        self._label_names = getattr(annotations, "label_names", None)
        self.joint_names: tuple[str, ...] | None = getattr(annotations, "joint_names", None)
        self._ahead = leading_transforms(pipeline)
        self._applied = len(annotations.applied)
        self.pipeline = Compose(pipeline[self._applied :])

    @classmethod
    def read_annotations(
        cls,
        ann_file: str | Path,
        *,
        pipeline: Sequence[TransformConfig | Transform] = (),
        trusted: bool = False,
        pack: Pack = "auto",
    ) -> AnnotationFile | PackedAnnotations:
        """Open the annotation file; subclasses may make the file first.

        Args:
            ann_file: The file.
            pipeline: What the samples will go through; a pack may have done its beginning.
            trusted: See :class:`PoseDataset`.
            pack: Likewise.
        """
        ahead = leading_transforms(pipeline)
        return load_annotations(ann_file, trusted=trusted, pack=pack, ahead=ahead)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.samples)

    @property
    def labels(self) -> np.ndarray:
        """The labels: (len,) int64, or 0/1 (len, num_classes) where multi-label."""
        if self.multi_class:
            return np.stack([self._label(label) for label in self._values("label")])
        return np.array(self._values("label"), dtype=np.int64)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the classes in their order; nothing where they are not known.

        Raises:
            AnnotationError: if a text file beside the annotations holds them and can't be read.
        """
        return self._label_names or label_names_beside(self.ann_file) or ()

    @property
    def sample_ids(self) -> list[str]:
        """The samples' ids; the position stands for those without one."""
        pairs = zip(self._values("frame_dir"), self._values("filename"))
        return [
            str(position if (one or other) is None else one or other)
            for position, (one, other) in enumerate(pairs)
        ]

    def _values(self, key: str) -> list[Any]:
        """Return the value of ``key`` in each sample, None where there is none."""
        if isinstance(self.samples, PackedSamples):
            return self.samples.values(key)
        return [sample.get(key) for sample in self.samples]

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
        """Return a sample as the pipeline receives it: a dict of its own with read-only arrays."""
        sample: Sample = dict(self.samples[index])
        for value in sample.values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        sample["label"] = self._label(sample["label"])
        sample["test_mode"] = self.test_mode
        sample["start_index"] = self.start_index
        sample["modality"] = "Pose"
        return sample

    def prepared(self) -> tuple[PackedSamples, list[Transform]]:
        """Return all samples after the pipeline's deterministic beginning, and what follows it.

        Raises:
            NotPackableError: if the samples differ in joints, coordinates or type.
            SampleError: if a transform fails on one.
        """
        if isinstance(self.samples, PackedSamples) and self._applied == len(self._ahead):
            return self.samples, self.pipeline.transforms
        first = Compose(self._ahead[self._applied :])
        samples = []
        for index in range(len(self)):
            try:
                sample = first(self.raw_sample(index))
            except Exception as error:  # as in __getitem__
                raise self._sample_error(index, error) from error
            # Samples without any person pass PreNormalize3D as they are, in the type of the file.
            if self._ahead:
                sample["keypoint"] = sample["keypoint"].astype(np.float32, copy=False)
            samples.append(sample)
        rest = self.pipeline.transforms[len(first.transforms) :]
        return PackedSamples(PackedStore.from_samples(samples)), rest

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
            raise self._sample_error(index, error) from error

    def _sample_error(self, index: int, error: Exception) -> SampleError:
        """Return an error that names file and sample."""
        identity = sample_id(self.samples[index])
        what = str(error) if isinstance(error, ValueError) else repr(error)
        return SampleError(f"{self.ann_file}, sample {identity!r} (number {index}): {what}")

    def _label(self, label: Any) -> Any:
        if not self.multi_class:
            return int(label)
        hot = np.zeros(self.num_classes or 0, dtype=np.float32)
        hot[np.atleast_1d(label).astype(int)] = 1
        return hot
