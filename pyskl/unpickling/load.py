"""Read pickles that hold plain data, without running what they ask for.

A pickle is a program: loading one with :func:`pickle.load` calls whatever it names. Annotation
files are shared between strangers but need nothing except containers, numbers, strings and NumPy
arrays; :mod:`pyskl.unpickling` admits exactly those and refuses the rest by name.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import IO, Any

from pyskl.errors import InputError, UntrustedFileError
from pyskl.unpickling import NUMPY_NAMES, PYTHON_NAMES, PlainUnpickler

_NAMES = {**PYTHON_NAMES, **NUMPY_NAMES}


def load_plain_pickle(path: str | Path, *, trusted: bool = False) -> Any:
    """Load a pickle of plain containers, numbers, strings and NumPy arrays.

    The memory that it takes is bounded: see :data:`pyskl.unpickling.safe_unpickler.MEMORY_FACTOR`.

    Args:
        path: The file.
        trusted: Load it with :mod:`pickle` instead, which runs whatever the file says. Only for
            files whose maker you trust as you trust their programs.

    Raises:
        FileNotFoundError: if there is no such file.
        UntrustedFileError: if the file asks for anything else; the message says what.
        InputError: if the file is not a pickle or is cut short.
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # a pipe or device would never end
        raise InputError(f"{path} is not a regular file")
    with path.open("rb") as file:
        try:
            return _load(file, path.stat().st_size, trusted=trusted)
        except UntrustedFileError as error:
            raise refused(path, error) from None
        except Exception as error:  # a damaged pickle fails in any way that its bytes can spell
            raise InputError(
                f"not a readable pickle ({type(error).__name__}: {error})",
                file=path,
                hint="it may be cut short, of another format or larger than the memory",
            ) from error


def refused(path: Path, error: UntrustedFileError) -> UntrustedFileError:
    """Return the error for a file that asked for more than data."""
    return UntrustedFileError(
        f"refused: {error.problem}",
        file=path,
        hint="if you trust whoever made it, load it with --trust-files (trusted=True in Python)",
    )


def _load(file: IO[bytes], size: int, *, trusted: bool) -> Any:
    if trusted:
        return pickle.load(file)  # noqa: S301 - the caller asked for it
    return PlainUnpickler(file, _NAMES, size).load()
