"""What the names in a pickle of plain data stand for.

Knowing the names is not enough: ``numpy.ndarray``, ``numpy.dtype`` and their ``__setstate__`` take
arguments that pass bytes off as object pointers, and ``bytes(10**12)`` fills the memory. So each
name stands for a function that takes only what pickles of plain data give it.
"""

from __future__ import annotations

import collections
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyskl.errors import UntrustedFileError

if TYPE_CHECKING:
    from pyskl.unpickling.safe_unpickler import PlainUnpickler

# bools, numbers, strings and references, as NumPy's pickles spell them: a kind and a size in bytes.
_PLAIN_DTYPE = re.compile(r"[<>=|]?([biufcSUO]\d{1,9}|[?bBhHiIlLqQefdgFDGSUO])")

# As many as NumPy allows.
_MAX_DIMENSIONS = 64


class Name:
    """A name that a pickle may use.

    Args:
        label: The name, for messages.
        make: What a call does, given the machine and the arguments; None if it is not called.
        kind: The class itself, where it is passed on as an argument.
        needs_state: Whether what it makes is an array that is filled afterwards.
    """

    __slots__ = ("kind", "label", "make", "needs_state")

    def __init__(
        self,
        label: str,
        make: Callable[..., Any] | None = None,
        *,
        kind: type | None = None,
        needs_state: bool = False,
    ) -> None:
        self.label, self.make, self.kind, self.needs_state = label, make, kind, needs_state

    def __str__(self) -> str:
        return self.label


# --- Python ---------------------------------------------------------------------------------------


