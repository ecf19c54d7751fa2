"""The built-in skeleton layouts, with the sources of their joints."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pyskl.skeleton.builtin.coco import COCO
from pyskl.skeleton.builtin.h36m import H36M
from pyskl.skeleton.builtin.halpe import HALPE26, HALPE136
from pyskl.skeleton.builtin.kinect import KINECT_V1, NTURGBD
from pyskl.skeleton.builtin.mediapipe import HANDMP, MEDIAPIPE
from pyskl.skeleton.builtin.openpose import BODY_25, OPENPOSE
from pyskl.skeleton.layout import SkeletonLayout

LAYOUTS: Mapping[str, SkeletonLayout] = MappingProxyType(
    {
        layout.name: layout
        for layout in (
            *(NTURGBD, COCO, OPENPOSE, HANDMP, BODY_25),
            *(MEDIAPIPE, HALPE26, HALPE136, H36M, KINECT_V1),
        )
    }
)
"""The built-in layouts by name (read-only)."""

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "halpe": "halpe26",
        "kinect_v2": "nturgb+d",
        "mediapipe_hand": "handmp",
        "mediapipe_pose": "mediapipe",
    }
)
"""Other names of built-in layouts (read-only)."""
