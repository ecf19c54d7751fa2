"""Reading pickles as data: containers, numbers, strings and arrays, and nothing that runs."""

from __future__ import annotations

from pyskl.plain.machine import PlainUnpickler, shown
from pyskl.plain.names import NUMPY_NAMES, PYTHON_NAMES, Name

__all__ = ["PlainUnpickler", "Name", "PYTHON_NAMES", "NUMPY_NAMES", "shown"]
