"""Skeletons: their layouts, and the graphs that the layouts make."""

from __future__ import annotations

from pyskl.skeleton.graph import Graph
from pyskl.skeleton.layout import LAYOUTS, SkeletonLayout, resolve_layout

__all__ = ["Graph", "LAYOUTS", "SkeletonLayout", "resolve_layout"]
