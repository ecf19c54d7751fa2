"""Reading pickles as data: containers, numbers, strings and arrays, and nothing that runs."""

from __future__ import annotations

from pyskl.unpickling.allowed_names import NUMPY_NAMES, PYTHON_NAMES, Name
from pyskl.unpickling.safe_unpickler import PlainUnpickler, shown

__all__ = ["PlainUnpickler", "Name", "PYTHON_NAMES", "NUMPY_NAMES", "shown"]
