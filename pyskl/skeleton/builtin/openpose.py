"""The two skeletons of OpenPose (Cao et al., TPAMI 2021): COCO with 18 joints, and BODY_25."""

from __future__ import annotations

from pyskl.skeleton.builtin.parts import body

# Joint order of POSE_COCO_BODY_PARTS in OpenPose's src/openpose/pose/poseParameters.cpp.
OPENPOSE = body(
    name="openpose",
    joint_names=(
        *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist"),
        *("left_shoulder", "left_elbow", "left_wrist"),
        *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
        *("right_eye", "left_eye", "right_ear", "left_ear"),
    ),
    edges=(
        *((4, 3), (3, 2), (7, 6), (6, 5), (13, 12), (12, 11), (10, 9), (9, 8), (11, 5)),
        *((8, 2), (5, 1), (2, 1), (0, 1), (15, 0), (14, 0), (17, 15), (16, 14)),
    ),
    center=1,
    # The bones lead to the nose, the edges to the neck.
    bones=(
        *((0, 0), (1, 0), (2, 1), (3, 2), (4, 3), (5, 1), (6, 5), (7, 6), (8, 2), (9, 8)),
        *((10, 9), (11, 5), (12, 11), (13, 12), (14, 0), (15, 0), (16, 14), (17, 15)),
    ),
    body_center=1,
    spine=(11, 5),
    shoulders=(2, 5),
    dim=2,
)

# Joint order of POSE_BODY_25_BODY_PARTS, edges of POSE_BODY_PART_PAIRS in the same file, without
# the two from the ears to the shoulders, which would close cycles.
BODY_25 = body(
    name="body_25",
    joint_names=(
        *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist"),
        *("left_shoulder", "left_elbow", "left_wrist", "hip"),
        *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
        *("right_eye", "left_eye", "right_ear", "left_ear"),
        *("left_big_toe", "left_small_toe", "left_heel"),
        *("right_big_toe", "right_small_toe", "right_heel"),
    ),
    edges=(
        *((0, 1), (15, 0), (17, 15), (16, 0), (18, 16), (8, 1)),
        *((2, 1), (3, 2), (4, 3), (5, 1), (6, 5), (7, 6)),
        *((9, 8), (10, 9), (11, 10), (22, 11), (23, 22), (24, 11)),
        *((12, 8), (13, 12), (14, 13), (19, 14), (20, 19), (21, 14)),
    ),
    center=1,
    body_center=8,
    spine=(8, 1),
    shoulders=(2, 5),
    dim=2,
)
