"""Metrics of classification, on NumPy arrays.

Shapes: N samples, L classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike


def top_k_accuracy(
    scores: ArrayLike | Sequence[ArrayLike], labels: ArrayLike, topk: int | Iterable[int] = (1,)
) -> list[float]:
    """Return the share of samples whose label is among the k highest scores, for each k.

    Of equal scores the lower class counts as the higher one, as in ``argmax``. A score that is not
    a number counts as the highest of a wrong class, and never as a hit of the right one, unless k
    covers all classes.

    Args:
        scores: (N, L), or N vectors of length L.
        labels: Whole numbers (N,) or (N, 1), from 0 to L - 1.
        topk: One k or several; a k above L counts every sample as a hit.

    Returns:
        One value from 0 to 1 for each k, in the order given.

    Raises:
        ValueError: for wrong shapes, labels outside of the classes, or a k below 1.

    Example:
        >>> top_k_accuracy([[0.1, 0.6, 0.3], [0.8, 0.1, 0.1]], [2, 0], topk=(1, 2))
        [0.5, 1.0]
    """
    table, truth = _scores_and_labels(scores, labels)
    ks = [topk] if isinstance(topk, (int, np.integer)) else list(topk)
    if any(k < 1 for k in ks):
        raise ValueError(f"topk is 1 or more, found {ks}")
    own = np.take_along_axis(table, truth[:, None], axis=1)  # (N, 1)
    # `not <=` rather than `>`: what is not a number has to count against the prediction.
    ahead = ~(table <= own)  # (N, L)
    ahead |= (table == own) & (np.arange(table.shape[1]) < truth[:, None])
    rank = ahead.sum(axis=1)  # (N,)
    return [float(np.mean((rank < k) | (k >= table.shape[1]))) for k in ks]


def mean_class_accuracy(scores: ArrayLike | Sequence[ArrayLike], labels: ArrayLike) -> float:
    """Return the mean over classes of the share of the class's samples that are predicted right.

    The mean runs over the classes that occur in labels or predictions. A class that is predicted
    but has no sample counts as 0: published values were computed so.

    Args:
        scores: (N, L), or N vectors of length L.
        labels: Whole numbers (N,) or (N, 1), from 0 to L - 1.

    Raises:
        ValueError: for wrong shapes or labels outside of the classes.
    """
    table, truth = _scores_and_labels(scores, labels)
    confusion = confusion_matrix(table.argmax(axis=1), truth)
    hits, counts = np.diag(confusion), confusion.sum(axis=1)
    return float(np.mean(hits / np.maximum(counts, 1)))


def confusion_matrix(pred: ArrayLike, true: ArrayLike) -> np.ndarray:
    """Count how often each class was taken for each.

    Args:
        pred: Predicted classes, whole numbers (N,).
        true: True classes, whole numbers (N,).

    Returns:
        int64 (L', L'): rows are true classes, columns predicted ones, over the L' classes that
        occur in either, in ascending order.

    Raises:
        ValueError: for wrong shapes, or values that are not whole numbers.

    Example:
        >>> confusion_matrix(pred=[0, 2, 2], true=[0, 0, 2])
        array([[1, 1],
               [0, 1]])
    """
    found, truth = _labels("pred", pred), _labels("true", true)
    if len(found) != len(truth):
        raise ValueError(f"pred has {len(found)} samples, true has {len(truth)}")
    classes, codes = np.unique(np.concatenate([truth, found]), return_inverse=True)
    size = len(classes)
    codes = codes.reshape(2, len(truth))  # true, predicted
    pairs = codes[0] * size + codes[1]
    return np.bincount(pairs, minlength=size * size).reshape(size, size).astype(np.int64)


def mean_average_precision(
    scores: ArrayLike | Sequence[ArrayLike], labels: ArrayLike | Sequence[ArrayLike]
) -> float:
    """Return the mean over classes of the average precision, for samples of several labels.

    The average precision of a class is the sum over the score's thresholds of the precision times
    the gain in recall. Classes without a positive sample are left out of the mean.

    Args:
        scores: (N, L), or N vectors of length L.
        labels: 0 or 1, (N, L), or N vectors of length L.

    Returns:
        The mean; nan where no class has a positive sample.

    Raises:
        ValueError: for wrong shapes, or labels other than 0 and 1.
    """
    table = _matrix("scores", scores)
    truth = _matrix("labels", labels)
    if truth.shape != table.shape:
        raise ValueError(
            f"labels of several classes have the scores' shape {table.shape}, found {truth.shape}"
        )
    if not np.isin(truth, (0, 1)).all():
        raise ValueError("labels of several classes are 0 or 1")
    truth = truth.astype(np.float64)
    positives = truth.sum(axis=0)  # (L,)
    table, truth, positives = (
        table[:, positives > 0],
        truth[:, positives > 0],
        positives[positives > 0],
    )
    if not len(positives):
        return float("nan")

    order = np.argsort(-table, axis=0, kind="stable")
    table = np.take_along_axis(table, order, axis=0)
    truth = np.take_along_axis(truth, order, axis=0)
    rows = np.arange(1, len(table) + 1)[:, None]
    precision = np.cumsum(truth, axis=0) / rows
    # Samples of equal score pass the threshold together, so each has the precision of the last.
    last = np.ones(table.shape, dtype=bool)
    last[:-1] = table[1:] != table[:-1]
    ends = np.minimum.accumulate(np.where(last, rows, len(table))[::-1], axis=0)[::-1]
    precision = np.take_along_axis(precision, ends - 1, axis=0)
    return float(np.mean((precision * truth).sum(axis=0) / positives))


def _scores_and_labels(
    scores: ArrayLike | Sequence[ArrayLike], labels: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    table, truth = _matrix("scores", scores), _labels("labels", labels)
    if len(table) != len(truth):
        raise ValueError(f"scores has {len(table)} samples, labels has {len(truth)}")
    outside = np.unique(truth[(truth < 0) | (truth >= table.shape[1])])
    if len(outside):
        raise ValueError(
            f"labels has {', '.join(map(str, outside[:5]))}, but the scores are of "
            f"{table.shape[1]} classes (0 to {table.shape[1] - 1})"
        )
    return table, truth


def _matrix(name: str, values: ArrayLike | Sequence[ArrayLike]) -> np.ndarray:
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"{name} has vectors of different lengths, expected one length") from error
    if array.ndim != 2 or 0 in array.shape or array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} has the shape {array.shape} and type {array.dtype}, expected numbers of "
            "shape (samples, classes)"
        )
    return array


def _labels(name: str, values: ArrayLike) -> np.ndarray:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} has entries of different lengths, expected (samples,)") from error
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or len(array) == 0 or array.dtype.kind not in "iu":
        raise ValueError(
            f"{name} has the shape {array.shape} and type {array.dtype}, expected whole numbers "
            "of shape (samples,)"
        )
    return array.astype(np.int64)
