"""Convert raw ``.skeleton`` files of NTU RGB+D to recordings and annotation files."""

from __future__ import annotations

import importlib
from typing import Any

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
