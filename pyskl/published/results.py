"""The top-1 accuracies that were published with PYSKL, from ``top1.csv``."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_NETWORKS = {
    "stgcn": "ST-GCN",
    "stgcn++": "ST-GCN++",
    "aagcn": "AAGCN",
    "ctrgcn": "CTR-GCN",
    "msg3d": "MS-G3D",
    "dgstgcn": "DG-STGCN",
    "strong_aug": "ST-GCN++ with strong augmentation",
}


@dataclass(frozen=True)
class PublishedResult:
    """The published results of a folder of configs: one network on one data set.

    Attributes:
        folder: The folder below ``configs``, such as ``'aagcn/aagcn_pyskl_ntu60_xsub_3dkp'``.
        benchmark: Data set and split, such as ``'ntu60_xsub'``.
        skeletons: ``'3dkp'`` (the official 3D skeletons) or ``'hrnet'`` (2D skeletons).
        top1: Stream (see :data:`pyskl.evaluation.fusion.STREAMS`) or fusion (see
            :data:`pyskl.evaluation.fusion.FUSIONS`) → top-1 accuracy in %.
    """

    folder: str
    benchmark: str
    skeletons: str
    top1: Mapping[str, float]

    @property
    def network(self) -> str:
        """The network's name in the papers."""
        return _NETWORKS[self.folder.partition("/")[0]]


def _read() -> Iterator[PublishedResult]:
    table = Path(__file__).with_name("top1.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(table.splitlines()):
        folder = row.pop("folder")
        data, split, skeletons = folder.rpartition("/")[2].split("_")[-3:]
        top1 = {what: float(percent) for what, percent in row.items()}
        yield PublishedResult(folder, f"{data}_{split}", skeletons, top1)


RESULTS: Mapping[str, PublishedResult] = {result.folder: result for result in _read()}
"""Folder → its results, network by network."""
