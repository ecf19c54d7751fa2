"""The names that a pickle of plain data may use, and the functions that replace them.

Allowing the names is not enough: ``numpy.ndarray``, ``numpy.dtype`` and their ``__setstate__``
accept arguments that turn bytes into object pointers, and ``bytes(10**12)`` fills the memory. So a
function replaces each name and accepts only the arguments found in pickles of plain data.
"""

from __future__ import annotations

import collections
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pyskl.errors import UntrustedFileError
from pyskl.unpickling.limits import Limits, NotData

# Booleans, numbers, strings and references in NumPy's pickles: a kind and its bytes.
_PLAIN_DTYPE = re.compile(r"[<>=|]?([biufcSUO]\d{1,9}|[?bBhHiIlLqQefdgFDGSUO])")

_MAX_DIMENSIONS = 64  # NumPy's own limit


class AllowedName(NotData):
    """A name that a pickle may use.

    Args:
        label: The name, for messages.
        make: Called with the limits and the arguments instead of the named function; None if the
            name must not be called.
        kind: The class, if it may be the factory of a ``defaultdict``.
        needs_state: Whether a call makes an array that a later state fills.
    """

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


def _describe(value: Any) -> str:
    return str(value) if isinstance(value, NotData) else f"a {type(value).__name__}"


# --- Python ---------------------------------------------------------------------------------------


def _encode(_: Limits, text: str, encoding: str = "latin1") -> bytes:
    """Replace ``_codecs.encode``, which makes bytes in pickles up to protocol 2."""
    if encoding not in ("latin1", "latin-1"):
        raise UntrustedFileError("it asks for a text encoding other than latin1")
    if type(text) is not str:
        raise UntrustedFileError(f"it encodes {_describe(text)}")
    return text.encode("latin1")


def _bytes(_: Limits, *arguments: Any) -> bytes:
    if arguments:  # an integer would mean that many zeros
        raise UntrustedFileError("it calls bytes with arguments")
    return b""


def _bytearray(limits: Limits, data: Any = b"", *encoding: Any) -> bytearray:
    if type(data) is str:
        data = _encode(limits, data, *encoding)
    if type(data) is not bytes:
        raise UntrustedFileError(f"it makes a bytearray of {_describe(data)}")
    limits.charge(len(data))
    return bytearray(data)


def _complex(_: Limits, real: Any, imaginary: Any) -> complex:
    if type(real) is not float or type(imaginary) is not float:
        raise UntrustedFileError("it makes a complex number of something other than two floats")
    return complex(real, imaginary)


def _set(limits: Limits, items: Any = None) -> set[Any]:
    items = [] if items is None else items
    if type(items) is not list:
        raise UntrustedFileError(f"it makes a set of {_describe(items)}")
    limits.check_keys(items)
    return set(items)


def _frozenset(limits: Limits, items: Any = None) -> frozenset[Any]:
    return frozenset(_set(limits, items))


def _ordered_dict(limits: Limits, items: Any = None) -> collections.OrderedDict[Any, Any]:
    pairs = [] if items is None else items
    if type(pairs) is not list or not all(
        type(pair) in (list, tuple) and len(pair) == 2 for pair in pairs
    ):
        raise UntrustedFileError("it makes an OrderedDict of something other than a list of pairs")
    limits.check_keys([key for key, _ in pairs])
    return collections.OrderedDict(pairs)


def _defaultdict(_: Limits, factory: Any = None) -> collections.defaultdict[Any, Any]:
    if factory is None:
        return collections.defaultdict(None)
    if not isinstance(factory, AllowedName) or factory.kind is None:
        raise UntrustedFileError(f"it makes a defaultdict with {_describe(factory)}")
    return collections.defaultdict(factory.kind)


def _counter(limits: Limits, items: Any = None) -> collections.Counter[Any]:
    """Replace ``Counter``, whose pickles pass the counts as an argument."""
    counts = {} if items is None else items
    if type(counts) is not dict:
        raise UntrustedFileError(f"it makes a Counter of {_describe(counts)}")
    limits.check_keys(list(counts))
    counter: collections.Counter[Any] = collections.Counter()
    dict.update(counter, counts)
    return counter


_BUILTINS: dict[str, AllowedName] = {
    "set": AllowedName("set", _set, kind=set),
    "frozenset": AllowedName("frozenset", _frozenset),
    "complex": AllowedName("complex", _complex),
    "bytes": AllowedName("bytes", _bytes),
    "bytearray": AllowedName("bytearray", _bytearray),
    # Factories of a defaultdict, which are not called while a file is loaded.
    **{
        kind.__name__: AllowedName(kind.__name__, kind=kind)
        for kind in (list, dict, int, float, str)
    },
}

PYTHON_NAMES: Mapping[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): AllowedName("OrderedDict", _ordered_dict),
    ("collections", "defaultdict"): AllowedName("defaultdict", _defaultdict),
    ("collections", "Counter"): AllowedName("Counter", _counter),
    ("_codecs", "encode"): AllowedName("_codecs.encode", _encode),
    # Protocols up to 2 use the module's name in Python 2.
    **{(m, name): found for m in ("builtins", "__builtin__") for name, found in _BUILTINS.items()},
}


# --- NumPy ----------------------------------------------------------------------------------------


