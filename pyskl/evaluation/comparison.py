"""Does one set of predictions differ from another on the same samples?

Shapes: N samples, L classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest

# Of the normal distribution: 95 % lie within so many standard deviations.
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class PairedTest:
    """McNemar's test of two classifiers on the same samples.

    Attributes:
        samples: How many.
        both: Samples that both got right.
        only_a: Samples that only the first got right.
        only_b: Samples that only the second got right.
        p: The probability of a split of those that only one got right as uneven as this, or more
            so, if each were as likely to be the first's as the second's.
    """

    samples: int
    both: int
    only_a: int
    only_b: int
    p: float

    @property
    def accuracy_a(self) -> float:
        """The share that the first got right."""
        return (self.both + self.only_a) / self.samples

    @property
    def accuracy_b(self) -> float:
        """The share that the second got right."""
        return (self.both + self.only_b) / self.samples

    @property
    def difference(self) -> float:
        """The second's share minus the first's."""
        return (self.only_b - self.only_a) / self.samples

    def interval(self) -> tuple[float, float]:
        """Return an interval of the difference that holds the true one in about 95 of 100 cases.

        Agresti and Min, "Simple improved confidence intervals for comparing matched proportions",
        Statistics in Medicine 24, 2005: Wald's interval after half a sample was added to each of
        the four cells.
        """
        n, b, c = self.samples + 2, self.only_a + 0.5, self.only_b + 0.5
        middle = (c - b) / n
        margin = _NORMAL_95 * math.sqrt((b + c) - (c - b) ** 2 / n) / n
        return max(middle - margin, -1.0), min(middle + margin, 1.0)


def mcnemar(hits_a: ArrayLike, hits_b: ArrayLike) -> PairedTest:
    """Test whether two classifiers are right equally often.

    McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12, 1947, in the exact form: a two-sided binomial test of the
    samples that only one of the two got right, whatever their number.

    Args:
        hits_a: Whether the first was right, (N,) bool.
        hits_b: The same of the second, for the same samples.

    Raises:
        ValueError: for different lengths, or no samples.

    Example:
        >>> mcnemar([True] * 8 + [False] * 2, [True] * 2 + [False] * 8).p
        0.03125
    """
    a, b = np.asarray(hits_a, dtype=bool), np.asarray(hits_b, dtype=bool)
    if a.shape != b.shape or a.ndim != 1 or len(a) == 0:
        raise ValueError(f"hits are two vectors of one length, found {a.shape} and {b.shape}")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    decided = only_a + only_b
    p = float(binomtest(only_a, decided).pvalue) if decided else 1.0
    return PairedTest(len(a), int((a & b).sum()), only_a, only_b, p)


def holm(ps: Sequence[float]) -> list[float]:
    """Return p values that were corrected for their number, in the order given.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6, 1979: of m tests the smallest p counts m times, the next m - 1 times, and so on;
    none falls below one before it.

    Example:
        >>> holm([0.03, 0.01, 0.5])
        [0.06, 0.03, 0.5]
    """
    corrected = [0.0] * len(ps)
    least = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        least = max(least, min(1.0, (len(ps) - rank) * ps[index]))
        corrected[index] = least
    return corrected


@dataclass(frozen=True)
class ClassComparison:
    """How two classifiers differ on the samples of one class.

    Attributes:
        label: The class.
        test: Its samples' test.
        corrected: The test's p by Holm's correction over all classes.
    """

    label: int
    test: PairedTest
    corrected: float


def compare_classes(
    hits_a: ArrayLike, hits_b: ArrayLike, labels: ArrayLike
) -> list[ClassComparison]:
    """Test every class that has samples on its own, with Holm's correction for their number.

    Args:
        hits_a: Whether the first was right, (N,) bool.
        hits_b: The same of the second.
        labels: Classes (N,).
    """
    a, b, truth = np.asarray(hits_a), np.asarray(hits_b), np.asarray(labels)
    classes = np.unique(truth)
    tests = [mcnemar(a[truth == label], b[truth == label]) for label in classes]
    corrected = holm([test.p for test in tests])
    return [
        ClassComparison(int(label), test, p) for label, test, p in zip(classes, tests, corrected)
    ]
