"""The interface of all recognizers: samples to clips, clips to class scores.

Shapes: N samples, M persons, T frames, V joints, C channels, L classes.
"""

from __future__ import annotations

import copy
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import softmax

from pyskl.datasets.pipelines import Compose
from pyskl.datasets.sample_checks import sample_id, sample_problem
from pyskl.datasets.sample_fields import crowded, with_plain_fields
from pyskl.errors import AnnotationError, ConfigError, InputError
from pyskl.evaluation.metrics import check_finite_scores
from pyskl.runtime.metadata import streams_of
from pyskl.skeleton import SkeletonLayout

_log = logging.getLogger(__name__)

# Assumptions about samples that this process has told.
_said: set[str] = set()

# Clips that go through the network in one call. More take memory and save no time.
CLIPS_PER_CALL = 16


class Recognizer(ABC):
    """A model and the test pipeline that makes its input. Subclasses implement :meth:`logits`.

    Args:
        name: Its name in messages, usually its file.
        pipeline: Transforms (configs or callables) that turn a sample into clips.
        num_classes: Number of classes L.
        average_clips: How the clips of a sample are combined: ``'prob'`` averages probabilities,
            ``'score'`` logits, None keeps the clips apart.
        labels: The names of the classes, if known.
        layout: The skeleton of the samples, if known.
        input_shape: (N, M, T, V, C) with a number for each fixed axis, if known.

    Attributes:
        stream: ``'j'``, ``'b'``, ``'jm'`` or ``'bm'`` if the pipeline makes just that, else None.

    Raises:
        ConfigError: if the pipeline can't be built.
    """

    def __init__(
        self,
        name: str,
        pipeline: Sequence[Any],
        num_classes: int,
        *,
        average_clips: str | None = "prob",
        labels: Sequence[str] | None = None,
        layout: SkeletonLayout | None = None,
        input_shape: Sequence[int | str] = ("N", "M", "T", "V", "C"),
    ) -> None:
        self.name = name
        self.num_classes = num_classes
        self.average_clips = average_clips
        self.labels = None if labels is None else tuple(labels)
        self.layout = layout
        self.input_shape = tuple(input_shape)
        streams = streams_of(pipeline)
        self.stream = streams[0] if len(streams) == 1 else None
        try:
            # Everything below works on NumPy arrays, and tensors would need torch.
            self._pipeline = Compose([one for one in pipeline if not _makes_tensors(one)])
        except (ValueError, TypeError) as error:
            raise ConfigError(
                f"the test pipeline can't be built: {error}",
                file=name,
                hint="import custom transforms first",
            ) from error

    @abstractmethod
    def logits(self, clips: np.ndarray) -> np.ndarray:
        """Score clips.

        Args:
            clips: Any number of clips (N, M, T, V, C), float32.

        Returns:
            (N, L) float32.

        Raises:
            InputError: if the model can't compute them.
        """

    def label_name(self, label: int) -> str:
        """Return the name of a class, or its number if the names are not known."""
        return str(label) if self.labels is None else self.labels[label]

    def prepare(self, sample: Any) -> np.ndarray:
        """Apply the test pipeline to a sample.

        Args:
            sample: See :func:`complete_sample`.

        Returns:
            Its clips (clips, M, T, V, C), float32.

        Raises:
            AnnotationError: if the sample is malformed, all zeros, or does not fit the model.
        """
        full = complete_sample(sample)
        if not full["keypoint"].any():
            raise AnnotationError(
                "is zero everywhere: nobody is seen", sample=full["frame_dir"], key="keypoint"
            )
        sized = full.get("img_shape") is not None
        for text in self._pipeline.assumptions(full["keypoint"].shape[2], 0 if sized else 1):
            if text not in _said:
                _said.add(text)
                _log.warning("%s", text)
        try:
            clips = np.asarray(self._pipeline(full)["keypoint"], dtype=np.float32)
        except Exception as error:  # custom transforms may raise any error
            what = str(error) if isinstance(error, ValueError) else repr(error)
            fields = ("found", "expected", "hint")
            known = error if isinstance(error, InputError) else None
            raise AnnotationError(
                f"the test pipeline fails: {known.problem if known else what}",
                sample=full["frame_dir"],
                key=known.key if known else None,
                **{name: getattr(known, name) for name in fields if known},
            ) from error
        if not self._fits(clips):
            raise AnnotationError(
                "its clips do not fit the model",
                sample=full["frame_dir"],
                found=clips.shape,
                expected=f"(clips, {', '.join(map(str, self.input_shape[1:]))})",
            )
        return clips

    def scores(self, batch: np.ndarray) -> np.ndarray:
        """Score the clips of samples, as :meth:`pyskl.models.RecognizerGCN.predict` does.

        Args:
            batch: (N, clips, M, T, V, C), or (N, M, T, V, C) for one clip each.

        Returns:
            (N, L) float32, averaged as :attr:`average_clips` says; logits (N, clips, L) if it is
            None.

        Raises:
            InputError: for a shape that does not fit the model.
        """
        batch = np.asarray(batch, dtype=np.float32)
        if batch.ndim == 5:
            batch = batch[:, None]
        if batch.ndim != 6 or 0 in batch.shape or not self._fits(batch[0]):
            raise InputError(
                "the clips do not fit the model",
                file=self.name,
                found=batch.shape,
                expected=f"(N, clips, {', '.join(map(str, self.input_shape[1:]))})",
            )
        clips = batch.reshape(-1, *batch.shape[2:])  # N·clips, M, T, V, C
        logits = self.logits(clips).reshape(*batch.shape[:2], -1)  # N, clips, L
        if self.average_clips is None:
            return logits
        if self.average_clips == "prob":
            logits = softmax(logits, axis=2)
        return logits.mean(axis=1)  # N, L

    def predict(
        self, sample: Any, topk: int = 5, img_shape: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        """Recognise the action of one sample.

        Args:
            sample: See :func:`complete_sample`.
            topk: Number of classes to return.
            img_shape: (height, width) in pixels, if the sample does not say it.

        Returns:
            ``(class, score)`` of the best classes, best first.

        Raises:
            AnnotationError: if the sample is malformed or does not fit the model.
            InputError: if the model does not average the clips of a sample, or its scores are not
                finite.
        """
        self.check_ranking()
        if not isinstance(topk, (int, np.integer)) or topk < 1:
            raise InputError("is not a number from 1", key="topk", found=topk)
        clips = self.prepare(complete_sample(sample, img_shape))
        scores = self.scores(clips[None])
        check_finite_scores(scores, source=self.name)
        return top_classes(scores[0], topk)

    def check_ranking(self) -> None:
        """Raise an :class:`InputError` if the model keeps the clips of a sample apart."""
        if self.average_clips is None:
            raise InputError(
                "the model keeps the clips of a sample apart, so classes have no ranking",
                file=self.name,
                key="average_clips",
                found=None,
                expected="'prob' or 'score'",
            )

    def _fits(self, clips: np.ndarray) -> bool:
        """Whether clips (N, M, T, V, C) have the model's fixed sizes."""
        sizes = zip(clips.shape[1:], self.input_shape[1:])
        return (
            clips.ndim == 5
            and 0 not in clips.shape
            and all(isinstance(wanted, str) or found == wanted for found, wanted in sizes)
        )


def _makes_tensors(transform: Any) -> bool:
    return isinstance(transform, Mapping) and transform.get("type") in (
        "ToTensor",
        "pyskl.ToTensor",
    )


def complete_sample(sample: Any, img_shape: Sequence[int] | None = None) -> dict[str, Any]:
    """Return a checked copy of a sample, with the keys that a dataset would add.

    Args:
        sample: A sample as annotation files hold it (``label`` is not needed), or just its
            ``keypoint``: (M, T, V, C), or (T, V, C) for one person, as an array, a tensor or nested
            lists.
        img_shape: (height, width) in pixels, if the sample does not say it.

    Raises:
        AnnotationError: if it is malformed.
    """
    if not isinstance(sample, Mapping):
        sample = {"keypoint": sample}
    full = {**sample, "label": 0}
    if img_shape is not None and full.get("img_shape") in (None, ""):
        full["img_shape"] = img_shape
    told = full.get("total_frames") is not None
    if not told:
        full["total_frames"] = _first_axis(full.get("keypoint"))
    full = dict(with_plain_fields(full))
    full["frame_dir"] = name = sample_id(full) or "sample"
    keypoint: Any = full.get("keypoint")
    if not told:
        array = isinstance(keypoint, np.ndarray) and keypoint.ndim == 4
        full["total_frames"] = keypoint.shape[1] if array else 0
    problem = sample_problem(full)
    if problem is not None:
        raise AnnotationError(problem.text, sample=name, key=problem.key)
    if not told and crowded(*keypoint.shape[:2]):
        raise AnnotationError(
            "has more persons than frames",
            sample=name,
            key="keypoint",
            found=f"(M, T, V, C) = {keypoint.shape}",
            hint="put persons first, or give the sample's total_frames if this is right",
        )
    return {"start_index": 0, "modality": "Pose", **copy.deepcopy(full), "test_mode": True}


def _first_axis(keypoint: Any) -> int:
    """Return the number of frames that keypoints of one person, (T, V, C), have."""
    try:
        return len(keypoint)
    except TypeError:
        return 0


def top_classes(scores: np.ndarray, topk: int) -> list[tuple[int, float]]:
    """Return ``(class, score)`` of the ``topk`` highest scores (L,), best first, ties in order."""
    best = np.argsort(-scores, kind="stable")[:topk]
    return [(int(label), float(scores[label])) for label in best]
