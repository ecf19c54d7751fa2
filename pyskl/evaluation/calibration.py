"""How far a recognizer's confidence can be believed.

After Guo et al., "On Calibration of Modern Neural Networks", ICML 2017: predictions are sorted into
bins of equal width by their confidence, the probability of the predicted class. In a calibrated
model the accuracy of each bin is its mean confidence.

Shapes: N samples, L classes, B bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

BINS = 15
"""As in the paper's tables."""


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram.

    Attributes:
        edges: (B + 1,) from 0 to 1. A bin holds its upper edge and not its lower one; the first
            holds 0, too.
        counts: Samples of each bin, (B,).
        confidence: Mean confidence of each bin, (B,); nan where it is empty.
        accuracy: Share of hits of each bin, (B,); nan where it is empty.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def gaps(self) -> np.ndarray:
        """Confidence less accuracy of each bin, (B,): above 0 where the model is too sure."""
        return self.confidence - self.accuracy

    @property
    def expected_error(self) -> float:
        """Expected calibration error: the mean of ``|gaps|`` over the samples (equation 3)."""
        filled = self.counts > 0
        shares = self.counts[filled] / self.counts.sum()
        return float((shares * np.abs(self.gaps[filled])).sum())

    @property
    def greatest_error(self) -> float:
        """Maximum calibration error: the greatest of ``|gaps|`` (equation 5)."""
        return float(np.nanmax(np.abs(self.gaps)))


def reliability(confidence: ArrayLike, hits: ArrayLike, bins: int = BINS) -> Reliability:
    """Sort predictions into bins of equal width.

    Args:
        confidence: Probabilities of the predicted classes, 0 to 1, (N,).
        hits: Whether each prediction is right, (N,).
        bins: Number of bins B.

    Raises:
        ValueError: for shapes or values out of range, or no samples.

    Example:
        >>> found = reliability([0.9, 0.9, 0.9, 0.3], [True, True, False, False], bins=2)
        >>> found.counts.tolist(), round(found.expected_error, 3)
        ([1, 3], 0.25)
    """
    sure, right = np.asarray(confidence, dtype=np.float64), np.asarray(hits)
    if sure.ndim != 1 or sure.shape != right.shape or len(sure) == 0:
        raise ValueError(
            f"confidence and hits have one entry for each sample, found {sure.shape} and "
            f"{right.shape}"
        )
    if bins < 1:
        raise ValueError(f"there should be 1 bin or more, found {bins}")
    # Means of probabilities in float32 may exceed 1 by their rounding.
    if not (sure >= 0).all() or not (sure <= 1 + 1e-5).all():
        raise ValueError(
            f"confidence should be from 0 to 1, found {sure.min():g} to {sure.max():g}"
        )
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, bins - 1)  # (N,)
    counts = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = np.bincount(place, weights=sure, minlength=bins) / counts
        shares = np.bincount(place, weights=right.astype(np.float64), minlength=bins) / counts
    return Reliability(edges, counts, means, shares)


def softmax(logits: ArrayLike) -> np.ndarray:
    """Return probabilities (N, L), float64, of logits (N, L)."""
    table = np.asarray(logits, dtype=np.float64)
    powers = np.exp(table - table.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
