"""McNemar's test, its interval, and Holm's correction."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.errors import InputError
from pyskl.evaluation.comparison import compare_classes, holm, mcnemar


def hits(both: int, only_a: int, only_b: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Return hits of two classifiers by the four cells of their table."""
    a = [True] * both + [True] * only_a + [False] * only_b + [False] * neither
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return np.array(a), np.array(b)


def by_hand(only_a: int, only_b: int) -> float:
    """Return twice the tail of the binomial distribution, 1 at most."""
    n, least = only_a + only_b, min(only_a, only_b)
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(least + 1)) / 2**n)


@given(*[st.integers(0, 30)] * 3, st.integers(1, 30))
def test_the_exact_test(both: int, only_a: int, only_b: int, neither: int) -> None:
    a, b = hits(both, only_a, only_b, neither)
    test = mcnemar(a, b)
    assert (test.samples, test.both, test.only_a, test.only_b) == (len(a), both, only_a, only_b)
    assert test.p == pytest.approx(by_hand(only_a, only_b))
    assert test.accuracy_a == pytest.approx(a.mean())
    assert test.accuracy_b == pytest.approx(b.mean())
    assert test.difference == pytest.approx(b.mean() - a.mean())
    low, high = test.interval()
    assert -1 <= low <= high <= 1
    mirrored = mcnemar(b, a)
    assert mirrored.p == test.p
    assert mirrored.interval() == pytest.approx((-high, -low))


def test_a_textbook_example() -> None:
    # Agresti, "Categorical data analysis", 2nd edition, table 10.1: 794, 150, 86, 570.
    test = mcnemar(*hits(794, 150, 86, 570))
    assert test.p == pytest.approx(3.7e-5, rel=0.02)
    low, high = test.interval()
    assert (-high, -low) == pytest.approx((0.021, 0.059), abs=1e-3)
    assert abs(test.difference) == pytest.approx(0.04)


def test_the_interval_has_its_nominal_coverage() -> None:
    rng = np.random.default_rng(0)
    cells, held = (0.75, 0.1, 0.05, 0.1), 0
    for _ in range(400):
        low, high = mcnemar(*hits(*rng.multinomial(120, cells))).interval()
        held += low <= cells[2] - cells[1] <= high
    assert 0.92 <= held / 400 <= 0.985


def test_hits_of_other_samples_are_refused() -> None:
    for a, b in (([True], [True, False]), ([], []), ([[True]], [[True]])):
        with pytest.raises(InputError):
            mcnemar(a, b)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm(ps: list[float]) -> None:
    corrected = holm(ps)
    order = sorted(range(len(ps)), key=lambda i: ps[i])
    assert [corrected[i] for i in order] == sorted(corrected)
    assert all(p <= q <= min(1.0, len(ps) * p) for p, q in zip(ps, corrected))
    # As a procedure: the smallest are rejected one after the other until one is too large.
    alpha, rejected = 0.05, set()
    for rank, index in enumerate(order):
        if (len(ps) - rank) * ps[index] > alpha:
            break
        rejected.add(index)
    assert {i for i, q in enumerate(corrected) if q <= alpha} == rejected


def test_every_class_on_its_own() -> None:
    labels = np.repeat([0, 2, 5], [10, 8, 4])
    a, b = np.ones(22, dtype=bool), np.ones(22, dtype=bool)
    a[:9] = False  # of class 0
    b[10:12] = False  # of class 2
    found = compare_classes(a, b, labels)
    assert [one.label for one in found] == [0, 2, 5]
    assert [(one.test.samples, one.test.only_a, one.test.only_b) for one in found] == [
        (10, 0, 9),
        (8, 2, 0),
        (4, 0, 0),
    ]
    assert found[0].test.p == pytest.approx(2 / 2**9)
    assert found[0].corrected == pytest.approx(3 * 2 / 2**9)
    assert [one.corrected for one in found[1:]] == [1, 1]
