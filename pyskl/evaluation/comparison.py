"""Paired tests: do two sets of predictions on the same samples differ by more than chance?

Shapes: N samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest, norm

from pyskl.errors import InputError


@dataclass(frozen=True)
class PairedTest:
    """McNemar's test of two classifiers on the same samples.

    Attributes:
        samples: Number of samples.
        both: Samples that both classified correctly.
        only_a: Samples that only the first classified correctly.
        only_b: Samples that only the second classified correctly.
        p: Probability of a split between ``only_a`` and ``only_b`` at least as uneven as this one
            if both classifiers were equally good.
    """

    samples: int
    both: int
    only_a: int
    only_b: int
    p: float

    @property
    def accuracy_a(self) -> float:
        """Accuracy of the first classifier."""
        return (self.both + self.only_a) / self.samples

    @property
    def accuracy_b(self) -> float:
        """Accuracy of the second classifier."""
        return (self.both + self.only_b) / self.samples

    @property
    def difference(self) -> float:
        """Accuracy of the second minus accuracy of the first."""
        return (self.only_b - self.only_a) / self.samples

    def interval(self) -> tuple[float, float]:
        """Return the 95 % confidence interval of the difference.

        Agresti and Min, "Simple improved confidence intervals for comparing matched proportions",
        Statistics in Medicine 24, 2005: Wald's interval after adding half a sample to each of the
        four cells.
        """
        n, a, b = self.samples + 2, self.only_a + 0.5, self.only_b + 0.5
        middle = (b - a) / n
        margin = float(norm.ppf(0.975)) * math.sqrt((a + b) - (b - a) ** 2 / n) / n
        return max(middle - margin, -1.0), min(middle + margin, 1.0)


def mcnemar(hits_a: ArrayLike, hits_b: ArrayLike) -> PairedTest:
    """Test whether two classifiers are equally accurate.

    McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12, 1947, in its exact form: a two-sided binomial test on the
    samples that only one of the two classified correctly.

    Args:
        hits_a: Whether the first was right, (N,) bool.
        hits_b: Whether the second was right, for the same samples.

    Raises:
        InputError: for different lengths, or no samples.

    Example:
        >>> mcnemar([True] * 8 + [False] * 2, [True] * 2 + [False] * 8).p
        0.03125
    """
    a, b = np.asarray(hits_a, dtype=bool), np.asarray(hits_b, dtype=bool)
    if a.shape != b.shape or a.ndim != 1 or len(a) == 0:
        raise InputError(
            "a paired test needs two vectors of one length", found=f"{a.shape} and {b.shape}"
        )
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    differing = only_a + only_b
    p = float(binomtest(only_a, differing).pvalue) if differing else 1.0
    return PairedTest(len(a), int((a & b).sum()), only_a, only_b, p)


def holm(ps: ArrayLike) -> list[float]:
    """Return p values corrected for the number of tests, in the order given.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6, 1979: of m tests the smallest p counts m times, the next m - 1 times, and so on;
    none falls below the one before it.

    Example:
        >>> holm([0.03, 0.01, 0.5])
        [0.06, 0.03, 0.5]
    """
    values = np.asarray(ps, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * np.arange(len(values), 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return corrected.tolist()


@dataclass(frozen=True)
class ClassComparison:
    """The paired test on the samples of one class.

    Attributes:
        label: The class.
        test: The test on its samples.
        corrected: The p value after Holm's correction over all classes.
    """

    label: int
    test: PairedTest
    corrected: float


def compare_classes(
    hits_a: ArrayLike, hits_b: ArrayLike, labels: ArrayLike
) -> list[ClassComparison]:
    """Test each class that has samples, with Holm's correction over the classes.

    Args:
        hits_a: Whether the first was right, (N,) bool.
        hits_b: Whether the second was right, (N,) bool.
        labels: Classes (N,).
    """
    a, b, labels = np.asarray(hits_a), np.asarray(hits_b), np.asarray(labels)
    classes = np.unique(labels)
    tests = [mcnemar(a[labels == label], b[labels == label]) for label in classes]
    corrected = holm([test.p for test in tests])
    return list(map(ClassComparison, classes.tolist(), tests, corrected))
