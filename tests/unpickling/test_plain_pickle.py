from __future__ import annotations

import builtins
import collections
import functools
import io
import os
import pickle
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.errors import InputError, UntrustedFileError
from pyskl.unpickling.load import load_plain_pickle

PLAIN: dict[str, Any] = {
    "containers": {"list": [1, 2], "tuple": (1, "a", None), "nested": {"a": {"b": [True, 1.5]}}},
    "sets": [{1, 2}, frozenset({"a"}), 1j],
    "bytes": [b"", b"\x00\xff", bytearray(b"ab")],
    "ordered": collections.OrderedDict(a=1),
    "default": collections.defaultdict(list, a=[1]),
    "float16": np.arange(12, dtype=np.float16).reshape(1, 2, 3, 2),
    "float32": np.linspace(0, 1, 7, dtype=np.float32),
    "float64": np.linspace(0, 1, 7),
    "big endian": np.arange(5, dtype=">f4"),
    "fortran": np.asfortranarray(np.arange(6, dtype=np.float16).reshape(2, 3)),
    "not contiguous": np.arange(24, dtype=np.float32).reshape(4, 6)[::2, 1::2],
    "empty array": np.zeros((0, 3), np.float32),
    "no dimensions": np.array(3.5),
    "bool and int arrays": [np.array([True, False]), np.arange(3), np.arange(3, dtype=np.uint8)],
    "string arrays": [np.array(["a", "bcd"]), np.array([b"a", b"bcd"])],
    "object array": np.array(["a", None, 3], dtype=object),
    "scalars": [np.float16(1.5), np.float32(2.5), np.int64(7), np.bool_(True), np.str_("id")],
    "one array twice": [np.arange(3)] * 2,
}


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


def respelt(data: bytes, core: str) -> bytes:
    """Return a pickle as another version of NumPy would have spelt it, for any protocol."""

    def prefixed(found: re.Match[bytes]) -> bytes:
        name = f"numpy.{core}.".encode() + found[2]
        return b"\x8c" + bytes([len(name)]) + name

    data = re.sub(rb"\x8c(.)numpy\._?core\.(multiarray|numeric)", prefixed, data, flags=re.S)
    data = re.sub(rb"cnumpy\._?core\.", f"cnumpy.{core}.".encode(), data)
    if data[2:3] == pickle.FRAME:  # these pickles are of one frame
        data = data[:3] + struct.pack("<Q", len(data) - 11) + data[11:]
    return data


@pytest.mark.parametrize("core", ["core", "_core"])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", PLAIN)
def test_plain_data_comes_back_as_it_was(
    tmp_path: Path, name: str, protocol: int, core: str
) -> None:
    path = tmp_path / "a.pkl"
    data = respelt(pickle.dumps(PLAIN[name], protocol=protocol), core)
    other = "_core" if core == "core" else "core"
    assert f"numpy.{other}.".encode() not in data
    path.write_bytes(data)
    assert same(load_plain_pickle(path), PLAIN[name])


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_loaded_arrays_can_be_written_to(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(np.zeros(3, np.float16), protocol=protocol))
    array = load_plain_pickle(path)
    array += 1
    assert array.tolist() == [1, 1, 1]


def test_an_array_that_occurs_twice_is_one_array(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(PLAIN["one array twice"]))
    first, second = load_plain_pickle(path)
    assert first is second


