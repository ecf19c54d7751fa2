"""Load pickles of plain data without running code.

A pickle is a program: :func:`pickle.load` calls any function that it names. Annotation files come
from strangers but need only containers, numbers, strings and NumPy arrays. Anything else is refused
with an error that names it.
"""

from __future__ import annotations

import gc
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyskl.errors import InputError, RunError, UntrustedFileError
from pyskl.unpickling.allowed_names import NUMPY_NAMES, PYTHON_NAMES
from pyskl.unpickling.safe_unpickler import SafeUnpickler

_NAMES = {**PYTHON_NAMES, **NUMPY_NAMES}


def load_plain_pickle(path: str | Path, *, trusted: bool = False) -> Any:
    """Load a pickle of plain containers, numbers, strings and NumPy arrays.

    The memory that it may take is limited: see :mod:`pyskl.unpickling.limits`.

    Args:
        path: The file.
        trusted: Load it with :mod:`pickle` instead, which runs whatever the file contains. Only for
            files from people whose programs you would run.

    Raises:
        FileNotFoundError: if there is no such file.
        UntrustedFileError: if the file asks for anything else; the message says what.
        InputError: if the file is not a pickle or is cut short.
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # reading a pipe or device might never end
        raise InputError("not a regular file", file=path)
    with path.open("rb") as file:
        try:
            if trusted:
                return pickle.load(file)  # noqa: S301 - the caller asked for it
            with no_garbage_collection():
                return SafeUnpickler(file, _NAMES, path.stat().st_size).load()
        except UntrustedFileError as error:
            raise refused(path, error) from None
        except RunError:  # such as a request to stop
            raise
        except Exception as error:  # a damaged pickle can cause any error
            raise InputError(
                f"not a readable pickle ({short_message(error)})",
                file=path,
                hint="it may be cut short, of another format or larger than the memory",
            ) from error


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Pause the search for cycles, which looks at all objects again and again as they are made."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def refused(path: Path, error: UntrustedFileError) -> UntrustedFileError:
    """Return the error for a file that asked for more than data."""
    return UntrustedFileError(
        f"refused: {error.problem}",
        file=path,
        hint="if you trust its author, load it with --trust-files (trusted=True in Python)",
    )


def short_message(error: Exception) -> str:
    """Return the type of an error and the start of its message, which may be long."""
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first[:300]}"
