"""The store hands out the samples that were packed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.datasets.packed import PackedSamples, PackedStore
from pyskl.datasets.packed.columns import NotPackableError

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
    store = PackedStore.from_samples(samples)
    assert len(store) == len(samples)
    for index, sample in enumerate(samples):
        assert_same(store.sample(index), sample)
        # The documented place of a row.
        m, t = sizes[index][0] - 1, sizes[index][1] - 1
        row = store.starts[index] + m * store.frames[index] + t
        np.testing.assert_array_equal(store.rows["keypoint"][row], sample["keypoint"][m, t])


def test_samples_are_read_only(make_sample: Callable[..., Sample]) -> None:
    store = PackedStore.from_samples([make_sample(0)])
    with pytest.raises(ValueError, match="read-only"):
        store.sample(0)["keypoint"][:] = 0


def test_chosen_samples(make_sample: Callable[..., Sample]) -> None:
    samples = [make_sample(i, label=i, frame_dir=f"s{i}", frames=4 + i) for i in range(6)]
    del samples[3]["frame_dir"]
    chosen = PackedSamples(PackedStore.from_samples(samples), np.array([4, 3, 1]))
    assert chosen.values("label") == [4, 3, 1]
    assert chosen.values("frame_dir") == ["s4", None, "s1"]
    assert chosen.values("nothing") == [None, None, None]
    assert [sample["label"] for sample in chosen] == [4, 3, 1]
    assert_same(chosen[-1], samples[1])
    assert [sample["label"] for sample in chosen[1:]] == [3, 1]


def _other(make_sample: Callable[..., Sample], **changes: Any) -> list[Sample]:
    return [make_sample(0), make_sample(1, **changes)]


@pytest.mark.parametrize(
    "changes", [{"joints": 17}, {"dtype": "float32"}, {"dims": 2, "joints": 25}]
)
def test_unlike_samples_are_refused(
    make_sample: Callable[..., Sample], changes: dict[str, Any]
) -> None:
    with pytest.raises(NotPackableError, match="differ"):
        PackedStore.from_samples(_other(make_sample, **changes))


def test_scores_in_some_samples_only_are_refused(make_sample: Callable[..., Sample]) -> None:
    samples = [make_sample(i, dims=2, joints=17) for i in range(2)]
    del samples[1]["keypoint_score"]
    with pytest.raises(NotPackableError, match="differ"):
        PackedStore.from_samples(samples)


def test_rows_that_are_missing_are_noticed() -> None:
    with pytest.raises(ValueError, match="need 6 rows"):
        PackedStore({"keypoint": np.zeros((5, 2, 3))}, np.array([2]), np.array([3]), {})
