"""Backbones: keypoints → features."""

from __future__ import annotations

from pyskl.models.backbones.stgcn import STGCN, STGCNBlock

__all__ = ["STGCN", "STGCNBlock"]
