"""Fuse the scores of several streams: a weighted mean of their vectors.

The weights of the PYSKL family are 1 : 1 for joint and bone, and 2 : 2 : 1 : 1 with joint motion
and bone motion.

Shapes: S streams, N samples, L classes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from pyskl.errors import InputError
from pyskl.evaluation.metrics import top_k_accuracy

STREAMS = {"j": "joint", "b": "bone", "jm": "joint motion", "bm": "bone motion"}
"""The streams, by the names that config files have."""

FAMILY_WEIGHTS: dict[frozenset[str], dict[str, float]] = {
    frozenset(weights): weights
    for weights in ({"j": 1.0, "b": 1.0}, {"j": 2.0, "b": 2.0, "jm": 1.0, "bm": 1.0})
}
"""The weights that published figures were made with, by the streams that are there."""

# Parts that the weights of a search are shared out in, the finest first, and how many ways to share
# are tried at most. Twelfths have 1:1 and 2:2:1:1 among them.
_PARTS = (12, 6)
_MOST_TRIED = 2000


def stream_of(path: str | Path) -> str | None:
    """Return which stream a score file is of, by its name or else by its folder's.

    A name counts as that of a stream if exactly one of its parts, which ``_``, ``-``, ``.`` and
    spaces divide, is ``j``, ``b``, ``jm`` or ``bm`` (in either case).

    Returns:
        The stream; None where both names have none, or the first that has any has several.

    Example:
        >>> stream_of('ntu60_bm.pkl'), stream_of('work_dirs/stgcn/x/j/best_pred.pkl')
        ('bm', 'j')
    """
    path = Path(path)
    for name in (path.name, path.absolute().parent.name):
        found = {part for part in re.split(r"[_\-.\s]+", name.lower()) if part in STREAMS}
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def family_weights(streams: Sequence[str | None]) -> list[float] | None:
    """Return the family's weights for streams, or None if it has none for just these."""
    known = [stream for stream in streams if stream is not None]
    weights = FAMILY_WEIGHTS.get(frozenset(known))
    if weights is None or len(weights) != len(streams):
        return None
    return [weights[stream] for stream in known]


def check_weights(weights: Sequence[float], count: int) -> None:
    """Raise an :class:`InputError` unless there are ``count`` weights that can be used."""
    if len(weights) != count:
        raise InputError(f"there are {len(weights)} weights for {count} score files")
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or not any(weights):
        shown = " ".join(f"{weight:g}" for weight in weights)
        raise InputError(f"weights are numbers from 0 up, not all of them 0, found {shown}")


def fuse(tables: Sequence[ArrayLike], weights: Sequence[float]) -> np.ndarray:
    """Return the weighted mean of several streams' scores.

    Args:
        tables: S tables (N, L).
        weights: S numbers from 0 up. Their sum does not matter: probabilities stay such.

    Returns:
        (N, L) float64.

    Raises:
        InputError: for weights that can't be used.
        ValueError: for tables of different shapes.

    Example:
        >>> fuse([[[0.5, 0.5]], [[1.0, 0.0]]], [1, 3]).tolist()
        [[0.875, 0.125]]
    """
    check_weights(weights, len(tables))
    arrays = [np.asarray(table, dtype=np.float64) for table in tables]
    if len({array.shape for array in arrays}) > 1:
        raise ValueError(f"the shapes differ: {[array.shape for array in arrays]}")
    total = np.zeros_like(arrays[0])
    for array, weight in zip(arrays, weights):
        total += weight * array
    return total / sum(weights)


def stratified_halves(labels: ArrayLike, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Share samples out between two halves, of each class half, by chance.

    Args:
        labels: Classes (N,).
        seed: The same seed shares the same samples out in the same way.

    Returns:
        The positions of the one and of the other half, ascending. Classes with an odd number of
        samples give the one more by turns.
    """
    labels = np.asarray(labels)
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    order = shuffled[np.argsort(labels[shuffled], kind="stable")]
    return np.sort(order[::2]), np.sort(order[1::2])


def search_weights(
    tables: Sequence[ArrayLike], labels: ArrayLike, start: Sequence[float]
) -> list[float]:
    """Return the weights that give the best top-1 accuracy.

    All ways are tried to share 12 parts out among the streams (6 where these are too many). Of
    those that are equally good the nearest to ``start`` is taken, as plateaus are wide and their
    rims tell little of other samples.

    Args:
        tables: S tables (N, L).
        labels: Classes (N,).
        start: S weights.

    Returns:
        Whole numbers without a common divisor.

    Raises:
        InputError: for more streams than can be searched.
    """
    arrays = [np.asarray(table, dtype=np.float64) for table in tables]
    truth = np.asarray(labels)
    count = len(arrays)
    parts = next((p for p in _PARTS if math.comb(p + count - 1, p) <= _MOST_TRIED), None)
    if parts is None:
        raise InputError(f"--search takes fewer streams than {count}; give --weights")
    middle = np.array(start, dtype=np.float64) / sum(start)
    best: tuple[float, float, tuple[int, ...]] | None = None
    for shares in _shares(parts, count):
        (accuracy,) = top_k_accuracy(fuse(arrays, shares), truth, 1)
        distance = float(np.linalg.norm(np.array(shares) / parts - middle))
        found = (-accuracy, round(distance, 12), shares)
        best = found if best is None else min(best, found)
    chosen = best[2] if best is not None else ()
    divisor = math.gcd(*chosen)
    return [share / divisor for share in chosen]


def _shares(parts: int, count: int) -> Iterator[tuple[int, ...]]:
    """Yield all ways to share whole parts out among ``count``."""
    if count == 1:
        yield (parts,)
        return
    for first in range(parts + 1):
        for rest in _shares(parts - first, count - 1):
            yield (first, *rest)
