"""Write trained recognizers as files that other programs run, and check them on the way.

:func:`export_model` writes, :func:`open_recognizer` reads; :mod:`pyskl.runtime` reads ``.onnx``
files without torch.
"""

from pyskl.export.formats import FORMATS, Format, open_recognizer
from pyskl.export.run import ExportReport, ExportSettings, export_model

__all__ = [
    "FORMATS",
    "ExportReport",
    "ExportSettings",
    "Format",
    "export_model",
    "open_recognizer",
]
