"""Calibration, checked against the literal definitions of the paper."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.errors import InputError
from pyskl.evaluation.calibration import reliability

PREDICTIONS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


@given(PREDICTIONS, st.integers(1, 20))
def test_bins_and_errors_are_those_of_the_paper(
    predictions: list[tuple[float, bool]], bins: int
) -> None:
    confidence, hits = (np.array(part) for part in zip(*predictions))
    found = reliability(confidence, hits, bins)
    gaps, total = [], 0.0
    for m in range(1, bins + 1):
        # "whose prediction confidence falls into the interval ((m - 1) / M, m / M]"; 0 falls into
        # the first.
        low, high = found.edges[m - 1], found.edges[m]
        inside = ((confidence > low) | ((m == 1) & (confidence == 0))) & (confidence <= high)
        assert found.counts[m - 1] == inside.sum()
        if inside.any():
            gap = abs(hits[inside].mean() - confidence[inside].mean())
            gaps.append(gap)
            total += inside.sum() / len(hits) * gap
            assert found.accuracy[m - 1] == pytest.approx(hits[inside].mean())
        else:
            assert np.isnan(found.accuracy[m - 1])
            assert np.isnan(found.confidence[m - 1])
    assert found.expected_error == pytest.approx(total)
    assert found.max_error == pytest.approx(max(gaps))
    # Over all samples the errors of the bins can only cancel out.
    assert abs(confidence.mean() - hits.mean()) <= found.expected_error + 1e-9


def test_a_calibrated_model_and_one_that_is_always_certain() -> None:
    confidence = np.repeat([0.25, 0.75], 4)
    hits = np.array([1, 0, 0, 0, 1, 1, 1, 0], dtype=bool)
    assert reliability(confidence, hits).expected_error == pytest.approx(0)
    assert reliability(np.ones(4), np.zeros(4, dtype=bool)).expected_error == 1
    sure = reliability(np.ones(4), np.array([True, True, True, False]))
    assert sure.expected_error == pytest.approx(0.25)
    assert np.nanmax(sure.gaps) == pytest.approx(0.25)  # above 0: too sure


@pytest.mark.parametrize(
    ("confidence", "hits", "bins", "key"),
    [
        ([], [], 5, "confidence"),
        ([0.5], [True, False], 5, "confidence"),
        ([[0.5]], [[True]], 5, "confidence"),
        ([1.5], [True], 5, "confidence"),
        ([float("nan")], [True], 5, "confidence"),
        ([0.5], [True], 0, "bins"),
    ],
)
def test_invalid_input_is_refused(
    confidence: list[float], hits: list[bool], bins: int, key: str
) -> None:
    with pytest.raises(InputError) as error:
        reliability(confidence, hits, bins)
    assert error.value.key == key
