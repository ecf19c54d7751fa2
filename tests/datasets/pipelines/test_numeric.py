from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.datasets.pipelines.numeric import as_float32, new_float32, round_to_float16

EVERY_FLOAT16 = np.arange(2**16, dtype=np.uint16).view(np.float16)


def same_bits(one: np.ndarray, two: np.ndarray) -> bool:
    """Whether two float32 arrays agree bit for bit, not-a-number aside, which agrees as such."""
    bits = [np.where(np.isnan(a), np.float32(np.nan), a).view(np.uint32) for a in (one, two)]
    return np.array_equal(*bits)


@pytest.mark.parametrize("convert", [as_float32, new_float32])
def test_every_float16_becomes_the_float32_of_numpy(convert: Callable[..., np.ndarray]) -> None:
    assert same_bits(convert(EVERY_FLOAT16), EVERY_FLOAT16.astype(np.float32))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-9, 1e6))
def test_rounding_is_that_of_numpy(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    array = (rng.normal(size=300) * scale).astype(np.float32)
    halves = EVERY_FLOAT16[rng.integers(0, 0x7BFF, 300)].astype(np.float32)
    after = np.nextafter(halves.astype(np.float16), np.float16(np.inf)).astype(np.float32)
    for values in (array, (halves + after) / 2):  # those in the middle go to the even one
        with np.errstate(over="ignore"):
            expected = values.astype(np.float16).astype(np.float32)
        assert same_bits(round_to_float16(values), expected)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f2", ">f4"])
@pytest.mark.parametrize("view", ["whole", "reversed", "transposed", "read-only", "part"])
@pytest.mark.parametrize("convert", [as_float32, new_float32])
def test_any_memory_is_read(convert: Callable[..., np.ndarray], dtype: str, view: str) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    if view == "reversed":
        array = array[:, ::-1]
    elif view == "transposed":
        array = array.swapaxes(0, 1)
    elif view == "part":
        array = array[..., :2]
    elif view == "read-only":
        array.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        given_ = convert(array)
    assert given_.dtype == np.float32
    np.testing.assert_array_equal(given_, array)
    if convert is new_float32:
        assert given_.flags.writeable
        assert given_.flags.c_contiguous
        assert not np.may_share_memory(given_, array)


def test_float32_stays_itself_unless_asked_for_as_new() -> None:
    array = np.zeros(3, np.float32)
    assert as_float32(array) is array
