"""Skeleton layouts and their graphs."""

from __future__ import annotations

from pyskl.skeleton.builtin import ALIASES, LAYOUTS
from pyskl.skeleton.checks import LayoutError, layout_problems
from pyskl.skeleton.files import layout_to_json
from pyskl.skeleton.graph import Graph
from pyskl.skeleton.joint_names import joint_names_problem, layout_with
from pyskl.skeleton.layout import SkeletonLayout, joint_columns
from pyskl.skeleton.layout_warnings import layout_warnings
from pyskl.skeleton.resolve import find_problems, inlined, resolve_layout

__all__ = [
    "ALIASES",
    "Graph",
    "LAYOUTS",
    "LayoutError",
    "SkeletonLayout",
    "find_problems",
    "inlined",
    "joint_columns",
    "layout_problems",
    "layout_warnings",
    "layout_to_json",
    "layout_with",
    "joint_names_problem",
    "resolve_layout",
]
