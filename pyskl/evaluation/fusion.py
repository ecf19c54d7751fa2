"""Fuse the scores of several streams: a weighted mean of their vectors.

PYSKL's weights are 1 : 1 for joint and bone, and 2 : 2 : 1 : 1 with joint motion and bone motion.

Shapes: S streams, N samples, L classes.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from pyskl.errors import InputError
from pyskl.evaluation.metrics import check_finite_scores, top_k_accuracy

STREAMS = {"j": "joint", "b": "bone", "jm": "joint motion", "bm": "bone motion"}
"""The streams, by their names in config files."""

# The motions first, as their names contain the others.
_IN_WORDS = {"jm": "joint_?motion", "bm": "bone_?motion", "j": "joint", "b": "bone"}

FUSIONS: dict[str, dict[str, float]] = {
    "two-stream": {"j": 1.0, "b": 1.0},
    "four-stream": {"j": 2.0, "b": 2.0, "jm": 1.0, "bm": 1.0},
}
"""The fusions with published results: the weights by stream."""

# A search tries multiples of 1/12, which include 1:1 and 2:2:1:1, or of 1/6 if these are too many.
_SEARCHED_PARTS = (12, 6)
_MAX_TRIED = 2000


def stream_of(path: str | Path) -> str | None:
    """Return the stream that a score file belongs to, judged by its name or its folder's name.

    A name belongs to a stream if exactly one of its parts (separated by ``_``, ``-``, ``.`` or
    spaces) is ``j``, ``b``, ``jm`` or ``bm``, or ``joint``, ``bone``, ``joint_motion`` or
    ``bone_motion``, in either case.

    Returns:
        The stream; None if neither name has such a part, or the first that has one has several.

    Example:
        >>> stream_of('ntu60_bm.pkl'), stream_of('work_dirs/stgcn/x/j/best_pred.pkl')
        ('bm', 'j')
    """
    path = Path(path)
    for name in (path.name, path.absolute().parent.name):
        plain = re.sub(r"[_\-.\s]+", "_", name.lower())
        for stream, words in _IN_WORDS.items():
            plain = re.sub(rf"(?<![^_]){words}(?![^_])", stream, plain)
        found = {part for part in plain.split("_") if part in STREAMS}
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def default_weights(streams: Sequence[str | None]) -> list[float] | None:
    """Return the published weights for these streams, or None if there are none."""
    for weights in FUSIONS.values():
        if len(streams) == len(weights) and set(streams) == set(weights):
            return [weights[str(stream)] for stream in streams]
    return None


def check_weights(weights: Sequence[float], count: int) -> None:
    """Raise an :class:`InputError` unless there are ``count`` usable weights."""
    if len(weights) != count:
        raise InputError(
            "there must be one weight per score file",
            key="weights",
            found=len(weights),
            expected=str(count),
        )
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or not any(weights):
        raise InputError(
            "these weights can't be used",
            key="weights",
            found=" ".join(f"{weight:g}" for weight in weights),
            expected="numbers of 0 or more, not all of them 0",
        )


def fuse(tables: Sequence[ArrayLike], weights: Sequence[float]) -> np.ndarray:
    """Return the weighted mean of several streams' scores.

    Args:
        tables: S tables (N, L).
        weights: S numbers of 0 or more. Only their ratio matters: a mean of probabilities remains
            a probability.

    Returns:
        (N, L) float64.

    Raises:
        InputError: for unusable weights, tables of different shapes, or scores that are not finite.

    Example:
        >>> fuse([[[0.5, 0.5]], [[1.0, 0.0]]], [1, 3]).tolist()
        [[0.875, 0.125]]
    """
    check_weights(weights, len(tables))
    arrays = [np.asarray(table, dtype=np.float64) for table in tables]
    shapes = [array.shape for array in arrays]
    if len(set(shapes)) > 1:
        raise InputError("the scores have different shapes", key="tables", found=shapes)
    total = np.zeros_like(arrays[0])
    for array, weight in zip(arrays, weights):
        check_finite_scores(array)  # with weight 0, too: 0 times infinity is NaN
        total += weight * array
    return total / sum(weights)


def stratified_halves(labels: ArrayLike, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split samples randomly into two halves, each with half of every class.

    Args:
        labels: Classes (N,).
        seed: The same seed gives the same halves.

    Returns:
        The indices of both halves, ascending. Classes with an odd number of samples give the extra
        one to the halves alternately.
    """
    labels = np.asarray(labels)
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    order = shuffled[np.argsort(labels[shuffled], kind="stable")]
    return np.sort(order[::2]), np.sort(order[1::2])


def search_weights(
    tables: Sequence[ArrayLike], labels: ArrayLike, start: Sequence[float]
) -> list[float]:
    """Return the weights with the best top-1 accuracy.

    Tries all ways to share 12 parts among the streams (6 parts if there are too many ways). Of
    equally good weights, those nearest to ``start`` are returned: the best ones often form a wide
    plateau, and its edges say little about other samples.

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
    count = len(arrays)
    parts = next((p for p in _SEARCHED_PARTS if math.comb(p + count - 1, p) <= _MAX_TRIED), None)
    if parts is None:
        raise InputError("too many streams to search", found=count, hint="give --weights")
    center = np.array(start, dtype=np.float64) / sum(start)

    def rank(shares: tuple[int, ...]) -> tuple[float, float, tuple[int, ...]]:
        (accuracy,) = top_k_accuracy(fuse(arrays, shares), labels, 1)
        distance = float(np.linalg.norm(np.array(shares) / parts - center))
        return -accuracy, round(distance, 12), shares

    # Stars and bars: `count - 1` bars among `parts` stars divide these into shares.
    slots = parts + count - 1
    all_shares = (
        tuple(b - a - 1 for a, b in itertools.pairwise((-1, *bars, slots)))
        for bars in itertools.combinations(range(slots), count - 1)
    )
    best = min(all_shares, key=rank)
    return [share / math.gcd(*best) for share in best]
