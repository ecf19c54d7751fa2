"""Score many samples in batches, in their order, each fault kept with the sample that has it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from pyskl.errors import AnnotationError, InputError
from pyskl.inference.ensemble import Ensemble, Prepared

_T = TypeVar("_T")


def score_in_batches(
    ensemble: Ensemble,
    samples: Iterable[tuple[_T, Mapping[str, Any] | None]],
    batch: int,
) -> Iterator[tuple[_T, np.ndarray | InputError | None]]:
    """Yield the scores of samples in the order in which they come.

    Args:
        ensemble: What scores them.
        samples: Whatever stands for a sample, and the sample; None in its place passes through.
        batch: Samples that go through the networks at once.

    Yields:
        What stands for a sample, and its scores (L,), or what is wrong with it.
    """
    waiting: list[tuple[_T, Prepared | InputError | None]] = []
    ready = 0
    for tag, sample in samples:
        prepared: Prepared | InputError | None = None
        if sample is not None:
            try:
                prepared = ensemble.prepare(sample)
                ready += 1
            except InputError as error:
                prepared = error
        waiting.append((tag, prepared))
        if ready == batch or not ready:
            yield from _scored(ensemble, waiting)
            waiting, ready = [], 0
    yield from _scored(ensemble, waiting)


def score_one(ensemble: Ensemble, prepared: Prepared) -> np.ndarray:
    """Return the scores (L,) of one sample.

    Raises:
        InputError: if it does not fit a model, or the scores are not finite.
    """
    (found,) = _table(ensemble, [prepared])
    if isinstance(found, InputError):
        raise found
    return found


def _scored(
    ensemble: Ensemble, waiting: list[tuple[_T, Prepared | InputError | None]]
) -> Iterator[tuple[_T, np.ndarray | InputError | None]]:
    scored = iter(_table(ensemble, [one for _, one in waiting if isinstance(one, tuple)]))
    for tag, one in waiting:
        yield tag, next(scored) if isinstance(one, tuple) else one


def _table(ensemble: Ensemble, prepared: list[Prepared]) -> list[np.ndarray | InputError]:
    """Return the scores of each, or what is wrong with it."""
    if not prepared:
        return []
    try:
        table = ensemble.scores(prepared)
    except InputError as error:
        return [error] * len(prepared)
    except ValueError as error:
        if len(prepared) == 1:
            return [AnnotationError(f"it does not fit the model: {error}")]
        return [found for one in prepared for found in _table(ensemble, [one])]
    return [
        row
        if np.isfinite(row).all()
        else InputError("the model's scores are not finite: its weights, or the joints, are broken")
        for row in table
    ]
