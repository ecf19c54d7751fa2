"""Columns give back what was put in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.datasets.packed.columns import ABSENT, NotPackableError, make_column

scalars = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1),
    st.lists(st.booleans(), min_size=1),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1),
    st.lists(st.text(), min_size=1),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), min_size=1),
    st.lists(st.lists(st.integers(0, 60), max_size=4), min_size=1),
    st.lists(st.one_of(st.none(), st.integers(), st.text(), st.booleans()), min_size=1),
)


@given(scalars, st.data())
def test_values_come_back_with_their_types(values: list[Any], data: st.DataObject) -> None:
    gaps = data.draw(st.sets(st.integers(0, len(values) - 1), max_size=len(values) - 1))
    holed = [ABSENT if index in gaps else value for index, value in enumerate(values)]
    column = make_column("key", holed)
    for index, value in enumerate(values):
        assert column.has(index) == (index not in gaps)
        if index not in gaps:
            assert column.get(index) == value
            assert type(column.get(index)) is type(value)


def test_arrays_of_one_shape_stay_arrays() -> None:
    values = [np.full(3, index, np.float32) for index in range(4)]
    column = make_column("body_center", [values[0], ABSENT, *values[2:]])
    assert column.kind == "array"
    assert column.get(2).dtype == np.float32
    np.testing.assert_array_equal(column.get(3), values[3])
    assert not column.has(1)


def test_numbers_of_numpy_become_plain_ones() -> None:
    assert make_column("label", [np.int64(3), 4]).get(0) == 3


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([{1, 2}], id="a set"),
        pytest.param([np.zeros(2), np.zeros(3)], id="arrays of different shapes"),
        pytest.param([np.array([None])], id="objects"),
        pytest.param([float("nan"), "x"], id="NaN among others"),
        pytest.param([{1: "not a text"}], id="a dict that JSON changes"),
        pytest.param([(1, "x")], id="a tuple that JSON makes a list"),
    ],
)
def test_what_has_no_place_is_refused_by_name(values: list[Any]) -> None:
    with pytest.raises(NotPackableError, match="'odd'"):
        make_column("odd", values)
