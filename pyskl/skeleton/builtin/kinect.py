"""The skeletons of Microsoft's Kinect: 25 joints of the second sensor, 20 of the first."""

from __future__ import annotations

from pyskl.skeleton.builtin.parts import body, replace_bones
from pyskl.skeleton.layout import Pair

_NTU_EDGES: tuple[Pair, ...] = (
    *((0, 1), (1, 20), (2, 20), (3, 2), (4, 20), (5, 4), (6, 5), (7, 6), (8, 20), (9, 8)),
    *((10, 9), (11, 10), (12, 0), (13, 12), (14, 13), (15, 14), (16, 0), (17, 16), (18, 17)),
    *((19, 18), (21, 7), (22, 7), (23, 11), (24, 11)),
)

# Joints of the Kinect v2, as in Shahroudy et al., "NTU RGB+D", CVPR 2016.
NTURGBD = body(
    name="nturgb+d",
    joint_names=(
        *("spine_base", "spine_mid", "neck", "head"),
        *("left_shoulder", "left_elbow", "left_wrist", "left_hand"),
        *("right_shoulder", "right_elbow", "right_wrist", "right_hand"),
        *("left_hip", "left_knee", "left_ankle", "left_foot"),
        *("right_hip", "right_knee", "right_ankle", "right_foot"),
        *("spine_shoulder", "left_hand_tip", "left_thumb", "right_hand_tip", "right_thumb"),
    ),
    edges=_NTU_EDGES,
    center=20,
    # Published bone streams connect the hand tip to the thumb; the graph does not.
    bones=replace_bones(_NTU_EDGES, (21, 22), (22, 7), (23, 24), (24, 11), (20, 20)),
    body_center=1,
    spine=(0, 1),
    shoulders=(8, 4),
    dim=3,
    places={
        "head": (0, -16),
        "neck": (0, 24),
        "spine_shoulder": (0, 64),
        "spine_mid": (0, 150),
        "spine_base": (0, 236),
        "left_hand": (158, 260),
        "left_hand_tip": (178, 292),
        "left_thumb": (138, 290),
        "left_foot": (84, 464),
    },
)

# NUI_SKELETON_POSITION_INDEX of the Kinect for Windows SDK 1. Edges and centre are those that
# models of Northwestern-UCLA use (CTR-GCN, graph/ucla.py).
KINECT_V1 = body(
    name="kinect_v1",
    joint_names=(
        *("hip_center", "spine", "shoulder_center", "head"),
        *("left_shoulder", "left_elbow", "left_wrist", "left_hand"),
        *("right_shoulder", "right_elbow", "right_wrist", "right_hand"),
        *("left_hip", "left_knee", "left_ankle", "left_foot"),
        *("right_hip", "right_knee", "right_ankle", "right_foot"),
    ),
    edges=(
        *((0, 1), (1, 2), (3, 2), (4, 2), (5, 4), (6, 5), (7, 6), (8, 2), (9, 8), (10, 9)),
        *((11, 10), (12, 0), (13, 12), (14, 13), (15, 14), (16, 0), (17, 16), (18, 17), (19, 18)),
    ),
    center=2,
    body_center=1,
    spine=(0, 2),
    shoulders=(8, 4),
    dim=3,
    places={
        "head": (0, 0),
        "shoulder_center": (0, 62),
        "spine": (0, 150),
        "hip_center": (0, 236),
        "left_hand": (158, 262),
        "left_foot": (84, 464),
    },
)
