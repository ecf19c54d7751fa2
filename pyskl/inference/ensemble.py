"""What scores samples: one recognizer, or several whose scores are fused.

Shapes: N samples, L classes, M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pyskl.errors import AnnotationError, InputError
from pyskl.evaluation.fusion import STREAMS, check_weights, default_weights, fuse
from pyskl.skeleton import SkeletonLayout

Prepared = tuple[np.ndarray, ...]
"""The clips of one sample for each recognizer, (clips, M, T, V, C) each."""


class Recognizer(Protocol):
    """What maps samples to clips, and clips to class scores.

    :class:`pyskl.runtime.OnnxRecognizer` is one without torch,
    :class:`pyskl.inference.model.ModelRecognizer` one of a config and a checkpoint.
    """

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The names of the classes, where known."""

    @property
    def layout(self) -> SkeletonLayout | None:
        """The skeleton that samples have, where known."""

    @property
    def num_classes(self) -> int:
        """The number of classes L."""

    def prepare(self, sample: Mapping[str, Any] | np.ndarray) -> np.ndarray:
        """Return the clips of a sample, (clips, M, T, V, C); InputError if it is malformed."""

    def scores(self, batch: np.ndarray) -> np.ndarray:
        """Return the scores (N, L) of clips (N, clips, M, T, V, C); ValueError if they misfit."""


@dataclass(frozen=True)
class Member:
    """A recognizer of an ensemble.

    Attributes:
        recognizer: The recognizer.
        name: What messages call it.
        stream: ``'j'``, ``'b'``, ``'jm'`` or ``'bm'``, where known: default weights go by it.
    """

    recognizer: Recognizer
    name: str = "the model"
    stream: str | None = None


class Ensemble:
    """Recognizers whose scores are fused to a weighted mean; one alone keeps its own.

    Args:
        members: The recognizers; all of the same classes.
        weights: One for each; by default 1 : 1 for joint and bone, and 2 : 2 : 1 : 1 with joint
            motion and bone motion.
        labels: The names of the classes; by default those that a member knows.

    Raises:
        InputError: if the members differ in classes or joints, the weights can't be used or have
            to be given, or there are more or fewer names than classes.
    """

    def __init__(
        self,
        members: Sequence[Member],
        weights: Sequence[float] | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        if not members:
            raise InputError("there is no model to recognise with")
        _check_alike(members)
        self.members = tuple(members)
        self.weights = _weights(members, weights)
        self.num_classes = members[0].recognizer.num_classes
        known = (member.recognizer.labels for member in members)
        self.labels = tuple(labels) if labels is not None else next(filter(None, known), None)
        if self.labels is not None and len(self.labels) != self.num_classes:
            raise InputError(
                f"there are {len(self.labels)} names for the {self.num_classes} classes of "
                f"{members[0].name}"
            )
        layouts = (member.recognizer.layout for member in members)
        self.layout = next((layout for layout in layouts if layout is not None), None)

    def label_name(self, label: int) -> str | None:
        """Return the name of a class, or None where it is not known."""
        return None if self.labels is None else self.labels[label]

    def prepare(self, sample: Mapping[str, Any]) -> Prepared:
        """Take a sample through the pipelines of all members.

        Raises:
            InputError: if it is malformed or does not fit a model.
        """
        try:
            return tuple(member.recognizer.prepare(sample) for member in self.members)
        except InputError:
            raise
        except Exception as error:  # whatever a transform may raise
            what = str(error) if isinstance(error, ValueError) else repr(error)
            raise AnnotationError(f"the pipeline fails on it: {what}") from error

    def scores(self, prepared: Sequence[Prepared]) -> np.ndarray:
        """Score samples; those whose clips are of one size go through the networks together.

        Args:
            prepared: N of what :meth:`prepare` returns.

        Returns:
            (N, L).

        Raises:
            ValueError: if clips do not fit a model.
            InputError: if a model keeps the clips of a sample apart.
        """
        alike: dict[tuple[tuple[int, ...], ...], list[int]] = {}
        for position, one in enumerate(prepared):
            alike.setdefault(tuple(clips.shape for clips in one), []).append(position)
        found = np.zeros((len(prepared), self.num_classes), dtype=np.float64)
        for positions in alike.values():
            batches = [np.stack(clips) for clips in zip(*(prepared[one] for one in positions))]
            tables = [self._table(*pair) for pair in zip(self.members, batches)]
            found[positions] = tables[0] if len(tables) == 1 else fuse(tables, self.weights)
        return found

    def _table(self, member: Member, batch: np.ndarray) -> np.ndarray:
        """Return the scores (N, L) of one member for clips (N, clips, M, T, V, C)."""
        table = member.recognizer.scores(batch)
        if table.ndim != 2:
            raise InputError(
                f"{member.name} keeps the clips of a sample apart (average_clips=None), so there "
                "is no ranking of the classes: it takes average_clips='prob'"
            )
        return table


def stream_of_pipeline(pipeline: Sequence[Any]) -> str | None:
    """Return the stream that a test pipeline makes: ``'j'``, ``'b'``, ``'jm'``, ``'bm'`` or None.

    Args:
        pipeline: The configs of its transforms.

    Example:
        >>> stream_of_pipeline([dict(type='GenSkeFeat', dataset='coco', feats=['b'])])
        'b'
    """
    for transform in pipeline:
        if not isinstance(transform, Mapping):
            continue
        if str(transform.get("type")).removeprefix("pyskl.") == "GenSkeFeat":
            feats = tuple(transform.get("feats", ("j",)))
            return feats[0] if len(feats) == 1 and feats[0] in STREAMS else None
    return None


def _check_alike(members: Sequence[Member]) -> None:
    first = members[0]
    for member in members[1:]:
        one, other = first.recognizer, member.recognizer
        if one.num_classes != other.num_classes:
            raise InputError(
                f"{first.name} has {one.num_classes} classes, {member.name} {other.num_classes}: "
                "they are not of the same data"
            )
        if one.layout is not None and other.layout is not None:
            joints, others = one.layout.num_joints, other.layout.num_joints
            if joints != others:
                raise InputError(
                    f"{first.name} takes {joints} joints ({one.layout.name}), {member.name} "
                    f"{others} ({other.layout.name}): no sample fits both"
                )


def _weights(members: Sequence[Member], weights: Sequence[float] | None) -> tuple[float, ...]:
    if weights is None:
        found = [1.0] if len(members) == 1 else default_weights([one.stream for one in members])
        if found is None:
            told = "; ".join(f"{member.name}: {member.stream or 'unknown'}" for member in members)
            raise InputError(
                "weights are known for the streams j with b (1 : 1) and for j, b, jm and bm "
                f"(2 : 2 : 1 : 1); give --weights, one for each model. Here they are {told}"
            )
        return tuple(found)
    if len(weights) != len(members):
        raise InputError(f"there are {len(weights)} weights for {len(members)} models")
    check_weights(weights, len(members))
    return tuple(float(weight) for weight in weights)
