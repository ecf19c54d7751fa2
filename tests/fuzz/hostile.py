"""A corpus of files that try to harm the program that loads them.

Each entry is a function of a path, the canary. A file that manages to run something creates the
canary, so it must not exist after the file was loaded.
"""

from __future__ import annotations

import builtins
import collections
import functools
import io
import os
import pickle
import struct
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

Make = Callable[[Path], bytes]


class Call:
    """Pickles to a call of ``function(*arguments)``, with a state set on what it returns."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self.function, self.arguments, self.state = function, arguments, state

    def __reduce__(self) -> tuple[Any, ...]:
        call = (self.function, self.arguments)
        return call if self.state is None else (*call, self.state)


def _touch(canary: Path) -> str:
    return f"touch '{canary}'"


def _opened(canary: Path) -> str:
    return f"open({str(canary)!r}, 'w')"


def _objects(*items: Any) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def _numpy_file(canary: Path) -> str:
    path = canary.with_name("evil.npy")
    np.save(path, _objects(Call(os.system, _touch(canary))), allow_pickle=True)
    return str(path)


# --- what would run -------------------------------------------------------------------------------

_RUNS: dict[str, Callable[[Path], Any]] = {
    "os.system": lambda c: Call(os.system, _touch(c)),
    "eval": lambda c: Call(builtins.eval, _opened(c)),
    "exec": lambda c: Call(builtins.exec, _opened(c)),
    "compile": lambda c: Call(builtins.compile, _opened(c), "x", "exec"),
    "import": lambda c: Call(builtins.__import__, "antigravity"),
    "getattr": lambda c: Call(getattr, c, "touch"),
    "open": lambda c: Call(open, str(c), "w"),
    "subprocess": lambda c: Call(subprocess.Popen, ["touch", str(c)]),
    "check_output": lambda c: Call(subprocess.check_output, ["touch", str(c)]),
    "partial": lambda c: Call(functools.partial, os.system, _touch(c)),
    "map": lambda c: Call(list, Call(map, os.system, [_touch(c)])),
    "mkdir": lambda c: Call(os.mkdir, str(c)),
    "numpy.load": lambda c: Call(np.load, _numpy_file(c), None, True),
    "numpy.memmap": lambda c: Call(np.memmap, str(c), "u1", "w+", 0, 8),
    "numpy.save": lambda c: Call(np.save, str(c.with_suffix("")), [1]),
    "torch.load": lambda c: Call(torch.load, str(c)),
    "torch.save": lambda c: Call(torch.save, [1], str(c)),
    "torch.hub": lambda c: Call(torch.hub.load, "a/b", "c"),
    "torch.jit": lambda c: Call(torch.jit.load, str(c)),
    "UntypedStorage file": lambda c: Call(torch.UntypedStorage.from_file, str(c), True, 8),
    "module": lambda c: torch.nn.Linear(1, 1),
    "path": lambda c: c,
    "in a list": lambda c: [1, {"a": (Call(os.system, _touch(c)),)}],
    "in a key": lambda c: {(1, Call(os.system, _touch(c))): 1},
    "in an array": lambda c: _objects(Call(os.system, _touch(c))),
    "as factory": lambda c: Call(collections.defaultdict, Call(functools.partial, print)),
    "as state": lambda c: Call(collections.OrderedDict, state={"x": Call(os.system, _touch(c))}),
    "nested reducers": lambda c: Call(
        list, Call(map, Call(getattr, Call(builtins.__import__, "os"), "system"), [_touch(c)])
    ),
}

# --- bytes that pass for objects ---------------------------------------------------------------

_POINTER = b"A" * 8


def _dtype(code: str, *state: Any) -> Call:
    return Call(np.dtype, code, False, True, state=state or None)


_FORGES: dict[str, Callable[[Path], Any]] = {
    "ndarray(buffer)": lambda c: Call(np.ndarray, (1,), np.dtype("O"), _POINTER),
    "ndarray.__new__": lambda c: Call(np.ndarray.__new__, np.ndarray, (1,), "O", _POINTER),
    "fields without flags": lambda c: _dtype(
        "V8", 3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 0
    ),
    "fields on a float": lambda c: _dtype(
        "f8", 3, "<", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 8, 0
    ),
    "object dtype without flags": lambda c: _dtype("O8", 3, "|", None, None, None, -1, -1, 0),
    "flags of objects on a float": lambda c: _dtype("f8", 3, "<", None, None, None, -1, -1, 63),
    "size not its own": lambda c: _dtype("U2", 3, "<", None, None, None, 1 << 20, 4, 8),
    "huge alignment": lambda c: _dtype("f8", 3, "<", None, None, None, -1, 1 << 30, 0),
    "structured": lambda c: np.zeros(1, dtype=[("a", "f4"), ("b", "O")]),
    "structured by text": lambda c: _dtype("f4,O"),
    "subarray by text": lambda c: _dtype("(1000000000,1000000000)f4"),
    "many fields by text": lambda c: _dtype(",".join(["f4"] * 100_000)),
    "datetime": lambda c: _dtype("M8[ns]"),
    "void": lambda c: _dtype("V1000000000"),
    "scalar of objects": lambda c: Call(_SCALAR, np.dtype("O"), _POINTER),
    "scalar too short": lambda c: Call(_SCALAR, np.dtype("f8"), b"x"),
    "scalar of a huge text": lambda c: Call(_SCALAR, np.dtype("U500000000"), b"x"),
    "memory of objects": lambda c: Call(_FROMBUFFER, np.array([None]), np.dtype("i8"), (1,), "C"),
    "memory as objects": lambda c: Call(_FROMBUFFER, _POINTER, np.dtype("O"), (1,), "C"),
    "memory too short": lambda c: Call(_FROMBUFFER, b"1234", np.dtype("f4"), (1 << 40,), "C"),
    "memory of negative size": lambda c: Call(_FROMBUFFER, b"1234", np.dtype("f4"), (-1, -1), "C"),
    **{
        f"array state {name}": lambda c, state=state: Call(
            _RECONSTRUCT, np.ndarray, (0,), b"b", state=state
        )
        for name, state in {
            "negative": (1, (-2, -3), np.dtype("f4"), False, b"\0" * 24),
            "huge shape": (1, (1 << 40, 1 << 40), np.dtype("f4"), False, b"\0" * 4),
            "overflow": (1, (1 << 32, 1 << 32), np.dtype("f4"), False, b""),
            "too short": (1, (1000,), np.dtype("f4"), False, b"\0" * 4),
            "too long": (1, (1,), np.dtype("f4"), False, b"\0" * 4000),
            "no size": (1, (1 << 40,), np.dtype("S0"), False, b""),
            "bytes for objects": (1, (1,), np.dtype("O"), False, _POINTER),
            "objects for bytes": (1, (1,), np.dtype("f8"), False, [1.0]),
            "wrong count": (1, (3,), np.dtype("O"), False, [1]),
            "dimensions": (1, (1,) * 200, np.dtype("f4"), False, b"\0" * 4),
            "text shape": (1, "ab", np.dtype("f4"), False, b"\0" * 4),
            "no tuple": [1, 2],
            "short": (1, (1,)),
        }.items()
    },
}
_SCALAR = np.float32(1).__reduce__()[0]
_FROMBUFFER = np.zeros(1).__reduce_ex__(5)[0]
_RECONSTRUCT = np.zeros(1).__reduce__()[0]

# --- programs of the pickle machine ---------------------------------------------------------------


def _name(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _text(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text.encode())) + text.encode()


def _program(*parts: bytes) -> Make:
    return lambda canary: b"\x80\x04" + b"".join(parts) + b"."


def _deep(depth: int, opening: bytes, closing: bytes) -> Make:
    return _program(opening * depth, b"N", closing * depth)


_DEFAULTDICT = _name("collections", "defaultdict") + _name("builtins", "list") + b"\x85"
_FIRST = _name("numpy.core.multiarray", "_reconstruct") + b"q\x00" + _name("numpy", "ndarray")
_EMPTY_ARRAY = _FIRST + b"K\x00\x85C\x01b\x87R"
_OBJECT_DTYPE = _name("numpy", "dtype") + b"U\x02O8\x89\x88\x87R"
_NEST_ARRAY = b"h\x01" + b"h\x02R(K\x01K\x01\x85h\x03\x89]"  # an array, and the start of its state


def _colliding_tuples(count: int) -> Make:
    """Make tuples of one hash: what CPython adds for the first item is undone by the second."""
    prime1, prime2, prime5 = 11400714785074694791, 14029467366897019727, 2870177450012600261
    mask, inverse1 = (1 << 64) - 1, pow(11400714785074694791, -1, 1 << 64)
    inverse2 = pow(prime2, -1, 1 << 64)

    def rotate(value: int, by: int) -> int:
        return ((value << by) | (value >> (64 - by))) & mask

    def solve(first: int, want: int) -> int | None:
        accumulated = rotate((prime5 + first * prime2) & mask, 31) * prime1 & mask
        # want = rotate(accumulated + second * prime2, 31) * prime1
        before = rotate(want * inverse1 & mask, 33)
        second = (before - accumulated) * inverse2 & mask
        return second if second < (1 << 61) - 1 else None

    pairs: list[tuple[int, int]] = []
    first = 0
    while len(pairs) < count:
        first += 1
        second = solve(first, 12345)
        if second is not None:
            pairs.append((first, second))
    assert len({hash(pair) for pair in pairs[:100]}) == 1
    return lambda canary: pickle.dumps(dict.fromkeys(pairs), protocol=4)


def _huge(opcode: bytes, form: str, value: int) -> Make:
    return lambda canary: b"\x80\x04" + opcode + struct.pack(form, value) + b"abc."


_PROGRAMS: dict[str, Make] = {
    "GLOBAL": lambda c: b"cos\nsystem\n(S'touch " + bytes(c) + b"'\ntR.",
    "INST": lambda c: b"(S'touch " + bytes(c) + b"'\nios\nsystem\n.",
    "OBJ": lambda c: b"(cos\nsystem\nS'touch " + bytes(c) + b"'\no.",
    "NEWOBJ": lambda c: (
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93" + _text(_touch(c)) + b"\x85\x81."
    ),
    "NEWOBJ_EX": lambda c: b"\x80\x04" + _name("builtins", "eval") + b"\x85}\x92.",
    "dotted": lambda c: (
        b"\x80\x04\x8c\x05numpy\x8c\x09os.system\x93" + _text(_touch(c)) + b"\x85R."
    ),
    "no module": _program(_name("", "")),
    "name of a megabyte": _program(_name("a" * (1 << 20), "b")),
    "name by numbers": _program(b"K\x01K\x02\x93"),
    "EXT1": _program(b"\x82\xf0"),
    "EXT4": _program(b"\x84\xff\xff\xff\x7f"),
    "PERSID": lambda c: b"Pos.system\n.",
    "BINPERSID": _program(_text("a"), b"Q"),
    "BINPERSID deep": _program(b"N", b"\x85" * 60, b"Q"),
    "BINPERSID wide": _program(b"N", b"2\x86" * 50, b"Q"),
    "BINPERSID integer": _program(b"\x8b" + struct.pack("<i", 60) + b"\x7f" * 60, b"Q"),
    "NEXT_BUFFER": _program(b"\x97"),
    "READONLY_BUFFER": _program(b"N\x98"),
    # names that are admitted, with arguments that are not
    "bytes(10**12)": _program(_name("builtins", "bytes"), b"L1000000000000L\n\x85R"),
    "bytearray(10**12)": _program(_name("builtins", "bytearray"), b"L1000000000000L\n\x85R"),
    "bytes(list)": _program(_name("builtins", "bytes"), b"]\x85R"),
    "int(text)": _program(_name("builtins", "int"), _text("9" * 10000), b"\x85R"),
    "list(text)": _program(_name("builtins", "list"), _text("9" * 10000), b"\x85R"),
    "str(bytes)": _program(_name("builtins", "str"), b"C\x01a\x85R"),
    "set(text)": _program(_name("builtins", "set"), _text("abc"), b"\x85R"),
    "set(deep)": _program(_name("builtins", "set"), b"]", b"N" + b"\x85" * 50, b"a\x85R"),
    "frozenset(set)": _program(_name("builtins", "frozenset"), b"\x8f\x85R"),
    "complex(text)": _program(_name("builtins", "complex"), _text("1+2j"), b"\x85R"),
    "encode other": _program(_name("_codecs", "encode"), _text("a"), _text("idna"), b"\x86R"),
    "encode hex": _program(_name("_codecs", "encode"), _text("a"), _text("hex"), b"\x86R"),
    "defaultdict(dict)": _program(_name("collections", "defaultdict"), b"}\x85R"),
    "defaultdict(name)": _program(
        _name("collections", "defaultdict"), _name("_codecs", "encode"), b"\x85R"
    ),
    "OrderedDict(text)": _program(_name("collections", "OrderedDict"), _text("ab"), b"\x85R"),
    "OrderedDict(odd)": _program(_name("collections", "OrderedDict"), b"]K\x01\x85a\x85R"),
    "Counter(text)": _program(_name("collections", "Counter"), _text("a" * 9999), b"\x85R"),
    "call of a value": _program(b"]", b")R"),
    "call of a dtype": _program(_OBJECT_DTYPE, b")R"),
    "arguments in a list": _program(_name("builtins", "set"), b"]R"),
    "names as data": _program(b"]", _name("numpy", "ndarray"), b"a"),
    "a name as key": _program(b"}", _name("numpy", "ndarray"), b"Ns"),
    "a dtype as data": _program(b"]", _OBJECT_DTYPE, b"a"),
    "attributes of a list": _program(b"]}" + _text("a") + b"Nsb"),
    "state of a dtype twice": _program(_OBJECT_DTYPE, b"NbNb"),
    "state of no array": _program(b"K\x01Nb"),
    # containers
    "append to a tuple": _program(b")Na"),
    "append to a dict": _program(b"}Na"),
    "append to a set": _program(b"\x8fNa"),
    "append to an array": _program(_EMPTY_ARRAY, b"Na"),
    "items of a list": _program(b"]NNs"),
    "items of an array": _program(_EMPTY_ARRAY, b"K\x00Ns"),
    "add to a list": _program(b"](N\x90"),
    "list in itself": _program(b"]q\x00h\x00a"),
    "dict in itself": _program(b"}q\x00Nh\x00s"),
    "list in its list": _program(b"]q\x00]q\x01a0h\x01h\x00a"),
    "deep lists": _deep(100_000, b"]", b"a"),
    "deep tuples": _program(b"N", b"\x85" * 100_000),
    "deep tuple as key": _program(b"}N", b"\x85" * 100_000, b"Ns"),
    "deep dicts": _program(b"}K\x00" * 100_000, b"N", b"s" * 100_000),
    "deep marks": _program(b"(" * 100_000, b"N", b"t" * 100_000),
    "deep frozensets": _program(b"(N", b"\x91(" * 10, b"\x91"),
    "deep defaultdicts": _program((_DEFAULTDICT + b"RK\x00") * 20_000, b"N", b"s" * 20_000),
    "deep object arrays": _program(
        _name("numpy.core.multiarray", "_reconstruct"),
        b"q\x01",
        _name("numpy", "ndarray"),
        b"K\x00\x85C\x01b\x87q\x02",
        _OBJECT_DTYPE,
        b"q\x03000",
        _NEST_ARRAY * 20_000,
        b"N",
        b"atb" * 20_000,
    ),
    "doubled tuple": _program(b"N", b"2\x86" * 200),
    "doubled tuple as key": _program(b"}N", b"2\x86" * 60, b"Ns"),
    "doubled list": _program(
        b"]q\x00",
        *(b"](h%ch%ceq%c" % (i, i, i + 1) for i in range(60)),
    ),
    "doubled text": _program(_text("x" * 100_000), b"q\x000](", b"h\x00" * 200_000, b"e"),
    "colliding keys": _colliding_tuples(5_000),
    "NaN keys": lambda c: pickle.dumps([dict.fromkeys([(float("nan"), i) for i in range(9000)])]),
    "list as key": _program(b"}]Ns"),
    "array as key": _program(b"}", _EMPTY_ARRAY, b"Ns"),
    "dict without a value": _program(b"}(Nu"),
    # sizes
    "BINUNICODE8 2**60": _huge(b"\x8d", "<Q", 1 << 60),
    "BINUNICODE8 2**64-1": _huge(b"\x8d", "<Q", (1 << 64) - 1),
    "BINUNICODE8 10 GB": _huge(b"\x8d", "<Q", 10 << 30),
    "BINBYTES8 2**60": _huge(b"\x8e", "<Q", 1 << 60),
    "BYTEARRAY8 2**60": _huge(b"\x96", "<Q", 1 << 60),
    "BYTEARRAY8 10 GB": _huge(b"\x96", "<Q", 10 << 30),
    "FRAME 2**60": _huge(b"\x95", "<Q", 1 << 60),
    "BINUNICODE 4 GB": _huge(b"X", "<I", (1 << 32) - 1),
    "BINBYTES 4 GB": _huge(b"B", "<I", (1 << 32) - 1),
    "BINSTRING negative": _huge(b"T", "<i", -1),
    "LONG4 negative": _huge(b"\x8b", "<i", -1),
    "LONG4 2 GB": _huge(b"\x8b", "<i", (1 << 31) - 1),
    "long integer": _program(b"\x8b" + struct.pack("<i", 1 << 20) + b"\x7f" * (1 << 20)),
    "long integer as text": _program(b"L" + b"9" * (1 << 20) + b"L\n"),
    "integer of 900 digits": _program(b"I" + b"9" * 900 + b"\n"),
    "line without an end": lambda c: b"S'" + b"a" * (1 << 20),
    "number without an end": lambda c: b"F" + b"1" * (1 << 20),
    "float of a megabyte": _program(b"F" + b"x" * (1 << 20) + b"\n"),
    "memo at 2**32": _program(b"Nr\xff\xff\xff\xff"),
    "memo at 10**900": _program(b"Np" + b"9" * 900 + b"\n"),
    "memo negative": _program(b"Np-1\ng-2\n"),
    # as many objects as fit
    "empty sets": _program(b"(", b"\x8f" * (1 << 19), b"t"),
    "empty dicts": _program(b"(", b"}" * (1 << 19), b"t"),
    "memoized lists": _program(b"(", b"]\x94" * (1 << 18), b"t"),
    "marks": _program(b"(" * (1 << 19)),
    "memos": _program(b"N", b"\x94" * (1 << 19)),
    "frozensets": _program(b"(", b"(K\x01\x91" * (1 << 18), b"t"),
    "ordered dicts": _program(
        _name("collections", "OrderedDict"), b"q\x000(", b"h\x00)R" * (1 << 18), b"t"
    ),
    "arrays": _program(
        _name("numpy.core.multiarray", "_reconstruct"),
        b"q\x000",
        _name("numpy", "ndarray"),
        b"K\x00\x85C\x01b\x87q\x010(",
        b"h\x00h\x01R" * (1 << 18),
        b"t",
    ),
    "one wide character": _program(_text("a" * (1 << 21) + "\U0001f600")),
    "duplicates": _program(b"(N", b"2" * (1 << 19), b"t"),
    # not a program
    "no operation": _program(b"\xff"),
    "no end": lambda c: b"\x80\x04N",
    "nothing on the stack": lambda c: b"\x80\x04.",
    "pop too much": _program(b"000"),
    "two results": _program(b"NN"),
    "protocol 200": lambda c: b"\x80\xc8N.",
    "empty": lambda c: b"",
    "text": lambda c: b"frame_dir,label\nS001,3\n",
    "zeros": lambda c: b"\0" * 4096,
    "a name without end": lambda c: b"cos",
    "a surrogate": _program(b"X\x03\x00\x00\x00\xed\xa0\x80"),
    "bad UTF-8": _program(b"X\x01\x00\x00\x00\xff"),
    "bad string": _program(b"S'\\xZZ'\n"),
    "no quotes": _program(b"Sabc\n"),
}

PICKLES: dict[str, Make] = {
    **{
        f"{name}, protocol {protocol}": lambda c, make=make, p=protocol: pickle.dumps(
            [make(c)], protocol=p
        )
        for name, make in _RUNS.items()
        for protocol in (0, 2, 4)
    },
    **{name: lambda c, make=make: pickle.dumps([make(c)], 4) for name, make in _FORGES.items()},
    **_PROGRAMS,
}


# --- checkpoints ----------------------------------------------------------------------------------


def _saved(content: Any, *, legacy: bool = False) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def _weights() -> dict[str, torch.Tensor]:
    return {"fc.weight": torch.ones(20, 30), "fc.bias": torch.zeros(20)}


def _checkpoint(**more: Any) -> dict[str, Any]:
    return {"state_dict": _weights(), "meta": {"epoch": 1}, **more}


def rezipped(
    data: bytes,
    change: Callable[[str, bytes], bytes | None] = lambda name, data: data,
    *,
    compression: int = zipfile.ZIP_STORED,
    more: dict[str, bytes] | None = None,
) -> bytes:
    """Return an archive with its records changed (None leaves one out) and correct checksums."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", compression) as new:
        for info in old.infolist():
            content = change(info.filename, old.read(info))
            if content is not None:
                new.writestr(info.filename, content)
        for name, content in (more or {}).items():
            new.writestr(name, content)
    return buffer.getvalue()


