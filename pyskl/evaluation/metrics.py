"""Classification metrics on NumPy arrays.

Shapes: N samples, L classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pyskl.errors import InputError

# Sample ids in a message.
_MAX_LISTED = 5


class NonFiniteScoresError(InputError):
    """Scores are NaN or infinite, so nothing can be measured with them."""


def check_finite_scores(
    scores: ArrayLike, sample_ids: Sequence[str] | None = None, *, source: str | None = None
) -> None:
    """Check scores before they become figures, files or predictions.

    Args:
        scores: One entry of any shape per sample, (N, ...).
        sample_ids: The ids of the samples, for the message; by default their positions.
        source: Where the scores come from, for the message.

    Raises:
        NonFiniteScoresError: if a score is NaN or infinite.
    """
    array = np.asarray(scores)
    bad = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1)).tolist()
    if bad:
        names = bad if sample_ids is None else [sample_ids[one] for one in bad]
        listed = ", ".join(map(repr, names[:_MAX_LISTED]))
        listed += ", ..." if len(names) > _MAX_LISTED else ""
        alone = sample_ids is None and len(array) == 1  # the caller knows its name
        raise NonFiniteScoresError(
            "the scores are not finite, so they can't be used",
            file=source,
            sample=None if alone else names[0],
            key="scores",
            found="NaN or infinity"
            + ("" if alone else f" in {len(bad)} of {len(array)} samples: {listed}"),
            hint="check the weights" + (" and the keypoints" if len(bad) < len(array) else ""),
        )


def top_k_accuracy(
    scores: ArrayLike | Sequence[ArrayLike], labels: ArrayLike, topk: int | Iterable[int] = (1,)
) -> list[float]:
    """Return the share of samples whose label is among the k highest scores, for each k.

    Ties go to the lower class, as in ``argmax``.

    Args:
        scores: (N, L), or N vectors of length L.
        labels: Integers (N,) or (N, 1), from 0 to L - 1.
        topk: One k or several. A k of L or more counts every sample as a hit.

    Returns:
        One value from 0 to 1 for each k, in the order given.

    Raises:
        InputError: for wrong shapes, scores that are not finite, labels outside the classes, or a
            k below 1.

    Example:
        >>> top_k_accuracy([[0.1, 0.6, 0.3], [0.8, 0.1, 0.1]], [2, 0], topk=(1, 2))
        [0.5, 1.0]
    """
    table, labels = _scores_and_labels(scores, labels)
    ks = [topk] if isinstance(topk, (int, np.integer)) else list(topk)
    if any(k < 1 for k in ks):
        raise InputError("a k is too small", key="topk", found=ks, expected="1 or more")
    num_classes = table.shape[1]
    own = np.take_along_axis(table, labels[:, None], axis=1)  # (N, 1)
    higher = table > own  # (N, L)
    higher |= (table == own) & (np.arange(num_classes) < labels[:, None])
    rank = higher.sum(axis=1)  # (N,)
    return [float(np.mean((rank < k) | (k >= num_classes))) for k in ks]


def mean_class_accuracy(scores: ArrayLike | Sequence[ArrayLike], labels: ArrayLike) -> float:
    """Return the mean over classes of the accuracy on the samples of the class.

    The mean runs over the classes that occur in the labels or the predictions. A class that is
    predicted but has no sample counts as 0, as in the published values.

    Args:
        scores: (N, L), or N vectors of length L.
        labels: Integers (N,) or (N, 1), from 0 to L - 1.

    Raises:
        InputError: for wrong shapes, scores that are not finite, or labels outside the classes.
    """
    table, labels = _scores_and_labels(scores, labels)
    confusion = confusion_matrix(table.argmax(axis=1), labels)
    return float(np.mean(np.diag(confusion) / np.maximum(confusion.sum(axis=1), 1)))


def confusion_matrix(
    pred: ArrayLike, true: ArrayLike, num_classes: int | None = None
) -> np.ndarray:
    """Count how often each class was predicted as each.

    Args:
        pred: Predicted classes, integers (N,).
        true: True classes, integers (N,).
        num_classes: Number of classes L. By default only the classes that occur in ``pred`` or
            ``true`` have a row and a column, in ascending order.

    Returns:
        int64 (L, L): rows are true classes, columns predicted ones.

    Raises:
        InputError: for wrong shapes, or values that are not integers.

    Example:
        >>> confusion_matrix(pred=[0, 2, 2], true=[0, 0, 2])
        array([[1, 1],
               [0, 1]])
    """
    pred, true = _classes("pred", pred), _classes("true", true)
    if len(pred) != len(true):
        found = f"{len(pred)} and {len(true)}"
        raise InputError("pred and true have different lengths", key="pred", found=found)
    if num_classes is None:
        classes, codes = np.unique(np.concatenate([true, pred]), return_inverse=True)
        num_classes, (true, pred) = len(classes), codes.reshape(2, len(true))
    counts = np.bincount(true * num_classes + pred, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes).astype(np.int64)


def mean_average_precision(
    scores: ArrayLike | Sequence[ArrayLike], labels: ArrayLike | Sequence[ArrayLike]
) -> float:
    """Return the mean over classes of the average precision, for samples with several labels.

    The average precision of a class is the sum over its score thresholds of the precision times
    the gain in recall. Classes without a positive sample are left out of the mean.

    Args:
        scores: (N, L), or N vectors of length L.
        labels: 0 or 1, (N, L), or N vectors of length L.

    Returns:
        The mean; NaN if no class has a positive sample.

    Raises:
        InputError: for wrong shapes, scores that are not finite, or labels other than 0 and 1.
    """
    table, hot = _scores(scores), _table("labels", labels)
    if hot.shape != table.shape:
        found = f"{hot.shape} and {table.shape}"
        raise InputError("labels and scores have different shapes", key="labels", found=found)
    if not np.isin(hot, (0, 1)).all():
        raise InputError("multi-class labels have other values", key="labels", expected="0 or 1")
    averages = []
    for column, positive in zip(table.T, hot.T):
        if positive.any():
            _, codes, counts = np.unique(-column, return_inverse=True, return_counts=True)
            hits = np.bincount(codes, weights=positive)  # of each threshold, the highest first
            precision = hits.cumsum() / counts.cumsum()
            averages.append((precision * hits).sum() / hits.sum())
    return float(np.mean(averages)) if averages else float("nan")


def _scores_and_labels(
    scores: ArrayLike | Sequence[ArrayLike], labels: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    table, labels = _scores(scores), _classes("labels", labels)
    if len(table) != len(labels):
        raise InputError(
            "labels and scores have different lengths",
            key="labels",
            found=f"{len(labels)} and {len(table)}",
        )
    num_classes = table.shape[1]
    outside = np.unique(labels[(labels < 0) | (labels >= num_classes)])
    if len(outside):
        raise InputError(
            "labels are outside the classes of the scores",
            key="labels",
            found=outside[:5].tolist(),
            expected=f"0 to {num_classes - 1}",
        )
    return table, labels


def _scores(scores: ArrayLike | Sequence[ArrayLike]) -> np.ndarray:
    """Return scores as finite numbers (N, L)."""
    table = _table("scores", scores)
    check_finite_scores(table)
    return table


def _table(key: str, values: ArrayLike | Sequence[ArrayLike]) -> np.ndarray:
    """Return values as numbers (N, L)."""
    return _array(key, values, ndim=2, kinds="biuf", expected="numbers (samples, classes)")


def _classes(key: str, values: ArrayLike) -> np.ndarray:
    """Return values as int64 (N,)."""
    return _array(key, values, ndim=1, kinds="iu", expected="integers (samples,)").astype(np.int64)


def _array(key: str, values: Any, *, ndim: int, kinds: str, expected: str) -> np.ndarray:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError("entries have different lengths", key=key) from error
    if ndim == 1 and array.shape[1:] == (1,):
        array = array[:, 0]
    if array.ndim != ndim or 0 in array.shape or array.dtype.kind not in kinds:
        found = f"{array.dtype} {array.shape}"
        raise InputError("wrong shape or dtype", key=key, found=found, expected=expected)
    return array
