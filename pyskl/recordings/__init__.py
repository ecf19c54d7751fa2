"""Read recordings of other tools, and convert them to annotation files.

Names are imported on first use, so that importing the package is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyskl.recordings.annotation_writer import AnnotationWriter
    from pyskl.recordings.conversion import ConversionReport, convert
    from pyskl.recordings.formats import FORMATS, read_recording, read_recordings
    from pyskl.recordings.reader import Reader, ReadOptions
    from pyskl.recordings.recording import Recording, RecordingError
    from pyskl.recordings.splits import SplitPlan

__all__ = [
    "FORMATS",
    "AnnotationWriter",
    "ConversionReport",
    "ReadOptions",
    "Reader",
    "Recording",
    "RecordingError",
    "SplitPlan",
    "convert",
    "read_recording",
    "read_recordings",
]

_MODULES = {
    "AnnotationWriter": "annotation_writer",
    "ConversionReport": "conversion",
    "FORMATS": "formats",
    "ReadOptions": "reader",
    "Reader": "reader",
    "Recording": "recording",
    "RecordingError": "recording",
    "SplitPlan": "splits",
    "convert": "conversion",
    "read_recording": "formats",
    "read_recordings": "formats",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
