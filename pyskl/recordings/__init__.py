"""Recordings of any kind, and how they become annotation files."""

from pyskl.recordings.convert import convert
from pyskl.recordings.formats import FORMATS, Format, read_recording, read_recordings
from pyskl.recordings.options import ReadOptions
from pyskl.recordings.recording import Recording, RecordingError
from pyskl.recordings.splits import SplitPlan
from pyskl.recordings.summary import Summary
from pyskl.recordings.writer import AnnotationWriter

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
