"""Backbones: keypoints → features."""

from __future__ import annotations

from pyskl.models.backbones.stgcn import STGCN

__all__ = ["STGCN"]
