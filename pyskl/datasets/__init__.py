"""Data sets: annotation files, samples and batches.

Reading and transforming samples needs no torch, so that exported models run without it. Names are
imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pyskl.registry import DATASETS, PIPELINES

if TYPE_CHECKING:
    from pyskl.datasets.annotation import AnnotationFile
    from pyskl.datasets.annotation_cache import AnnotationFiles, load_annotations
    from pyskl.datasets.loader import build_dataloader
    from pyskl.datasets.pose import PoseDataset, SampleError
    from pyskl.datasets.toy.dataset import ToyDataset
    from pyskl.datasets.wrappers import ConcatDataset, RepeatDataset, build_dataset

_MODULES = {
    "AnnotationFile": "annotation",
    "AnnotationFiles": "annotation_cache",
    "ConcatDataset": "wrappers",
    "PoseDataset": "pose",
    "RepeatDataset": "wrappers",
    "SampleError": "pose",
    "ToyDataset": "toy.dataset",
    "build_dataloader": "loader",
    "build_dataset": "wrappers",
    "load_annotations": "annotation_cache",
}

__all__ = [
    "DATASETS",
    "PIPELINES",
    "AnnotationFile",
    "AnnotationFiles",
    "ConcatDataset",
    "PoseDataset",
    "RepeatDataset",
    "SampleError",
    "ToyDataset",
    "build_dataloader",
    "build_dataset",
    "load_annotations",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"pyskl.datasets.{_MODULES[name]}"), name)
