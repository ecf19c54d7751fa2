"""Skeleton layouts and their graphs."""

from __future__ import annotations

from pyskl.skeleton.builtin import ALIASES, LAYOUTS
from pyskl.skeleton.checks import LayoutError, layout_faults
from pyskl.skeleton.files import layout_to_json
from pyskl.skeleton.graph import Graph
from pyskl.skeleton.joint_names import layout_with, names_fault
from pyskl.skeleton.layout import SkeletonLayout, joint_columns
from pyskl.skeleton.layout_warnings import layout_warnings
from pyskl.skeleton.resolve import find_faults, inlined, resolve_layout

__all__ = [
    "ALIASES",
    "Graph",
    "LAYOUTS",
    "LayoutError",
    "SkeletonLayout",
    "find_faults",
    "inlined",
    "joint_columns",
    "layout_faults",
    "layout_warnings",
    "layout_to_json",
    "layout_with",
    "names_fault",
    "resolve_layout",
]
