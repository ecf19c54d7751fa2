"""Recordings of any kind, and how they become annotation files."""

from pyskl.datasets.recordings.convert import convert
from pyskl.datasets.recordings.formats import FORMATS, Format, read_recording, read_recordings
from pyskl.datasets.recordings.options import ReadOptions
from pyskl.datasets.recordings.recording import Recording, RecordingError
from pyskl.datasets.recordings.splits import SplitPlan
from pyskl.datasets.recordings.summary import Summary
from pyskl.datasets.recordings.writer import AnnotationWriter

__all__ = [
    "FORMATS",
    "AnnotationWriter",
    "Format",
    "ReadOptions",
    "Recording",
    "RecordingError",
    "SplitPlan",
    "Summary",
    "convert",
    "read_recording",
    "read_recordings",
]
