"""Data sets: annotation files, the samples in them, and the batches made of those."""

from pyskl.datasets.annotation import AnnotationFile, load_annotations
from pyskl.datasets.builder import build_dataset
from pyskl.datasets.loader import build_dataloader
from pyskl.datasets.pose import PoseDataset, SampleError
from pyskl.datasets.toy import ToyDataset
from pyskl.datasets.wrappers import ConcatDataset, RepeatDataset
from pyskl.registry import DATASETS, PIPELINES

__all__ = [
    "DATASETS",
    "PIPELINES",
    "AnnotationFile",
    "ConcatDataset",
    "PoseDataset",
    "RepeatDataset",
    "SampleError",
    "ToyDataset",
    "build_dataloader",
    "build_dataset",
    "load_annotations",
]