class Call:
    """Pickles to a call of ``function(*arguments)``, with a state set on what it returns."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self.function, self.arguments, self.state = function, arguments, state

    def __reduce__(self) -> tuple[Any, ...]:
        call = (self.function, self.arguments)
        return call if self.state is None else (*call, self.state)


def touch(path: Path) -> str:
    return f"touch '{path}'"


def object_array_holding(item: Any) -> np.ndarray:
    array = np.empty(1, dtype=object)
    array[0] = item
    return array


def numpy_file_that_runs(sentinel: Path) -> Path:
    path = sentinel.with_name("evil.npy")
    np.save(path, object_array_holding(Call(os.system, touch(sentinel))), allow_pickle=True)
    return path


# What each makes of the sentinel's path, and the name that the message should give.
ATTACKS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "os.system": (lambda s: Call(os.system, touch(s)), r"(posix|nt)\.system"),
    "eval": (lambda s: Call(builtins.eval, f"open({str(s)!r}, 'w')"), r"builtins\.eval"),
    "exec": (lambda s: Call(builtins.exec, f"open({str(s)!r}, 'w')"), r"builtins\.exec"),
    "getattr": (lambda s: Call(getattr, s, "touch"), r"builtins\.getattr"),
    "open": (lambda s: Call(open, str(s), "w"), r"io\.open|_io\.open"),
    "partial": (lambda s: Call(functools.partial, os.system, touch(s)), r"functools\.partial"),
    "numpy.load": (
        lambda s: Call(np.load, numpy_file_that_runs(s).as_posix(), None, True),
        r"numpy\.load|numpy\.lib",
    ),
    "numpy.memmap": (lambda s: Call(np.memmap, str(s), "u1", "w+", 0, 8), r"numpy\.memmap"),
    "torch tensor": (lambda s: torch.zeros(2), r"torch"),
    "torch.load": (lambda s: Call(torch.load, str(s)), r"torch"),
    "path": (lambda s: s, r"pathlib"),
    "in a list": (lambda s: [1, {"a": (Call(os.system, touch(s)),)}], r"\.system"),
    "in a key": (lambda s: {(1, Call(os.system, touch(s))): 1}, r"\.system"),
    "in an array": (lambda s: object_array_holding(Call(os.system, touch(s))), r"\.system"),
    "as factory": (
        lambda s: Call(collections.defaultdict, Call(functools.partial, os.system, touch(s))),
        r"functools\.partial",
    ),
    "as argument": (lambda s: Call(list, Call(map, os.system, [touch(s)])), r"builtins\.map"),
    "as state": (
        lambda s: Call(collections.OrderedDict, state={"x": Call(os.system, touch(s))}),
        r"\.system",
    ),
}


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("name", ATTACKS)
def test_a_pickle_that_runs_something_is_refused_by_name(
    tmp_path: Path, name: str, protocol: int
) -> None:
    sentinel, path = tmp_path / "sentinel", tmp_path / "evil.pkl"
    make, named = ATTACKS[name]
    path.write_bytes(pickle.dumps(make(sentinel), protocol=protocol))
    sentinel.unlink(missing_ok=True)
    with pytest.raises(UntrustedFileError) as caught:
        load_plain_pickle(path)
    assert not sentinel.exists()
    message = str(caught.value)
    assert str(path) in message
    assert "trusted=True" in message
    if protocol >= 3:  # up to 2 the modules have the names of Python 2
        assert re.search(named, message), message


def test_the_attacks_do_run_when_trusted(tmp_path: Path) -> None:
    sentinel, path = tmp_path / "sentinel", tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps(Call(os.system, touch(sentinel))))
    load_plain_pickle(path, trusted=True)
    assert sentinel.exists()


@pytest.mark.parametrize(
    "program",
    [
        b"cos\nsystem\n(S'%s'\ntR.",
        b"(S'%s'\nios\nsystem\n.",
        b"(cos\nsystem\nS'%s'\no.",
        b"\x80\x04\x8c\x05numpy\x8c\x09os.system\x93S'%s'\n\x85R.",
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93S'%s'\n\x85\x81.",
        b"\x80\x02\x82\xf0S'%s'\n\x85R.",
        b"\x80\x02Pos.system\n.",
        b"\x80\x02\x8c\x01aQ.",
    ],
    ids=["GLOBAL", "INST", "OBJ", "dotted", "NEWOBJ", "EXT1", "PERSID", "BINPERSID"],
)
def test_every_way_to_name_a_function_is_refused(
    tmp_path: Path, program: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    import copyreg

    copyreg.add_extension("os", "system", 0xF0)
    sentinel, path = tmp_path / "sentinel", tmp_path / "evil.pkl"
    path.write_bytes(program.replace(b"%s", touch(sentinel).replace("'", "").encode()))
    try:
        with pytest.raises(UntrustedFileError, match=re.escape(str(path))):
            load_plain_pickle(path)
    finally:
        copyreg.remove_extension("os", "system", 0xF0)
    assert not sentinel.exists()


def test_persistent_ids_are_refused(tmp_path: Path) -> None:
    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            return "elsewhere" if obj == "x" else None

    buffer = io.BytesIO()
    Pickler(buffer).dump(["x"])
    path = tmp_path / "a.pkl"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(UntrustedFileError, match=r"outside the file.*elsewhere"):
        load_plain_pickle(path)


def object_dtype_posing_as_bytes() -> Call:
    fields = {"a": (np.dtype("O"), 0)}
    return Call(np.dtype, "V8", False, True, state=(3, "|", None, ("a",), fields, 8, 1, 0))


POINTER = b"A" * 8

# Each makes NumPy take the bytes of POINTER for an object, or hands out memory that holds one; a
# loader that lets one pass crashes as soon as the result is looked at.
FORGERIES: dict[str, Any] = {
    "ndarray(buffer)": lambda: Call(np.ndarray, (1,), np.dtype("O"), POINTER),
    "ndarray.__new__": lambda: Call(np.ndarray.__new__, np.ndarray, (1,), "O", POINTER),
    "fields without flags": object_dtype_posing_as_bytes,
    "fields on a float": lambda: Call(
        np.dtype,
        *("f8", False, True),
        state=(3, "<", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 8, 0),
    ),
    "object dtype without flags": lambda: Call(
        np.dtype, "O8", False, True, state=(3, "|", None, None, None, -1, -1, 0)
    ),
    "flags of objects on a float": lambda: Call(
        np.dtype, "f8", False, True, state=(3, "<", None, None, None, -1, -1, 63)
    ),
    "size not its own": lambda: Call(
        np.dtype, "U2", False, True, state=(3, "<", None, None, None, 1 << 20, 4, 8)
    ),
    "short state": lambda: Call(np.dtype, "f4", False, True, state=(3, "<")),
    "structured": lambda: np.zeros(1, dtype=[("a", "f4"), ("b", "O")]),
    "structured by list": lambda: Call(np.dtype, [("a", "O")]),
    "scalar of objects": lambda: Call(_scalar(), np.dtype("O"), POINTER),
    "memory of objects": lambda: Call(_frombuffer(), np.array([None]), np.dtype("i8"), (1,), "C"),
    "attributes": lambda: Call(collections.OrderedDict, state={"items": 1}),
}


def _scalar() -> Any:
    return np.float32(1).__reduce__()[0]


def _frombuffer() -> Any:
    return np.zeros(1).__reduce_ex__(5)[0]


@pytest.mark.parametrize("name", FORGERIES)
def test_bytes_can_not_pass_for_objects(tmp_path: Path, name: str) -> None:
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps([FORGERIES[name]()]))
    with pytest.raises(UntrustedFileError, match=re.escape(str(path))):
        load_plain_pickle(path)


def test_new_object_opcode_can_not_make_an_array(tmp_path: Path) -> None:
    # numpy.ndarray.__new__(numpy.ndarray, (1,), 'O', POINTER), as protocol 2 spells it
    path = tmp_path / "evil.pkl"
    path.write_bytes(b"\x80\x02cnumpy\nndarray\n(K\x01\x85U\x01OU\x08" + POINTER + b"t\x81.")
    with pytest.raises(ValueError, match=re.escape(str(path))):
        load_plain_pickle(path)


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_cut_short_anywhere_is_an_error_that_names_it(
    tmp_path: Path, protocol: int, trusted: bool
) -> None:
    data = pickle.dumps({"a": [np.arange(3, dtype=np.float16), "id", 1.5]}, protocol=protocol)
    path = tmp_path / "cut.pkl"
    for end in range(len(data)):
        path.write_bytes(data[:end])
        with pytest.raises(ValueError, match=r"cut\.pkl: (not a readable pickle|refused)"):
            load_plain_pickle(path, trusted=trusted)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_file_cut_at_every_kilobyte_is_refused(tmp_path: Path, protocol: int) -> None:
    samples = [{"frame_dir": str(i), "keypoint": np.zeros((1, 20, 25, 3))} for i in range(8)]
    data = pickle.dumps(samples, protocol)
    assert len(data) > 90_000
    path = tmp_path / "cut.pkl"
    for end in [*range(0, len(data), 1024), len(data) - 1]:
        path.write_bytes(data[:end])
        with pytest.raises(InputError, match=r"cut\.pkl: not a readable pickle"):
            load_plain_pickle(path)


@pytest.mark.parametrize(
    "content", [b"", b"frame_dir,label\nS001,3\n", b"PK\x03\x04zip", b"\x89HDF\r\n", b"\x00" * 64]
)
def test_what_is_no_pickle_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.pkl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"other\.pkl"):
        load_plain_pickle(path)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_pickle_loads_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = pickle.dumps({"a": [np.arange(3, dtype=np.float16), {"x"}, "id"], "b": np.float32(1)})
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.pkl"
    path.write_bytes(damaged)
    message = ""
    try:
        load_plain_pickle(path)
    except ValueError as error:  # UntrustedFileError is one
        message = str(error)
    assert not message or str(path) in message


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_plain_pickle(tmp_path / "none.pkl")
