"""Pickle NumPy arrays so that every version of NumPy reads them.

NumPy 2 names its internal modules ``numpy._core``, which NumPy before 1.26 does not have, and so no
environment of PYSKL. All versions have ``numpy.core``, at least as an alias for pickles.
"""

from __future__ import annotations

import pickle
import pickletools
from typing import Any

PROTOCOL = 3
"""Of what :func:`dump_pickle` writes. Python has it since 3.0; names of modules are lines in it."""

_NEW, _OLD = "numpy._core", "numpy.core"


def dump_pickle(value: Any) -> bytes:
    """Return the pickle of plain values and NumPy arrays, as all versions of NumPy read it."""
    content = pickle.dumps(value, protocol=PROTOCOL)
    if _NEW.encode() not in content:
        return content
    parts, end = [], 0
    # The opcodes, not the bytes: a sample's id may contain the same text.
    for opcode, argument, position in pickletools.genops(content):
        if opcode.name == "GLOBAL" and str(argument).startswith((f"{_NEW}.", f"{_NEW} ")):
            start = (position or 0) + 1  # of the module's name
            parts += [content[end:start], _OLD.encode()]
            end = start + len(_NEW)
    return b"".join([*parts, content[end:]])