def with_pickle(pickled: bytes, **storages: bytes) -> bytes:
    """Return a zip checkpoint with another pickle."""
    more = {f"archive/data/{key}": value for key, value in storages.items()}
    return rezipped(
        _saved(_checkpoint()),
        lambda name, data: pickled if name.endswith("data.pkl") else data,
        more=more,
    )


def _storage(kind: str = "FloatStorage", key: str = "0", count: bytes = b"M\x58\x02") -> bytes:
    """Return the program that refers to a storage; 600 floats is what storage 0 has."""
    return (
        b"(" + _text("storage") + _name("torch", kind) + _text(key) + _text("cpu") + count + b"tQ"
    )


def _tensor(offset: bytes, size: bytes, stride: bytes, storage: bytes | None = None) -> bytes:
    """Return a checkpoint's pickle with one tensor as its state dict."""
    tensor = (
        _name("torch._utils", "_rebuild_tensor_v2") + b"(" + (storage or _storage())
        + offset + size + stride + b"\x89" + _name("collections", "OrderedDict") + b")RtR"
    )  # fmt: skip
    return b"\x80\x02}" + _text("state_dict") + b"}" + _text("w") + tensor + b"ss."


def _long(number: int) -> bytes:
    return b"L%dL\n" % number


def _set_header(data: bytes, name: str, *, size: int) -> bytes:
    """Change the size that an archive's directory states for a record."""
    place = data.rindex(b"PK\x01\x02", 0, data.rindex(name.encode()))
    return data[: place + 20] + struct.pack("<II", size, size) + data[place + 28 :]


