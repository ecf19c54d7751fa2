"""NTU RGB+D: from the raw ``.skeleton`` files to recordings and annotation files."""

from pyskl.datasets.ntu.build import build_annotations
from pyskl.datasets.ntu.data_sets import DATA_SETS, NTU60, NTU120, DataSet
from pyskl.datasets.ntu.lists import action_names, missing_skeletons
from pyskl.datasets.ntu.names import SampleName, action_of, parse_name
from pyskl.datasets.ntu.recording import recording_from_skeleton
from pyskl.datasets.ntu.skeleton_file import Body, SkeletonFileError, read_skeleton_file
from pyskl.datasets.ntu.tracks import NoBodyError, tracks_of

__all__ = [
    "DATA_SETS",
    "NTU60",
    "NTU120",
    "Body",
    "DataSet",
    "NoBodyError",
    "SampleName",
    "SkeletonFileError",
    "action_names",
    "action_of",
    "build_annotations",
    "missing_skeletons",
    "parse_name",
    "read_skeleton_file",
    "recording_from_skeleton",
    "tracks_of",
]
