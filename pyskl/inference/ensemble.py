"""Score samples with one recognizer, or with several whose scores are fused.

Shapes: N samples, L classes, M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from pyskl.errors import InputError
from pyskl.evaluation.fusion import check_weights, default_weights, fuse
from pyskl.evaluation.metrics import check_finite_scores
from pyskl.runtime.recognizer import Recognizer

Prepared = tuple[np.ndarray, ...]
"""The clips of one sample for each recognizer, (clips, M, T, V, C) each."""

_T = TypeVar("_T")


class Ensemble:
    """Recognizers whose scores are fused to a weighted mean. A single one keeps its scores.

    Args:
        recognizers: The recognizers, all of the same classes.
        weights: One for each; by default 1 : 1 for joint and bone, and 2 : 2 : 1 : 1 with joint
            motion and bone motion.
        labels: The names of the classes; by default those of the first recognizer that has names.

    Raises:
        InputError: if the recognizers do not match, the weights are invalid or have no default, or
            the number of names is not the number of classes.
    """

    def __init__(
        self,
        recognizers: Sequence[Recognizer],
        weights: Sequence[float] | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        if not recognizers:
            raise InputError("there is no model to recognise with")
        self.recognizers = tuple(recognizers)
        first, *others = recognizers
        for other in others:
            _check_alike(first, other)
        for recognizer in recognizers:
            recognizer.check_ranking()
        if weights is None:
            streams = [one.stream for one in recognizers]
            weights = [1.0] if len(recognizers) == 1 else default_weights(streams)
            if weights is None:
                raise InputError(
                    "these streams have no default weights",
                    key="--weights",
                    found=", ".join(
                        f"{one.name}: {one.stream or 'unknown'}" for one in recognizers
                    ),
                    expected="j with b (1 : 1), or j, b, jm and bm (2 : 2 : 1 : 1)",
                    hint="give one weight for each model",
                )
        check_weights(weights, len(recognizers))
        self.weights = tuple(map(float, weights))
        self.num_classes = first.num_classes
        names = labels or next((one.labels for one in recognizers if one.labels), None)
        self.labels = None if names is None else tuple(names)
        if self.labels is not None and len(self.labels) != self.num_classes:
            raise InputError(
                "wrong number of class names",
                file=first.name,
                key="--labels",
                found=len(self.labels),
                expected=str(self.num_classes),
            )
        self.layout = next((one.layout for one in recognizers if one.layout is not None), None)

    def label_name(self, label: int) -> str | None:
        """Return the name of a class, or None if it is not known."""
        return None if self.labels is None else self.labels[label]

    def prepare(self, sample: Mapping[str, Any]) -> Prepared:
        """Apply the pipelines of all recognizers to a sample.

        Raises:
            AnnotationError: if it is malformed or does not fit a model.
        """
        return tuple(one.prepare(sample) for one in self.recognizers)

    def scores(self, prepared: Sequence[Prepared]) -> np.ndarray:
        """Score samples. Those with clips of the same size go through the networks together.

        Args:
            prepared: N results of :meth:`prepare`.

        Returns:
            (N, L).

        Raises:
            InputError: if clips do not fit a model.
        """
        by_shape: dict[tuple[tuple[int, ...], ...], list[int]] = {}
        for position, clips in enumerate(prepared):
            by_shape.setdefault(tuple(one.shape for one in clips), []).append(position)
        scores = np.zeros((len(prepared), self.num_classes))
        for positions in by_shape.values():
            batches = [np.stack(clips) for clips in zip(*(prepared[one] for one in positions))]
            tables = [one.scores(batch) for one, batch in zip(self.recognizers, batches)]
            scores[positions] = tables[0] if len(tables) == 1 else fuse(tables, self.weights)
        return scores

    def score(self, sample: Mapping[str, Any]) -> np.ndarray:
        """Return the scores (L,) of one sample.

        Raises:
            InputError: if it does not fit a model, or its scores are not finite.
        """
        (found,) = self._scores_or_errors([self.prepare(sample)])
        if isinstance(found, InputError):
            raise found
        return found

    def score_in_batches(
        self, samples: Iterable[tuple[_T, Mapping[str, Any] | None]], batch: int
    ) -> Iterator[tuple[_T, np.ndarray | InputError | None]]:
        """Yield the scores of samples, in order.

        Args:
            samples: Pairs of a tag, which is passed through, and a sample. None instead of a sample
                is passed through, too.
            batch: Samples that go through the networks together.

        Yields:
            The tag, and the scores (L,) of its sample or what is wrong with it.
        """
        waiting: list[tuple[_T, Prepared | InputError | None]] = []
        ready = 0
        for tag, sample in samples:
            prepared: Prepared | InputError | None = None
            if sample is not None:
                try:
                    prepared = self.prepare(sample)
                    ready += 1
                except InputError as error:
                    prepared = error
            waiting.append((tag, prepared))
            if ready in (0, batch):
                yield from self._score_waiting(waiting)
                waiting, ready = [], 0
        yield from self._score_waiting(waiting)

    def _score_waiting(
        self, waiting: Sequence[tuple[_T, Prepared | InputError | None]]
    ) -> Iterator[tuple[_T, np.ndarray | InputError | None]]:
        prepared = [one for _, one in waiting if isinstance(one, tuple)]
        scored = iter(self._scores_or_errors(prepared))
        for tag, one in waiting:
            yield tag, next(scored) if isinstance(one, tuple) else one

    def _scores_or_errors(self, prepared: Sequence[Prepared]) -> list[np.ndarray | InputError]:
        if not prepared:
            return []
        try:
            table = self.scores(prepared)
        except InputError as error:
            if len(prepared) == 1:
                return [error]
            # One by one, so that only those that do not fit the model fail.
            return [found for one in prepared for found in self._scores_or_errors([one])]
        return list(map(_finite_or_error, table))


def _finite_or_error(row: np.ndarray) -> np.ndarray | InputError:
    try:
        check_finite_scores(row[None])
    except InputError as error:
        return error
    return row


def _check_alike(first: Recognizer, other: Recognizer) -> None:
    if first.num_classes != other.num_classes:
        raise InputError(
            f"its number of classes is not that of {first.name}",
            file=other.name,
            found=other.num_classes,
            expected=str(first.num_classes),
        )
    one, two = first.layout, other.layout
    if one is not None and two is not None and one.num_joints != two.num_joints:
        raise InputError(
            f"its number of joints is not that of {first.name}",
            file=other.name,
            found=f"{two.num_joints} ({two.name})",
            expected=f"{one.num_joints} ({one.name})",
        )
