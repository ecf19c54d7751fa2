"""Coordinates as int16 in base64: how far off they may be."""

from __future__ import annotations

import base64

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pyskl.drawing.skeleton.codec import decoded, encoded, quantised, shares

points = arrays(
    np.float64, st.tuples(st.integers(1, 9), st.integers(1, 3)), elements=st.floats(-1e4, 1e4)
)


@given(points)
@example(np.array([[5e-324]]))
def test_errors_are_at_most_half_a_step(values: np.ndarray) -> None:
    text, step = quantised(values)
    assert len(base64.b64decode(text)) == 2 * values.size
    error = np.abs(decoded(text, step) - values.ravel())
    assert error.max() <= step / 2 * (1 + 1e-9)
    greatest = np.abs(values).max()
    assert greatest <= 1e-300 or step <= greatest / 32767 * (1 + 1e-9)


@given(points, st.data())
def test_what_is_missing_stays_missing(values: np.ndarray, data: st.DataObject) -> None:
    missing = data.draw(arrays(np.bool_, values.shape))
    text, step = quantised(np.where(missing, np.nan, values))
    assert np.array_equal(np.isnan(decoded(text, step)), missing.ravel())


def test_what_is_out_of_reach_is_clipped() -> None:
    assert decoded(encoded(np.array([1e9, -1e9, 0.0]), 1.0), 1.0).tolist() == [32767, -32767, 0]


def test_shares_are_bytes() -> None:
    found = base64.b64decode(shares(np.array([-1, 0, 0.5, 1, 7, np.nan])))
    assert list(found) == [0, 0, 128, 255, 255, 0]
