"""Which built-in layout the joints of a tool's output are."""

from __future__ import annotations

from collections.abc import Sequence

from pyskl.skeleton import LAYOUTS

# By the number of joints in lists of results; those of 18 joints are OpenPose's.
_RESULTS = {17: "coco", 26: "halpe26", 136: "halpe136"}
_OPENPOSE = {18: "openpose", 25: "body_25"}
_MEDIAPIPE = {33: "mediapipe", 21: "handmp"}


def layout_of(joints: int, names: Sequence[str] = ()) -> str | None:
    """Return the layout of keypoints in COCO's form: by their names if there, else their number."""
    if names:
        for layout in LAYOUTS.values():
            if layout.joint_names == tuple(names):
                return layout.name
        return None
    return _RESULTS.get(joints)


def openpose_layout(joints: int) -> str | None:
    """Return the layout of a person of OpenPose."""
    return _OPENPOSE.get(joints)


def mediapipe_layout(joints: int) -> str | None:
    """Return the layout of MediaPipe's landmarks: of a body or a hand."""
    return _MEDIAPIPE.get(joints)
