"""Data sets: annotation files, the samples in them, and the batches made of those.

What reads and transforms samples needs no torch, so that exported models run without it; the
loader, which does, is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyskl.datasets.annotation import AnnotationFile, load_annotations
from pyskl.datasets.builder import build_dataset
from pyskl.datasets.pose import PoseDataset, SampleError
from pyskl.datasets.toy.dataset import ToyDataset
from pyskl.datasets.wrappers import ConcatDataset, RepeatDataset
from pyskl.registry import DATASETS, PIPELINES

if TYPE_CHECKING:
    from pyskl.datasets.loader import build_dataloader

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


def __getattr__(name: str) -> Any:
    if name == "build_dataloader":
        from pyskl.datasets.loader import build_dataloader

        return build_dataloader
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
