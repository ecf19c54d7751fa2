"""Backbones: keypoints → features."""

from __future__ import annotations

from pyskl.models.backbones.aagcn import AAGCN
from pyskl.models.backbones.ctrgcn import CTRGCN
from pyskl.models.backbones.dgstgcn import DGSTGCN
from pyskl.models.backbones.msg3d import MSG3D
from pyskl.models.backbones.stgcn import STGCN

__all__ = ["AAGCN", "CTRGCN", "DGSTGCN", "MSG3D", "STGCN"]