def _bytes_of(_: PlainUnpickler, text: str, encoding: str = "latin1") -> bytes:
    """Stand in for ``_codecs.encode``, by which pickles up to protocol 2 spell bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise UntrustedFileError("it asks for a text encoding other than latin1")
    if type(text) is not str:
        raise UntrustedFileError(f"it encodes a {type(text).__name__}")
    return text.encode("latin1")


def _bytes(_: PlainUnpickler, *arguments: Any) -> bytes:
    if arguments:  # an integer would mean as many zeros
        raise UntrustedFileError("it calls bytes with arguments")
    return b""


def _bytearray(machine: PlainUnpickler, data: Any = b"", *encoding: Any) -> bytearray:
    if type(data) is str:
        data = _bytes_of(machine, data, *encoding)
    if type(data) is not bytes:
        raise UntrustedFileError(f"it makes a bytearray of a {type(data).__name__}")
    machine.charge(len(data))
    return bytearray(data)


def _complex(_: PlainUnpickler, real: Any, imaginary: Any) -> complex:
    if type(real) is not float or type(imaginary) is not float:
        raise UntrustedFileError("it makes a complex number of other than two floats")
    return complex(real, imaginary)


def _items(items: Any, what: str) -> list[Any]:
    if type(items) is not list:
        raise UntrustedFileError(f"it makes {what} of a {type(items).__name__}")
    return items


def _set(machine: PlainUnpickler, items: Any = None) -> set[Any]:
    members = [] if items is None else _items(items, "a set")
    machine.check_keys(members)
    return set(members)


def _frozenset(machine: PlainUnpickler, items: Any = None) -> frozenset[Any]:
    return frozenset(_set(machine, items))


def _ordered_dict(machine: PlainUnpickler, items: Any = None) -> collections.OrderedDict[Any, Any]:
    pairs = [] if items is None else _items(items, "an OrderedDict")
    if not all(type(pair) in (list, tuple) and len(pair) == 2 for pair in pairs):
        raise UntrustedFileError("it makes an OrderedDict of other than pairs")
    machine.check_keys([key for key, _ in pairs])
    return collections.OrderedDict(pairs)


def _defaultdict(_: PlainUnpickler, factory: Any = None) -> collections.defaultdict[Any, Any]:
    if factory is None:
        return collections.defaultdict(None)
    if not isinstance(factory, Name) or factory.kind is None:
        raise UntrustedFileError("it makes a defaultdict with something else for a factory")
    return collections.defaultdict(factory.kind)


def _counter(machine: PlainUnpickler, items: Any = None) -> collections.Counter[Any]:
    """Stand in for ``Counter``, which pickles with its counts as an argument."""
    counter: collections.Counter[Any] = collections.Counter()
    if items is not None:
        if type(items) is not dict:
            raise UntrustedFileError(f"it makes a Counter of a {type(items).__name__}")
        machine.check_keys(list(items))
        dict.update(counter, items)
    return counter


def _uncalled(_: PlainUnpickler, *arguments: Any) -> None:
    raise UntrustedFileError("it calls a type that plain data only name")


_BUILTINS: dict[str, Name] = {
    "set": Name("set", _set, kind=set),
    "frozenset": Name("frozenset", _frozenset),
    "complex": Name("complex", _complex),
    "bytes": Name("bytes", _bytes),
    "bytearray": Name("bytearray", _bytearray),
    # Factories of a defaultdict, which nothing calls while it is loaded.
    **{kind.__name__: Name(kind.__name__, kind=kind) for kind in (list, dict, int, float, str)},
}

PYTHON_NAMES: Mapping[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): Name("OrderedDict", _ordered_dict),
    ("collections", "defaultdict"): Name("defaultdict", _defaultdict),
    ("collections", "Counter"): Name("Counter", _counter),
    ("_codecs", "encode"): Name("_codecs.encode", _bytes_of),
    # protocols up to 2 have Python 2's name of the module
    **{(m, name): found for m in ("builtins", "__builtin__") for name, found in _BUILTINS.items()},
}


# --- NumPy ----------------------------------------------------------------------------------------


class Dtype:
    """What a pickle gets for ``numpy.dtype``: a dtype without fields, whose state it can't set."""

    def __init__(self, spec: Any) -> None:
        if type(spec) is not str:
            raise UntrustedFileError("it describes a NumPy dtype by other than a name")
        if not _PLAIN_DTYPE.fullmatch(spec):
            raise UntrustedFileError(f"it asks for the NumPy dtype {spec[:40]!r}")
        self.dtype = np.dtype(spec)

    def __str__(self) -> str:
        return f"a NumPy dtype ({self.dtype.str})"

    def set_state(self, state: Any) -> None:
        """Take the byte order from a dtype's state, which must say nothing else that is new."""
        known = self.dtype
        if type(state) is not tuple or len(state) != 8:
            raise UntrustedFileError(f"it gives the NumPy dtype {known.str!r} an unknown state")
        _version, byteorder, subdtype, names, fields, itemsize, alignment, flags = state
        if (
            byteorder not in ("<", ">", "|", "=")
            or any(part is not None for part in (subdtype, names, fields))
            or not all(type(number) is int for number in (itemsize, alignment, flags))
            or itemsize not in (-1, known.itemsize)
            or alignment not in (-1, known.alignment)
            or flags not in (0, known.flags)
            or (known.hasobject and flags == 0)
        ):
            raise UntrustedFileError(f"it gives the NumPy dtype {known.str!r} a state not its own")
        if byteorder in "<>":
            self.dtype = known.newbyteorder(byteorder)

    @staticmethod
    def fill(machine: PlainUnpickler, array: np.ndarray, state: Any) -> list[Any] | None:
        """Give an empty array its shape, dtype and content.

        Returns:
            The objects that it holds now, or None if it holds numbers or strings.
        """
        if type(state) is not tuple or len(state) != 5:
            raise UntrustedFileError("it gives an array an unknown state")
        _version, shape, dtype, fortran, content = state
        if not isinstance(dtype, Dtype) or type(fortran) not in (bool, int):
            raise UntrustedFileError("it gives an array a state not its own")
        found = dtype.dtype
        count = _size(shape)
        if found.hasobject:
            if type(content) is not list or len(content) != count:
                raise UntrustedFileError(f"it gives an array of {count} objects other than those")
            machine.charge(8 * count)
            items: list[Any] | None = list(content)
        else:
            if type(content) is not bytes:
                raise UntrustedFileError(f"it fills an array from a {type(content).__name__}")
            _check_bytes(count, found, len(content))
            machine.charge(len(content))
            items = None
        filled: Any = (1, shape, found, bool(fortran), content)  # typed as NumPy's bool there
        array.__setstate__(filled)
        return items


