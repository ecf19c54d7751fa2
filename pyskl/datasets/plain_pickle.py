"""Read pickles that hold plain data, without running what they ask for.

A pickle is a program: loading one with :func:`pickle.load` calls whatever it names. Annotation
files are shared between strangers but need nothing except containers, numbers, strings and NumPy
arrays. The unpickler here admits exactly those and refuses the rest by name.

Knowing the names is not enough: ``numpy.ndarray``, ``numpy.dtype`` and their ``__setstate__`` take
arguments that pass bytes off as object pointers. So each admitted name leads to a function that
takes only what an array of plain numbers, strings or objects needs.
"""

from __future__ import annotations

import collections
import pickle
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np

from pyskl.errors import UntrustedFileError

try:  # NumPy 2 moved the functions that its pickles name
    from numpy._core import multiarray, numeric
except ImportError:  # NumPy 1.26
    from numpy.core import multiarray, numeric  # type: ignore[no-redef]

# Kinds of dtype that hold bools, numbers, strings or references.
_PLAIN_KINDS = "biufcSUO"


class _NdarrayName:
    """What a pickle gets for the name ``numpy.ndarray``: good for passing on, not for calling."""

    def __call__(self, *_: Any) -> None:
        raise UntrustedFileError("it calls numpy.ndarray")


def _latin1_bytes(text: str, encoding: str = "latin1") -> bytes:
    """Stand in for ``_codecs.encode``, which protocol 2 pickles use to spell bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise UntrustedFileError(f"it asks for the text encoding {encoding!r}")
    return text.encode("latin1")


def _dtype(spec: Any, *_: Any) -> np.dtype[Any]:
    """Stand in for ``numpy.dtype``: a dtype without fields, as a copy that can take a state."""
    if not isinstance(spec, str):
        raise UntrustedFileError("it describes a NumPy dtype by other than a name")
    dtype = np.dtype(spec, False, True)
    if dtype.kind not in _PLAIN_KINDS or dtype.names is not None or dtype.subdtype is not None:
        raise UntrustedFileError(f"it asks for the NumPy dtype {spec!r}")
    return dtype


def _empty_array(*_: Any) -> np.ndarray:
    """Stand in for ``_reconstruct``: the empty array that an array's state is then put into."""
    return np.empty(0, dtype=np.int8)


def _scalar(dtype: np.dtype[Any], value: bytes) -> Any:
    """Stand in for NumPy's ``scalar``."""
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise UntrustedFileError(f"it asks for a NumPy scalar of {dtype!r}")
    return multiarray.scalar(dtype, value)


def _array_from_buffer(buffer: bytes | bytearray, *layout: Any) -> np.ndarray:
    """Stand in for NumPy's ``_frombuffer``, which protocol 5 uses."""
    if not isinstance(buffer, (bytes, bytearray)):
        raise UntrustedFileError(f"it asks for an array in the memory of a {type(buffer).__name__}")
    return _frombuffer(buffer, *layout)


_frombuffer = numeric._frombuffer  # type: ignore[attr-defined]

# (module, name) as a pickle spells it → what it gets. NumPy 1 and 2 spell the same things
# differently, and either may read the other's files; protocols up to 2 say __builtin__.
_ADMITTED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("collections", "defaultdict"): collections.defaultdict,
    **{
        (builtins, kind.__name__): kind
        for builtins in ("builtins", "__builtin__")
        for kind in (set, frozenset, complex, list, dict, int, float, bytes, bytearray)
    },
    ("_codecs", "encode"): _latin1_bytes,
    ("numpy", "ndarray"): _NdarrayName(),
    ("numpy", "dtype"): _dtype,
    **{
        (f"numpy.{core}.{module}", name): stand_in
        for core in ("core", "_core")
        for module, name, stand_in in (
            ("multiarray", "_reconstruct", _empty_array),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _array_from_buffer),
        )
    },
}


# The pure Python unpickler: the fast one has no hook for BUILD, through which a file can give a
# dtype or an array any state. It takes some 20 µs more for each sample.
class _PlainUnpickler(pickle._Unpickler):
    """An unpickler that knows only the names in ``_ADMITTED``."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        """Return what ``module.name`` stands for, or refuse it."""
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise UntrustedFileError(
                f"it asks for {module}.{name}, which is neither a NumPy array nor a plain container"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        """Refuse references to objects outside the file."""
        raise UntrustedFileError(f"it refers to an object outside the file ({pid!r})")

    def get_extension(self, code: int) -> Any:
        """Refuse names that are given as a number."""
        raise UntrustedFileError(f"it asks for the pickle extension {code}")

    def load_plain_build(self) -> None:
        """Give the object on top of the stack its state, where that is harmless."""
        target, state = self.stack[-2:]  # type: ignore[attr-defined]
        if isinstance(target, np.dtype):
            _check_dtype_state(target, state)
        elif not isinstance(target, np.ndarray):
            raise UntrustedFileError(f"it sets attributes of a {type(target).__name__}")
        self.load_build()  # type: ignore[attr-defined]

    dispatch[pickle.BUILD[0]] = load_plain_build


def _check_dtype_state(dtype: np.dtype[Any], state: Any) -> None:
    """Refuse a state that changes more than the byte order: fields, size or flags."""
    if not isinstance(state, tuple) or len(state) != 8:
        raise UntrustedFileError(f"it gives the NumPy dtype {dtype.str!r} an unknown state")
    _version, _byteorder, subdtype, names, fields, itemsize, alignment, flags = state
    if (
        (subdtype, names, fields) != (None, None, None)
        or itemsize not in (-1, dtype.itemsize)
        or alignment not in (-1, dtype.alignment)
        or flags not in (0, dtype.flags)
        or (dtype.hasobject and flags == 0)
    ):
        raise UntrustedFileError(f"it gives the NumPy dtype {dtype.str!r} a state not its own")


def load_plain_pickle(path: str | Path, *, trusted: bool = False) -> Any:
    """Load a pickle of plain containers, numbers, strings and NumPy arrays.

    Args:
        path: The file.
        trusted: Load it with :mod:`pickle` instead, which runs whatever the file says. Only for
            files whose maker you trust as you trust their programs.

    Raises:
        FileNotFoundError: if there is no such file.
        UntrustedFileError: if the file names anything else; the message says what.
        ValueError: if the file is not a pickle or is cut short.
    """
    path = Path(path)
    with path.open("rb") as file:
        try:
            return _load(file, trusted=trusted)
        except UntrustedFileError as error:
            raise UntrustedFileError(
                f"{path} was refused: {error}. If you trust whoever made it, say so with "
                "--trust-files (trusted=True in Python)"
            ) from None
        except Exception as error:  # a damaged pickle fails in any way that its bytes can spell
            raise ValueError(
                f"{path} is not a readable pickle ({type(error).__name__}: {error}); "
                "it may be cut short, of another format or larger than the memory"
            ) from error


def _load(file: IO[bytes], *, trusted: bool) -> Any:
    if trusted:
        return pickle.load(file)  # noqa: S301 - the caller asked for it
    return _PlainUnpickler(file).load()
