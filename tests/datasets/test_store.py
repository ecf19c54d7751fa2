"""The store hands out the samples that were packed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.datasets.store import RowStore, Samples

Sample = dict[str, Any]


def assert_same(found: Sample, expected: Sample) -> None:
    """Compare samples by keys, types, values and bits."""
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        if isinstance(value, np.ndarray):
            assert found[key].dtype == value.dtype
            np.testing.assert_array_equal(found[key], value)
        else:
            assert found[key] == value
            assert type(found[key]) is type(value)


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9)), min_size=1, max_size=6),
    st.sampled_from([2, 3]),
    st.sampled_from(["float16", "float32", "float64"]),
)
def test_samples_come_back(
    make_sample: Callable[..., Sample], sizes: list[tuple[int, int]], dims: int, dtype: str
) -> None:
    samples = [
        make_sample(seed, persons=m, frames=t, joints=5, dims=dims, dtype=dtype, label=seed)
        for seed, (m, t) in enumerate(sizes)
    ]
    store = RowStore.from_samples(samples)
    assert len(store) == len(samples)
    for index, sample in enumerate(samples):
        assert_same(store.sample(index), sample)
        # The documented place of a row.
        m, t = sizes[index][0] - 1, sizes[index][1] - 1
        row = store.axis.starts[index] + m * store.axis.frames[index] + t
        np.testing.assert_array_equal(store.rows["keypoint"][row], sample["keypoint"][m, t])


def test_chosen_samples(make_sample: Callable[..., Sample]) -> None:
    samples = [make_sample(i, label=i, frame_dir=f"s{i}", frames=4 + i) for i in range(6)]
    del samples[3]["frame_dir"]
    chosen = Samples(RowStore.from_samples(samples), np.array([4, 3, 1]))
    assert chosen.values("label") == [4, 3, 1]
    assert chosen.values("frame_dir") == ["s4", None, "s1"]
    assert chosen.values("nothing") == [None, None, None]
    assert [sample["label"] for sample in chosen] == [4, 3, 1]
    assert_same(chosen[-1], samples[1])
    assert [sample["label"] for sample in chosen[1:]] == [3, 1]


def test_rows_that_are_missing_are_noticed() -> None:
    with pytest.raises(ValueError, match="6 rows"):
        RowStore({"keypoint": np.zeros((5, 2, 3))}, np.array([2]), np.array([3]), {})
