"""The pickle machine: what plain data are, and where its bounds lie."""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.errors import UntrustedFileError
from pyskl.unpickling import limits as machine
from pyskl.unpickling.allowed_names import NUMPY_NAMES, PYTHON_NAMES
from pyskl.unpickling.safe_unpickler import SafeUnpickler, short_repr


def load(data: bytes, **options: Any) -> Any:
    return SafeUnpickler(
        io.BytesIO(data), {**PYTHON_NAMES, **NUMPY_NAMES}, len(data), **options
    ).load()


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats(allow_nan=False)
    | st.text(max_size=20) | st.binary(max_size=20) | st.complex_numbers(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4)
    | st.lists(inner, max_size=4).map(tuple)
    | st.dictionaries(st.text(max_size=5) | st.integers() | st.tuples(st.text(max_size=3)), inner)
    | st.sets(st.text(max_size=4) | st.floats(allow_nan=False), max_size=4)
    | st.frozensets(st.integers(0, 99), max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(value=plain, protocol=st.integers(0, 5), optimized=st.booleans())
def test_plain_data_come_back(value: Any, protocol: int, optimized: bool) -> None:
    data = pickle.dumps(value, protocol)
    found = load(pickletools.optimize(data) if optimized else data)
    assert found == value
    assert type(found) is type(value)


@given(
    protocol=st.integers(0, 5),
    shape=st.lists(st.integers(0, 3), max_size=4),
    dtype=st.sampled_from(["?", "i1", "<u2", ">i4", "<f2", ">f8", "c16", "U3", "S2", "O"]),
    order=st.sampled_from("CF"),
)
def test_arrays_come_back(protocol: int, shape: list[int], dtype: str, order: Any) -> None:
    array = np.zeros(shape, dtype, order=order)
    if dtype != "O":
        array[...] = np.arange(array.size).reshape(shape).astype(dtype)
    found = load(pickle.dumps([array, array], protocol))
    np.testing.assert_array_equal(found[0], array)
    assert found[0].dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
    assert found[0] is found[1]


@pytest.mark.parametrize("protocol", range(6))
def test_a_transposed_array_comes_back(protocol: int) -> None:
    array = np.arange(24.0).reshape(2, 3, 4).transpose(1, 2, 0)
    np.testing.assert_array_equal(load(pickle.dumps(array, protocol)), array)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_the_depth_that_is_allowed() -> None:
    assert load(pickle.dumps(nested(machine.MAX_DEPTH))) == nested(machine.MAX_DEPTH)
    with pytest.raises(UntrustedFileError, match="nests containers more than 64 deep"):
        load(pickle.dumps(nested(machine.MAX_DEPTH + 1)))


def test_what_is_shared_may_be_shared_and_not_changed() -> None:
    part = [1, 2]
    first, second = load(pickle.dumps([part, part, {"a": part}]))[:2]
    assert first is second
    changed = b"\x80\x04]q\x00]q\x01h\x00a0h\x00h\x01a."  # the inner list grows while inside
    with pytest.raises(UntrustedFileError, match="part of another"):
        load(changed)


def test_cycles_are_refused() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(UntrustedFileError, match="into itself"):
        load(pickle.dumps(cycle))
    inner: dict[str, Any] = {}
    inner["x"] = [inner]
    with pytest.raises(UntrustedFileError, match="part of another"):
        load(pickle.dumps(inner))


def test_many_plain_keys_and_few_odd_ones() -> None:
    many = dict.fromkeys(range(20_000))
    assert load(pickle.dumps(many)) == many
    few = dict.fromkeys((i, "a") for i in range(machine.MAX_COMPLEX_KEYS))
    assert load(pickle.dumps(few)) == few
    with pytest.raises(UntrustedFileError, match="4096 keys that are neither"):
        load(pickle.dumps({**few, "b": {(1, 2): 3}}))


def test_the_budget_grows_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "MEMORY_CONSTANT", 0)
    samples = [{"id": f"clip{i}", "x": np.zeros((2, 25, 3), "f4")} for i in range(200)]
    assert len(load(pickle.dumps(samples))) == 200
    with pytest.raises(UntrustedFileError, match="more memory than plain data"):
        load(b"\x80\x04(" + b"\x8f" * 5000 + b"t.")


def test_messages_are_short() -> None:
    for value in ("x" * 10**6, [[[[[[[[1]]]]]]]], list(range(10**5)), b"x" * 10**6):
        assert len(short_repr(value)) < 200
    assert short_repr((1, None, np.zeros(10**6))) == "(1, None, <ndarray>)"


def test_several_pickles_follow_each_other() -> None:
    data = pickle.dumps(1) + pickle.dumps([2]) + b"rest"
    file = io.BytesIO(data)
    unpickler = SafeUnpickler(file, PYTHON_NAMES, len(data))
    assert [unpickler.load(), unpickler.load(), file.read()] == [1, [2], b"rest"]