class DtypeSpec(NotData):
    """Replaces ``numpy.dtype``: a dtype without fields, whose state is checked."""

    def __init__(self, spec: Any) -> None:
        if type(spec) is not str:
            raise UntrustedFileError("it describes a NumPy dtype by something other than a name")
        if not _PLAIN_DTYPE.fullmatch(spec):
            raise UntrustedFileError(f"it asks for the NumPy dtype {spec[:40]!r}")
        self.dtype = np.dtype(spec)

    def __str__(self) -> str:
        return f"a NumPy dtype ({self.dtype.str})"

    def set_state(self, state: Any) -> None:
        """Take the byte order from a dtype's state, which must not change anything else."""
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
            raise UntrustedFileError(f"it gives the NumPy dtype {known.str!r} a wrong state")
        if byteorder in "<>":
            self.dtype = known.newbyteorder(byteorder)


def fill_array(limits: Limits, array: np.ndarray, state: Any) -> list[Any]:
    """Give an empty array its shape, dtype and content.

    Returns:
        The objects in it; empty if it holds numbers or strings.
    """
    if type(state) is not tuple or len(state) != 5:
        raise UntrustedFileError("it gives an array an unknown state")
    _version, shape, spec, fortran, content = state
    if not isinstance(spec, DtypeSpec) or type(fortran) not in (bool, int):
        raise UntrustedFileError("it gives an array a wrong state")
    dtype, count = spec.dtype, _count(shape)
    if dtype.hasobject:
        if type(content) is not list or len(content) != count:
            raise UntrustedFileError(f"it does not fill an array of {count} objects with as many")
        limits.charge(8 * count)
    else:
        if type(content) is not bytes:
            raise UntrustedFileError(f"it fills an array from {_describe(content)}")
        _check_bytes(count, dtype, len(content))
        limits.charge(len(content))
    complete: Any = (1, shape, dtype, bool(fortran), content)
    array.__setstate__(complete)
    return content if dtype.hasobject else []


def _count(shape: Any) -> int:
    """Return the number of elements of an array of a shape."""
    if type(shape) is not tuple or not all(type(n) is int and 0 <= n < 2**62 for n in shape):
        raise UntrustedFileError("it gives an array an impossible shape")
    if len(shape) > _MAX_DIMENSIONS:
        raise UntrustedFileError(f"it gives an array {len(shape)} dimensions")
    return math.prod(shape)


def _check_bytes(count: int, dtype: np.dtype[Any], found: int) -> None:
    if count * dtype.itemsize != found or (count and not dtype.itemsize):
        raise UntrustedFileError(
            f"it gives {found} bytes to an array of {count} values of {dtype.itemsize} bytes"
        )


def _dtype(_: Limits, spec: Any, *flags: Any) -> DtypeSpec:
    return DtypeSpec(spec)


def _reconstruct(_: Limits, *arguments: Any) -> np.ndarray:
    """Make the empty array that :func:`fill_array` fills afterwards."""
    return np.empty(0, dtype=np.int8)


def _scalar(limits: Limits, spec: Any, value: Any) -> Any:
    if not isinstance(spec, DtypeSpec) or spec.dtype.hasobject:
        raise UntrustedFileError(f"it asks for a NumPy scalar of {_describe(spec)}")
    if type(value) is str:  # as Python 2 wrote it
        value = value.encode("latin1")
    if type(value) is not bytes:
        raise UntrustedFileError(f"it makes a NumPy scalar of {_describe(value)}")
    if spec.dtype.itemsize == 0 == len(value):  # np.str_("")
        return spec.dtype.type()
    _check_bytes(1, spec.dtype, len(value))
    limits.charge(5 * len(value))
    return np.frombuffer(value, spec.dtype)[0]


def _frombuffer(
    _: Limits,
    buffer: Any,
    spec: Any,
    shape: Any,
    order: Any = "C",
    axes: Sequence[int] | None = None,
) -> np.ndarray:
    """Replace NumPy's ``_frombuffer``, which protocol 5 uses."""
    if type(buffer) not in (bytes, bytearray):
        raise UntrustedFileError(f"it asks for an array in the memory of {_describe(buffer)}")
    if not isinstance(spec, DtypeSpec) or spec.dtype.hasobject:
        raise UntrustedFileError(f"it asks for an array in memory of {_describe(spec)}")
    _check_bytes(_count(shape), spec.dtype, len(buffer))
    if order not in ("C", "F", "K"):
        raise UntrustedFileError("it asks for an array of an unknown order")
    flat: np.ndarray = np.frombuffer(buffer, spec.dtype)
    if order != "K" or axes is None:
        return flat.reshape(shape, order="F" if order == "F" else "C")
    if type(axes) not in (tuple, list) or not all(type(axis) is int for axis in axes):
        raise UntrustedFileError("it asks for an array of unknown axes")
    return flat.reshape(shape).transpose(axes)


# NumPy 1 and 2 use different modules, and each may read files of the other.
NUMPY_NAMES: Mapping[tuple[str, str], Any] = {
    ("numpy", "ndarray"): AllowedName("numpy.ndarray"),
    ("numpy", "dtype"): AllowedName("numpy.dtype", _dtype),
    **{
        (f"numpy.{core}.{module}", allowed.label): allowed
        for core in ("core", "_core")
        for module, allowed in (
            ("multiarray", AllowedName("_reconstruct", _reconstruct, needs_state=True)),
            ("multiarray", AllowedName("scalar", _scalar)),
            ("numeric", AllowedName("_frombuffer", _frombuffer)),
        )
    },
}