def _same_place(data: bytes) -> bytes:
    """Let 2000 records of an archive lie at the place of one, as in overlapping zip bombs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(1, 2))
        archive.writestr("archive/data/0", b"\0" * (1 << 20))
        first = archive.infolist()[1]
        for key in range(1, 2000):
            twin = zipfile.ZipInfo(f"archive/data/{key}")
            for name in ("header_offset", "CRC", "compress_size", "file_size"):
                setattr(twin, name, getattr(first, name))
            archive.filelist.append(twin)
            archive.NameToInfo[twin.filename] = twin
    return buffer.getvalue()


def _legacy(*, count: int | None = None, keys: Any = None, tail: bytes = b"") -> bytes:
    """Return a checkpoint of the old format that announces what it does not have."""
    data = _saved({"state_dict": {"w": torch.ones(600)}}, legacy=True)
    if count is not None:
        place = data.index(b"M\x58\x02", data.index(b"storage"))
        data = data[:place] + _long(count) + data[place + 3 :]
    if keys is not None:
        place = data.rindex(b"\x80\x02]")
        data = data[:place] + pickle.dumps(keys, 2)
    return data + tail


def _tar() -> bytes:
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            content = pickle.dumps(Call(os.system, "true"))
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _module() -> bytes:
    return _saved(torch.nn.Linear(2, 2))


_SIZE, _STRIDE = b"K\x14K\x1e\x86", b"K\x1eK\x01\x86"

CHECKPOINTS: dict[str, Make] = {
    **{
        f"{name} in {where}": lambda c, make=make, w=where: _saved(
            _checkpoint(**{w: make(c)}) if w != "legacy" else {"state_dict": make(c)},
            legacy=w == "legacy",
        )
        for name, make in _RUNS.items()
        for where in ("meta", "state_dict", "legacy")
    },
    **{
        f"{name} in meta": lambda c, make=make: _saved(_checkpoint(meta={"x": make(c)}))
        for name, make in _FORGES.items()
        if name not in ("memory of objects",)
    },
    **{
        f"{name} as data.pkl": lambda c, make=make: with_pickle(make(c))
        for name, make in _PROGRAMS.items()
    },
    **{f"{name} bare": make for name, make in _PROGRAMS.items()},
    # tensors
    "tensor, huge size": lambda c: with_pickle(
        _tensor(b"K\x00", _long(1 << 40) + b"\x85", b"K\x01\x85")
    ),
    "tensor, huge stride": lambda c: with_pickle(
        _tensor(b"K\x00", b"K\x02\x85", _long(1 << 40) + b"\x85")
    ),
    "tensor, stride 0": lambda c: with_pickle(
        _tensor(b"K\x00", _long(1 << 40) + b"\x85", b"K\x00\x85")
    ),
    "tensor, negative size": lambda c: with_pickle(
        _tensor(b"K\x00", b"J\xff\xff\xff\xff\x85", b"K\x01\x85")
    ),
    "tensor, negative stride": lambda c: with_pickle(
        _tensor(b"K\x05", b"K\x02\x85", b"J\xff\xff\xff\xff\x85")
    ),
    "tensor, negative offset": lambda c: with_pickle(_tensor(b"J\xff\xff\xff\xff", _SIZE, _STRIDE)),
    "tensor, offset beyond": lambda c: with_pickle(_tensor(b"M\xff\xff", _SIZE, _STRIDE)),
    "tensor, one too many": lambda c: with_pickle(_tensor(b"K\x01", _SIZE, _STRIDE)),
    "tensor, overflow": lambda c: with_pickle(
        _tensor(b"K\x00", _long(1 << 33) + _long(1 << 33) + b"\x86", b"K\x01K\x01\x86")
    ),
    "tensor, sizes of text": lambda c: with_pickle(_tensor(b"K\x00", _text("ab"), _STRIDE)),
    "tensor, other strides": lambda c: with_pickle(_tensor(b"K\x00", _SIZE, b"K\x01\x85")),
    "tensor, float size": lambda c: with_pickle(
        _tensor(b"K\x00", b"G\x7f\xf0" + b"\0" * 6 + b"\x85", b"K\x01\x85")
    ),
    "tensor, many dimensions": lambda c: with_pickle(
        _tensor(b"K\x00", b"(" + b"K\x01" * 5000 + b"t", b"(" + b"K\x01" * 5000 + b"t")
    ),
    "tensor of a list": lambda c: with_pickle(_tensor(b"K\x00", _SIZE, _STRIDE, b"]")),
    "tensor seen a thousand times": lambda c: with_pickle(
        b"\x80\x02}"
        + _text("state_dict")
        + b"}("
        + b"".join(
            _text(str(i))
            + _name("torch._utils", "_rebuild_tensor_v2")
            + b"("
            + _storage()
            + b"K\x00"
            + _SIZE
            + _STRIDE
            + b"\x89}tR"
            for i in range(1000)
        )
        + b"us."
    ),
    "storage of another type": lambda c: with_pickle(
        _tensor(b"K\x00", _SIZE, _STRIDE, _storage("DoubleStorage"))
    ),
    "storage that is no storage": lambda c: with_pickle(
        _tensor(b"K\x00", _SIZE, _STRIDE, _storage("Tensor"))
    ),
    "storage of negative size": lambda c: with_pickle(
        _tensor(b"K\x00", _SIZE, _STRIDE, _storage(count=b"J\xff\xff\xff\xff"))
    ),
    "storage of 2**60": lambda c: with_pickle(
        _tensor(b"K\x00", _SIZE, _STRIDE, _storage(count=_long(1 << 60)))
    ),
    "storage elsewhere": lambda c: with_pickle(
        _tensor(b"K\x00", _SIZE, _STRIDE, _storage(key="../data.pkl"))
    ),
    "storage that is lacking": lambda c: with_pickle(
        _tensor(b"K\x00", _SIZE, _STRIDE, _storage(key="77"))
    ),
    "storage as data": lambda c: with_pickle(
        b"\x80\x02}" + _text("state_dict") + _storage() + b"s."
    ),
    "storage by another word": lambda c: with_pickle(
        b"\x80\x02(" + _text("module") + _name("torch", "FloatStorage") + b"NNtQ."
    ),
    "FloatTensor(10**12)": lambda c: with_pickle(
        b"\x80\x02" + _name("torch", "FloatTensor") + _long(10**12) + b"\x85R."
    ),
    "Tensor.set_": lambda c: with_pickle(
        b"\x80\x02" + _name("torch", "Tensor") + b")\x81" + _storage() + b"\x85b."
    ),
    "torch.Size of text": lambda c: with_pickle(
        b"\x80\x02" + _name("torch", "Size") + _text("abc") + b"\x85R."
    ),
    "torch.device of text": lambda c: with_pickle(
        b"\x80\x02" + _name("torch", "device") + _text("x:y") + b"\x85R."
    ),
    "rebuild from type": lambda c: with_pickle(
        b"\x80\x02"
        + _name("torch._tensor", "_rebuild_from_type_v2")
        + b"("
        + _name("os", "system")
        + b"NNNtR."
    ),
    "SETITEM on a tensor": lambda c: with_pickle(
        _tensor(b"K\x00", _SIZE, _STRIDE).replace(b"ss.", _long(1 << 50) + b"K\x01s.")
    ),
    "parameter of a number": lambda c: with_pickle(
        b"\x80\x02" + _name("torch._utils", "_rebuild_parameter") + b"K\x01\x88}\x87R."
    ),
    # archives
    "deflated": lambda c: rezipped(_saved(_checkpoint()), compression=zipfile.ZIP_DEFLATED),
    "zip bomb": lambda c: rezipped(
        _saved(_checkpoint()),
        compression=zipfile.ZIP_DEFLATED,
        more={"archive/data/9": b"\0" * (1 << 26)},
    ),
    "bzip2 bomb": lambda c: rezipped(
        _saved(_checkpoint()),
        compression=zipfile.ZIP_BZIP2,
        more={"archive/data/9": b"\0" * (1 << 26)},
    ),
    "huge size in the directory": lambda c: _set_header(
        _saved(_checkpoint()), "archive/data/0", size=0xFFFFFFF0
    ),
    "records at one place": lambda c: _same_place(b""),
    "two records of one name": lambda c: rezipped(
        _saved(_checkpoint()), more={"archive/data.pkl": b"N."}
    ),
    "two pickles": lambda c: rezipped(_saved(_checkpoint()), more={"other/data.pkl": b"N."}),
    "no pickle": lambda c: rezipped(_saved(_checkpoint()), lambda n, d: None if "pkl" in n else d),
    "no storage": lambda c: rezipped(
        _saved(_checkpoint()), lambda n, d: None if "data/" in n else d
    ),
    "short storage": lambda c: rezipped(
        _saved(_checkpoint()), lambda n, d: d[:-4] if "data/0" in n else d
    ),
    "empty storage": lambda c: rezipped(
        _saved(_checkpoint()), lambda n, d: b"" if "data/0" in n else d
    ),
    "odd byte order": lambda c: rezipped(
        _saved(_checkpoint()), lambda n, d: b"mixed" if "byteorder" in n else d
    ),
    "wrong checksum": lambda c: _saved(_checkpoint()).replace(
        b"\0\0\x80?\0\0\x80?", b"\0\0\x80@\0\0\x80?", 1
    ),
    "TorchScript": lambda c: rezipped(_saved(_checkpoint()), more={"archive/constants.pkl": b"N."}),
    "empty archive": lambda c: b"PK\x05\x06" + b"\0" * 18,
    "only a header": lambda c: b"PK\x03\x04" + b"\0" * 26,
    "many records": lambda c: rezipped(
        _saved(_checkpoint()), more={f"archive/x/{i}": b"" for i in range(20000)}
    ),
    "a checksum that is a bomb": lambda c: rezipped(
        _saved(_checkpoint()),
        compression=zipfile.ZIP_DEFLATED,
        more={"archive/sha256": b"0" * (1 << 26)},
    ),
    "a checksum that is no text": lambda c: rezipped(
        _saved(_checkpoint()), more={"archive/sha256": b"\xff" * 64}
    ),
    # the format before torch 1.6, and before that
    "legacy, storage of 2**40": lambda c: _legacy(count=1 << 40),
    "legacy, negative storage": lambda c: _legacy(count=-1),
    "legacy, other count": lambda c: _legacy(count=599),
    "legacy, no storages": lambda c: _legacy(keys=[]),
    "legacy, storages twice": lambda c: _legacy(keys=["1", "1"]),
    "legacy, storages of lists": lambda c: _legacy(keys=[[1]]),
    "legacy, storages are a call": lambda c: _legacy(keys=Call(os.system, _touch(c))),
    "legacy, header is a call": lambda c: pickle.dumps(Call(os.system, _touch(c)), 2),
    "legacy, other magic": lambda c: pickle.dumps(5, 2) * 5,
    "tar": lambda c: _tar(),
    "module": lambda c: _module(),
    # contents
    "state_dict of numbers": lambda c: _saved({"state_dict": {"a": 1}}),
    "a list": lambda c: _saved([1]),
    "keys that are numbers": lambda c: _saved({"state_dict": {(1, 2): 3}}),
    "html": lambda c: b"<html>404</html>" * 100,
}


def part(data: bytes, name: str) -> bytes:
    """Return a record of an archive by the end of its name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(next(n for n in archive.namelist() if n.endswith(name)))
