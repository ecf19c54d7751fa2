"""NTU RGB+D: from the raw ``.skeleton`` files to recordings and annotation files."""

from pyskl.datasets.ntu_names import SampleName, action_of, parse_name
from pyskl.recordings.ntu.build import build_annotations
from pyskl.recordings.ntu.data_sets import DATA_SETS, NTU60, NTU120, DataSet
from pyskl.recordings.ntu.lists import missing_skeletons
from pyskl.recordings.ntu.recording import recording_from_skeleton
from pyskl.recordings.ntu.skeleton_file import Body, SkeletonFileError, read_skeleton_file
from pyskl.recordings.ntu.tracks import NoBodyError, tracks_of

__all__ = [
    "DATA_SETS",
    "NTU60",
    "NTU120",
    "Body",
    "DataSet",
    "NoBodyError",
    "SampleName",
    "SkeletonFileError",
    "action_of",
    "build_annotations",
    "missing_skeletons",
    "parse_name",
    "read_skeleton_file",
    "recording_from_skeleton",
    "tracks_of",
]
