"""Calibration: how well a recognizer's confidence matches its accuracy.

After Guo et al., "On Calibration of Modern Neural Networks", ICML 2017: predictions are sorted into
bins of equal width by their confidence, the probability of the predicted class. In a calibrated
model the accuracy of each bin equals its mean confidence.

Shapes: N samples, B bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pyskl.errors import InputError

BINS = 15
"""The number of bins in the paper's tables."""


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram.

    Attributes:
        edges: (B + 1,) from 0 to 1. A bin includes its upper edge but not its lower one; the first
            bin also includes 0.
        counts: Samples in each bin, (B,).
        confidence: Mean confidence in each bin, (B,); NaN if it is empty.
        accuracy: Share of correct predictions in each bin, (B,); NaN if it is empty.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def gaps(self) -> np.ndarray:
        """Confidence minus accuracy of each bin, (B,): above 0 if the model is overconfident."""
        return self.confidence - self.accuracy

    @property
    def expected_error(self) -> float:
        """Expected calibration error: the mean over samples of ``|gaps|`` (equation 3)."""
        return float(np.nansum(self.counts * np.abs(self.gaps)) / self.counts.sum())

    @property
    def max_error(self) -> float:
        """Maximum calibration error: the largest ``|gaps|`` (equation 5)."""
        return float(np.nanmax(np.abs(self.gaps)))


def reliability(confidence: ArrayLike, hits: ArrayLike, bins: int = BINS) -> Reliability:
    """Sort predictions into bins of equal width.

    Args:
        confidence: Probabilities of the predicted classes, 0 to 1, (N,).
        hits: Whether each prediction is correct, (N,).
        bins: Number of bins B.

    Raises:
        InputError: for wrong shapes, values out of range, or no samples.

    Example:
        >>> found = reliability([0.9, 0.9, 0.9, 0.3], [True, True, False, False], bins=2)
        >>> found.counts.tolist(), round(found.expected_error, 3)
        ([1, 3], 0.25)
    """
    confidence, hits = np.asarray(confidence, dtype=np.float64), np.asarray(hits)
    if confidence.ndim != 1 or confidence.shape != hits.shape or len(confidence) == 0:
        raise InputError(
            "confidence and hits need one entry per sample",
            key="confidence",
            found=f"shapes {confidence.shape} and {hits.shape}",
        )
    if bins < 1:
        raise InputError("too few bins", key="bins", found=bins, expected="1 or more")
    # The mean of float32 probabilities may exceed 1 by a rounding error.
    if not ((confidence >= 0) & (confidence <= 1 + 1e-5)).all():
        raise InputError("confidence is out of range", key="confidence", expected="0 to 1")
    edges = np.linspace(0, 1, bins + 1)
    index = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)  # (N,)
    counts = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):  # empty bins become NaN
        means = np.bincount(index, weights=confidence, minlength=bins) / counts
        accuracy = np.bincount(index, weights=hits.astype(np.float64), minlength=bins) / counts
    return Reliability(edges, counts, means, accuracy)