def _size(shape: Any) -> int:
    if type(shape) is not tuple or not all(type(n) is int and 0 <= n < 2**62 for n in shape):
        raise UntrustedFileError("it gives an array a shape that is none")
    if len(shape) > _MAX_DIMENSIONS:
        raise UntrustedFileError(f"it gives an array {len(shape)} dimensions")
    return math.prod(shape)


def _check_bytes(count: int, dtype: np.dtype[Any], found: int) -> None:
    if count * dtype.itemsize != found or (count and not dtype.itemsize):
        raise UntrustedFileError(
            f"it gives an array of {count} values of {dtype.itemsize} bytes {found} bytes"
        )


def _dtype(_: PlainUnpickler, spec: Any, *flags: Any) -> Dtype:
    return Dtype(spec)


def _empty_array(_: PlainUnpickler, *arguments: Any) -> np.ndarray:
    """Stand in for ``_reconstruct``: the empty array that an array's state is then put into."""
    return np.empty(0, dtype=np.int8)


def _scalar(machine: PlainUnpickler, dtype: Any, value: Any) -> Any:
    """Stand in for NumPy's ``scalar``."""
    if not isinstance(dtype, Dtype) or dtype.dtype.hasobject:
        raise UntrustedFileError(f"it asks for a NumPy scalar of {_called(dtype)}")
    if type(value) is str:  # as Python 2 wrote it
        value = value.encode("latin1")
    if type(value) is not bytes:
        raise UntrustedFileError(f"it makes a NumPy scalar of a {type(value).__name__}")
    if dtype.dtype.itemsize == 0 == len(value):  # np.str_("")
        return dtype.dtype.type()
    _check_bytes(1, dtype.dtype, len(value))
    machine.charge(5 * len(value))
    return np.frombuffer(value, dtype.dtype)[0]


def _called(value: Any) -> str:
    return str(value) if isinstance(value, (Name, Dtype)) else f"a {type(value).__name__}"


def _array_from_buffer(
    _: PlainUnpickler,
    buffer: Any,
    dtype: Any,
    shape: Any,
    order: Any = "C",
    axes: Sequence[int] | None = None,
) -> np.ndarray:
    """Stand in for NumPy's ``_frombuffer``, which protocol 5 uses."""
    if type(buffer) not in (bytes, bytearray):
        raise UntrustedFileError(f"it asks for an array in the memory of a {type(buffer).__name__}")
    if not isinstance(dtype, Dtype) or dtype.dtype.hasobject:
        raise UntrustedFileError(f"it asks for an array in memory of {_called(dtype)}")
    _check_bytes(_size(shape), dtype.dtype, len(buffer))
    if order not in ("C", "F", "K"):
        raise UntrustedFileError("it asks for an array of an unknown order")
    flat: np.ndarray = np.frombuffer(buffer, dtype.dtype)
    if order != "K" or axes is None:
        return flat.reshape(shape, order="F" if order == "F" else "C")
    if type(axes) not in (tuple, list) or not all(type(axis) is int for axis in axes):
        raise UntrustedFileError("it asks for an array of unknown axes")
    return flat.reshape(shape).transpose(axes)


_RECONSTRUCT = Name("_reconstruct", _empty_array, needs_state=True)
_SCALAR = Name("scalar", _scalar)
_FROMBUFFER = Name("_frombuffer", _array_from_buffer)

# NumPy 1 and 2 spell the same things differently, and either may read the other's files.
NUMPY_NAMES: Mapping[tuple[str, str], Any] = {
    ("numpy", "ndarray"): Name("numpy.ndarray"),
    ("numpy", "dtype"): Name("numpy.dtype", _dtype),
    **{
        (f"numpy.{core}.{module}", stand_in.label): stand_in
        for core in ("core", "_core")
        for module, stand_in in (
            ("multiarray", _RECONSTRUCT),
            ("multiarray", _SCALAR),
            ("numeric", _FROMBUFFER),
        )
    },
}
