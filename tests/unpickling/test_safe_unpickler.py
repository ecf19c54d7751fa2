"""Plain data come back as they were; the limits lie where they should.

What is refused is tested with the corpus of hostile files: see tests/fuzz.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import struct
from collections import Counter, OrderedDict, defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.errors import UntrustedFileError
from pyskl.unpickling import limits, safe_unpickler
from pyskl.unpickling.allowed_names import NUMPY_NAMES, PYTHON_NAMES
from pyskl.unpickling.safe_unpickler import SafeUnpickler, short_repr


def load(data: bytes, **options: Any) -> Any:
    names = {**PYTHON_NAMES, **NUMPY_NAMES}
    return SafeUnpickler(io.BytesIO(data), names, len(data), **options).load()


def same(left: Any, right: Any) -> bool:
    """Whether two values agree in type, structure, dtype and content."""
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ndarray):
        return (
            left.dtype.newbyteorder("=") == right.dtype.newbyteorder("=")
            and left.shape == right.shape
            and bool((left == right).all())
        )
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


# --- what comes back ------------------------------------------------------------------------------

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


@settings(max_examples=100)
@given(value=plain, protocol=st.integers(0, 5), optimized=st.booleans())
def test_plain_data_come_back(value: Any, protocol: int, optimized: bool) -> None:
    data = pickle.dumps(value, protocol)
    assert same(load(pickletools.optimize(data) if optimized else data), value)


EXAMPLES: dict[str, Any] = {
    "containers": [OrderedDict(a=1), defaultdict(list, a=[1]), Counter("aab"), bytearray(b"ab")],
    "float16": np.arange(12, dtype=np.float16).reshape(1, 2, 3, 2),
    "big endian": np.arange(5, dtype=">f4"),
    "fortran": np.asfortranarray(np.arange(6, dtype=np.float16).reshape(2, 3)),
    "transposed": np.arange(24.0).reshape(2, 3, 4).transpose(1, 2, 0),
    "not contiguous": np.arange(24, dtype=np.float32).reshape(4, 6)[::2, 1::2],
    "empty": np.zeros((0, 3), np.float32),
    "no dimensions": np.array(3.5),
    "other arrays": [np.array([True]), np.arange(3), np.array(["a", "bcd"]), np.array([b"a"])],
    "objects": np.array(["a", None, 3], dtype=object),
    "scalars": [np.float16(1.5), np.float32(2.5), np.int64(7), np.bool_(True), np.str_("id")],
}  # fmt: skip


def respelt(data: bytes, core: str) -> bytes:
    """Return a pickle as NumPy 1 (``core``) or 2 (``_core``) would have written it."""

    def prefixed(found: re.Match[bytes]) -> bytes:
        name = f"numpy.{core}.".encode() + found[2]
        return b"\x8c" + bytes([len(name)]) + name

    data = re.sub(rb"\x8c(.)numpy\._?core\.(multiarray|numeric)", prefixed, data, flags=re.S)
    data = re.sub(rb"cnumpy\._?core\.", f"cnumpy.{core}.".encode(), data)
    if data[2:3] == pickle.FRAME:  # these pickles have one frame
        data = data[:3] + struct.pack("<Q", len(data) - 11) + data[11:]
    return data


@pytest.mark.parametrize("core", ["core", "_core"])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", EXAMPLES)
def test_arrays_come_back(name: str, protocol: int, core: str) -> None:
    data = respelt(pickle.dumps(EXAMPLES[name], protocol=protocol), core)
    assert same(load(data), EXAMPLES[name])


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_shared_arrays_are_shared_and_can_be_written_to(protocol: int) -> None:
    first, second = load(pickle.dumps([np.zeros(3, np.float16)] * 2, protocol=protocol))
    first += 1
    assert first is second
    assert second.tolist() == [1, 1, 1]


def test_several_pickles_follow_each_other() -> None:
    data = pickle.dumps(1) + pickle.dumps([2]) + b"rest"
    file = io.BytesIO(data)
    unpickler = SafeUnpickler(file, PYTHON_NAMES, len(data))
    assert [unpickler.load(), unpickler.load(), file.read()] == [1, [2], b"rest"]


def test_every_operation_of_pickles_is_known() -> None:
    codes = {opcode.code.encode("latin-1") for opcode in pickletools.opcodes}
    assert codes == set(safe_unpickler._OPERATIONS)


# --- limits ---------------------------------------------------------------------------------------


def test_the_allowed_depth() -> None:
    value: list[Any] = []
    for _ in range(limits.MAX_DEPTH - 1):
        value = [value]
    assert load(pickle.dumps(value)) == value
    with pytest.raises(UntrustedFileError, match="64 deep"):
        load(pickle.dumps([value]))


def test_parts_may_be_shared_but_not_changed() -> None:
    part = [1, 2]
    first, second, _ = load(pickle.dumps([part, part, {"a": part}]))
    assert first is second
    with pytest.raises(UntrustedFileError, match="part of another"):
        load(b"\x80\x04]q\x00]q\x01h\x00a0h\x00h\x01a.")  # the inner list grows while inside
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(UntrustedFileError, match="into itself"):
        load(pickle.dumps(cycle))


def test_many_plain_keys_and_few_complex_ones() -> None:
    many = dict.fromkeys(range(20_000))
    assert load(pickle.dumps(many)) == many
    few = dict.fromkeys((i, "a") for i in range(limits.MAX_COMPLEX_KEYS))
    assert load(pickle.dumps(few)) == few
    with pytest.raises(UntrustedFileError, match="4096 keys that are neither"):
        load(pickle.dumps({**few, "b": {(1, 2): 3}}))


def test_the_memory_budget_grows_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MEMORY_CONSTANT", 0)
    samples = [{"id": f"clip{i}", "x": np.zeros((2, 25, 3), "f4")} for i in range(200)]
    assert len(load(pickle.dumps(samples))) == 200
    with pytest.raises(UntrustedFileError, match="more memory than plain data"):
        load(b"\x80\x04(" + b"\x8f" * 5000 + b"t.")


def test_values_in_messages_are_short() -> None:
    for value in ("x" * 10**6, [[[[[[[[1]]]]]]]], list(range(10**5)), b"x" * 10**6):
        assert len(short_repr(value)) < 200
    assert short_repr((1, None, np.zeros(10**6))) == "(1, None, <ndarray>)"
