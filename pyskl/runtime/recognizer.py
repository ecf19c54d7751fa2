"""Recognise actions with an exported model, whatever computes it.

Shapes: N samples, M persons, T frames, V joints, C channels, L classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.datasets.pipelines import Compose
from pyskl.errors import AnnotationError, InputError
from pyskl.runtime.metadata import ModelMetadata
from pyskl.runtime.sample import complete_sample
from pyskl.skeleton import SkeletonLayout

# Clips that go through the network at once; more take memory and no less time.
_CLIPS_AT_ONCE = 16


class ExportedRecognizer(ABC):
    """An exported model, with what its metadata says about samples and classes.

    Args:
        path: The file, for messages.
        metadata: What the file says of itself.

    Raises:
        InputError: if its pipeline names a transform that there is not, or with wrong arguments.
    """

    def __init__(self, path: str | Path, metadata: ModelMetadata) -> None:
        self.path = Path(path)
        self.metadata = metadata
        # What follows works on arrays, and tensors would need torch.
        transforms = [one for one in metadata.pipeline if one["type"] != "ToTensor"]
        try:
            self._pipeline = Compose(transforms)
        except (ValueError, TypeError) as error:
            raise InputError(
                f"{self.path}: its pipeline can't be built: {error}. A transform of your own has "
                "to be imported first"
            ) from error

    @abstractmethod
    def logits(self, keypoint: np.ndarray) -> np.ndarray:
        """Score clips.

        Args:
            keypoint: (N, M, T, V, C) float32.

        Returns:
            (N, L) float32.
        """

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The names of the L classes, or None where the file has none."""
        return self.metadata.labels

    @property
    def layout(self) -> SkeletonLayout | None:
        """The skeleton that samples have, or None where the file does not say."""
        return self.metadata.layout

    @property
    def num_classes(self) -> int:
        """The number of classes L."""
        return self.metadata.num_classes

    def label_name(self, label: int) -> str:
        """Return the name of a class: its number where the file has no names."""
        return str(label) if self.labels is None else self.labels[label]

    def prepare(self, sample: Mapping[str, Any] | np.ndarray) -> np.ndarray:
        """Take a sample through the pipeline of the model's training, in test mode.

        Args:
            sample: A sample as annotation files hold them (``label`` is not needed), or its
                ``keypoint`` alone: (M, T, V, C), or (T, V, C) for one person.

        Returns:
            Its clips, (clips, M, T, V, C) float32.

        Raises:
            AnnotationError: if the sample is malformed or does not fit the model.
        """
        full = complete_sample(sample)
        try:
            clips = np.asarray(self._pipeline(full)["keypoint"], dtype=np.float32)
            self._check(clips, axes="clips, M, T, V, C")
        except ValueError as error:
            raise AnnotationError(f"sample {full['frame_dir']!r}: {error}") from error
        return clips

    def scores(self, batch: np.ndarray) -> np.ndarray:
        """Score samples, as :meth:`pyskl.models.RecognizerGCN.predict` does.

        Args:
            batch: (N, clips, M, T, V, C), or (N, M, T, V, C) for one clip each.

        Returns:
            float32 (N, L), averaged over the clips as ``metadata.average_clips`` says;
            (N, clips, L) logits where it is None.

        Raises:
            ValueError: for a shape that does not fit the model.
        """
        batch = np.asarray(batch, dtype=np.float32)
        if batch.ndim == 5:
            batch = batch[:, None]
        if batch.ndim != 6:
            raise ValueError(
                "a recognizer takes keypoints (N, clips, M, T, V, C) or (N, M, T, V, C), found the "
                f"shape {batch.shape}"
            )
        samples, per_sample, *clip = batch.shape
        clips = batch.reshape(samples * per_sample, *clip)  # N·clips, M, T, V, C
        self._check(clips, axes="N·clips, M, T, V, C")
        parts = [
            self.logits(clips[start : start + _CLIPS_AT_ONCE])
            for start in range(0, len(clips), _CLIPS_AT_ONCE)
        ]
        logits = np.concatenate(parts).reshape(samples, per_sample, -1)  # N, clips, L
        if self.metadata.average_clips is None:
            return logits
        if self.metadata.average_clips == "prob":
            logits = softmax(logits)
        return logits.mean(axis=1)  # N, L

    def predict(
        self, sample: Mapping[str, Any] | np.ndarray, topk: int = 5
    ) -> list[tuple[int, float]]:
        """Recognise the action of one sequence, as :func:`pyskl.apis.inference_recognizer` does.

        Args:
            sample: See :meth:`prepare`.
            topk: How many classes to return.

        Returns:
            ``(class, score)`` of the best classes, the best first.

        Raises:
            AnnotationError: if the sample is malformed or does not fit the model.
            InputError: if the model does not average the clips of a sample.
        """
        if self.metadata.average_clips is None:
            raise InputError(
                f"{self.path}: the model keeps the clips of a sample apart (average_clips=None), "
                "so there is no ranking of the classes: export it with average_clips='prob'"
            )
        scores = self.scores(self.prepare(sample)[None])[0]
        return best_classes(scores, topk)

    def _check(self, clips: np.ndarray, axes: str) -> None:
        """Check the shape of clips (N, M, T, V, C) against that of the model's input."""
        wanted = self.metadata.input_shape
        fits = clips.ndim == 5 and all(
            isinstance(size, str) or found == size
            for found, size in zip(clips.shape[1:], wanted[1:])
        )
        if not fits or 0 in clips.shape:
            raise ValueError(
                f"{self.path.name} takes clips (N, M, T, V, C) = "
                f"({', '.join(map(str, wanted))}), found ({axes}) = {clips.shape}"
            )


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities of logits, along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def best_classes(scores: np.ndarray, topk: int) -> list[tuple[int, float]]:
    """Return ``(class, score)`` of the ``topk`` highest of scores (L,), the best first."""
    best = np.argsort(-scores, kind="stable")[:topk]
    return [(int(index), float(scores[index])) for index in best]
