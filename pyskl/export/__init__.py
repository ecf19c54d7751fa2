"""Export trained recognizers to files for other programs.

:func:`export_model` writes a file and compares it with the original; :func:`open_exported` opens
one. :mod:`pyskl.runtime` runs ``.onnx`` files without torch.
"""

from __future__ import annotations

import importlib
from typing import Any

_MODULES = {
    "FORMATS": "pyskl.export.formats",
    "ExportFormat": "pyskl.export.formats",
    "ExportReport": "pyskl.export.export",
    "ExportSettings": "pyskl.export.export",
    "export_model": "pyskl.export.export",
    "open_exported": "pyskl.export.formats",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
