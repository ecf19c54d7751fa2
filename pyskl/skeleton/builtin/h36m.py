"""The 17 joints of Human3.6M, the output of most 3D pose lifters."""

from __future__ import annotations

from pyskl.skeleton.builtin.parts import body

# The 17 of the 32 joints of Ionescu et al., "Human3.6M", TPAMI 2014, that move, in the order of
# Martinez et al., "A simple yet effective baseline for 3d human pose estimation", ICCV 2017: the
# hips before the trunk, the right leg first. Its feet are the ankles, its neck is "Neck/Nose".
H36M = body(
    name="h36m",
    joint_names=(
        *("hip", "right_hip", "right_knee", "right_foot", "left_hip", "left_knee", "left_foot"),
        *("spine", "thorax", "neck", "head"),
        *("left_shoulder", "left_elbow", "left_wrist"),
        *("right_shoulder", "right_elbow", "right_wrist"),
    ),
    edges=(
        *((1, 0), (2, 1), (3, 2), (4, 0), (5, 4), (6, 5), (7, 0), (8, 7), (9, 8), (10, 9)),
        *((11, 8), (12, 11), (13, 12), (14, 8), (15, 14), (16, 15)),
    ),
    center=0,
    body_center=0,
    spine=(0, 8),
    shoulders=(14, 11),
    dim=3,
    places={
        "left_foot": (58, 440),
        "spine": (0, 150),
        "thorax": (0, 64),
        "neck": (0, 24),
        "head": (0, -16),
    },
)
