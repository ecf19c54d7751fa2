"""The 17 keypoints of COCO, the output of most 2D pose estimators."""

from __future__ import annotations

from pyskl.skeleton.builtin.parts import body, replace_bones
from pyskl.skeleton.layout import Pair

_EDGES: tuple[Pair, ...] = (
    *((15, 13), (13, 11), (16, 14), (14, 12), (11, 5), (12, 6), (9, 7), (7, 5), (10, 8)),
    *((8, 6), (5, 0), (6, 0), (1, 0), (3, 1), (2, 0), (4, 2)),
)

# Keypoints as in Lin et al., "Microsoft COCO", ECCV 2014 (cocodataset.org, keypoints).
COCO = body(
    name="coco",
    joint_names=(
        *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
        *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow"),
        *("left_wrist", "right_wrist", "left_hip", "right_hip"),
        *("left_knee", "right_knee", "left_ankle", "right_ankle"),
    ),
    edges=_EDGES,
    center=0,
    # Published bone streams connect the hips to the nose; the graph does not.
    bones=replace_bones(_EDGES, (11, 0), (12, 0), (0, 0)),
    body_center=0,  # there is no joint in the middle of the body
    spine=(11, 5),
    shoulders=(6, 5),
    dim=2,
)
