"""The data set of skeleton sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.datasets.annotation import AnnotationFile, label_names_of
from pyskl.datasets.annotation_cache import AnnotationFiles, Pack
from pyskl.datasets.batch import Batch, Keys, Sample, Shared
from pyskl.datasets.pipelines.compose import Compose, Transform
from pyskl.datasets.precompute import deterministic_prefix
from pyskl.datasets.randomness import current_key
from pyskl.errors import InputError, RunError
from pyskl.registry import DATASETS, TransformConfig


class SampleError(InputError):
    """A sample could not go through its pipeline."""


@DATASETS.register_module()
class PoseDataset:
    """Skeleton sequences of one annotation file, with a pipeline.

    Args:
        ann_file: The annotation pickle, or a pack; see :mod:`pyskl.datasets.annotation_pickle`.
        pipeline: Transforms, or their configs, that each sample goes through.
        split: The split to take; None takes all samples.
        test_mode: Makes transforms choose deterministically.
        num_classes: Labels must be below it, if given.
        multi_class: Whether a sample has several labels; they become a 0/1 vector (num_classes,).
        class_prob: How many times an epoch draws a sample of each class, on average: a list with
            one number per class, or a mapping from class to number (1 for those left out). Used
            for training only.
        start_index: Added to the frame numbers that a pipeline chooses.
        trusted: Load the file with plain pickle, which can run code.
        pack: Whether to read through a pack, which all processes share and which opens in
            milliseconds; see :data:`pyskl.datasets.annotation_cache.Pack`.
        files: Opens annotation files; the data sets of a run share one.

    Raises:
        AnnotationError: if the file or one of the split's samples is malformed.
        UntrustedFileError: if the file contains more than plain data.

    Indexing returns a sample after the pipeline. The annotations themselves never change.
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
        files: AnnotationFiles | None = None,
    ) -> None:
        if multi_class and num_classes is None:
            raise ValueError("multi_class=True needs num_classes, the length of the label vector")
        self.ann_file = Path(ann_file).expanduser()
        self.split = split
        self.test_mode = test_mode
        self.num_classes = num_classes
        self.multi_class = multi_class
        self.class_prob = class_prob
        self.start_index = start_index
        self.annotations = self.open_annotations(
            self.ann_file,
            files or AnnotationFiles(),
            trusted=trusted,
            pack=pack,
            precompute=deterministic_prefix(pipeline),
        )
        self.annotations.check(split, num_classes=num_classes, multi_class=multi_class)
        self.samples = self.annotations.select(split)
        done = len(self.annotations.precomputed)
        self.pipeline = Compose(pipeline[done:], first=done)

    @classmethod
    def open_annotations(
        cls, ann_file: str | Path, files: AnnotationFiles, **options: Any
    ) -> AnnotationFile:
        """Open an annotation file; subclasses may make it first."""
        return files.open(ann_file, **options)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.samples)

    @cached_property
    def labels(self) -> np.ndarray:
        """The labels: (len,) int64, or 0/1 (len, num_classes) float32 for multi-label."""
        labels = self.samples.values("label")
        if not self.multi_class:
            return np.array(labels, dtype=np.int64)
        hot = np.zeros((len(labels), self.num_classes or 0), dtype=np.float32)
        for row, label in zip(hot, labels):
            row[np.atleast_1d(label).astype(int)] = 1
        return hot

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the classes in their order; empty if they are not known.

        Raises:
            AnnotationError: if a text file next to the annotations holds them and can't be read.
        """
        return label_names_of(self.annotations) or ()

    @cached_property
    def assumptions(self) -> list[str]:
        """What the pipeline assumes about the samples, each with the option that states it."""
        done = Compose(self.annotations.precomputed)
        V = self.annotations.store.rows["keypoint"].shape[1]
        without_size = sum(size is None for size in self.samples.values("img_shape"))
        pipelines = (done, self.pipeline)
        return [text for one in pipelines for text in one.assumptions(V, without_size)]

    @property
    def joint_names(self) -> tuple[str, ...] | None:
        """The names of the joints in their order, if the annotation file has them."""
        return self.annotations.joint_names

    @property
    def sample_ids(self) -> list[str]:
        """The ids of the samples; the position for those without one."""
        pairs = zip(self.samples.values("frame_dir"), self.samples.values("filename"))
        return [
            str(next((one for one in pair if one is not None), position))
            for position, pair in enumerate(pairs)
        ]

    def draw_weights(self) -> np.ndarray | None:
        """Return how often an epoch draws each sample on average, (len,), or None for once."""
        if self.class_prob is None:
            return None
        if self.labels.ndim > 1:
            raise ValueError("class_prob is not defined for multi-label data")
        if isinstance(self.class_prob, Mapping):
            table = {int(label): float(share) for label, share in self.class_prob.items()}
        else:
            table = dict(enumerate(map(float, self.class_prob)))
            if self.labels.max() >= len(table):
                raise InputError(
                    "has too few numbers",
                    key="class_prob",
                    found=f"{len(table)} numbers, but labels up to {self.labels.max()}",
                )
        weights = np.array([table.get(int(label), 1.0) for label in self.labels])
        if not np.isfinite(weights).all() or weights.min() < 0 or weights.max() == 0:
            raise InputError(
                "leaves no sample to draw, or is not finite and positive",
                key="class_prob",
                found=self.class_prob,
                expected="numbers from 0 up, some above 0",
            )
        return weights

    def raw_sample(self, index: int) -> Sample:
        """Return a sample as the pipeline receives it; its arrays are read-only.

        The transforms in ``annotations.precomputed`` have been applied.
        """
        sample: Sample = dict(self.samples[index])
        for value in sample.values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        label = self.labels[index]
        sample["label"] = label if self.multi_class else int(label)
        sample["test_mode"] = self.test_mode
        sample["start_index"] = self.start_index
        sample["modality"] = "Pose"
        return sample

    def read_batch(self, indices: np.ndarray, keys: Keys = None, device: Any = None) -> Batch:
        """Return some samples after the pipeline, as one batch.

        Args:
            indices: Which samples, (N,) int64.
            keys: Keys of their randomness, (N,) int64, or a function that returns them; see
                :func:`pyskl.datasets.randomness.sample_keys`.
            device: Where to compute; None for NumPy on the host.

        Raises:
            SampleError: if a transform fails on one of them.
        """
        batch = self.annotations.store.batch(
            self.samples.indices[indices],
            {
                "label": self.labels[indices],
                "test_mode": Shared(self.test_mode),
                "start_index": Shared(self.start_index),
                "modality": Shared("Pose"),
            },
            keys,
            device,
            None if device is None else self.annotations.rows_on(device),
        )
        try:
            return self.pipeline.apply(batch)
        except RunError:  # a request to stop, say, is not an error in the sample
            raise
        except Exception as error:  # whatever a transform may raise
            if len(indices) > 1:  # find the sample that it fails on
                for position in range(len(indices)):
                    part = slice(position, position + 1)
                    self.read_batch(indices[part], batch.keys[part], device)
            raise self._sample_error(indices, error) from error

    def _sample_error(self, indices: np.ndarray, error: Exception) -> SampleError:
        index = int(indices[0])
        problem = getattr(error, "problem", None) or (
            str(error) if isinstance(error, ValueError) else repr(error)
        )
        fields = {
            name: getattr(error, name)
            for name in ("key", "found", "expected", "hint")
            if hasattr(error, name)
        }
        sample = self.sample_ids[index] if len(indices) == 1 else None
        return SampleError(problem, file=self.ann_file, sample=sample, **fields)

    def __getitem__(self, index: int) -> Sample:
        """Return a sample after the pipeline.

        Raises:
            IndexError: if there is no such sample.
            SampleError: if a transform fails on it.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} of {len(self)} samples")
        key = current_key()
        keys = None if key is None else np.array([key], dtype=np.int64)
        return self.read_batch(np.array([index % len(self)]), keys).to_samples()[0]
