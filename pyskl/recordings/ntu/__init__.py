"""NTU RGB+D: from raw ``.skeleton`` files to recordings and annotation files."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyskl.recordings.ntu.build import build_annotations
    from pyskl.recordings.ntu.skeleton_file import (
        Body,
        read_skeleton_file,
        recording_from_skeleton,
    )
    from pyskl.recordings.ntu.tracks import tracks_of

__all__ = [
    "Body",
    "build_annotations",
    "read_skeleton_file",
    "recording_from_skeleton",
    "tracks_of",
]

_MODULES = {
    "Body": "skeleton_file",
    "build_annotations": "build",
    "read_skeleton_file": "skeleton_file",
    "recording_from_skeleton": "skeleton_file",
    "tracks_of": "tracks",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
