"""MediaPipe's landmarks: 33 of the body (BlazePose), 21 of a hand."""

from __future__ import annotations

from pyskl.skeleton.builtin.parts import body
from pyskl.skeleton.layout import SkeletonLayout

# Numbers and names of the PoseLandmark enumeration of MediaPipe's pose landmarker (Bazarevsky et
# al., "BlazePose", 2020). Edges of its connections, except that the shoulders are connected to the
# nose and the hips to the shoulders; MediaPipe connects these four in a cycle. Landmarks are x, y,
# z; for x, y, visibility use dict(base='mediapipe', dim=2).
MEDIAPIPE = body(
    name="mediapipe",
    joint_names=(
        *("nose", "left_eye_inner", "left_eye", "left_eye_outer"),
        *("right_eye_inner", "right_eye", "right_eye_outer", "left_ear", "right_ear"),
        *("left_mouth", "right_mouth", "left_shoulder", "right_shoulder"),
        *("left_elbow", "right_elbow", "left_wrist", "right_wrist"),
        *("left_pinky", "right_pinky", "left_index", "right_index", "left_thumb", "right_thumb"),
        *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
        *("left_heel", "right_heel", "left_foot_index", "right_foot_index"),
    ),
    edges=(
        *((1, 0), (2, 1), (3, 2), (7, 3), (4, 0), (5, 4), (6, 5), (8, 6), (9, 0), (10, 0)),
        *((11, 0), (13, 11), (15, 13), (17, 15), (19, 15), (21, 15)),
        *((12, 0), (14, 12), (16, 14), (18, 16), (20, 16), (22, 16)),
        *((23, 11), (25, 23), (27, 25), (29, 27), (31, 27)),
        *((24, 12), (26, 24), (28, 26), (30, 28), (32, 28)),
    ),
    center=0,
    body_center=0,
    spine=(23, 11),
    shoulders=(12, 11),
    dim=3,
    places={
        "left_eye_inner": (18, -26),
        "left_eye": (44, -38),
        "left_eye_outer": (72, -36),
        "left_ear": (98, -20),
        "left_mouth": (16, 32),
        "left_shoulder": (96, 72),
        "left_elbow": (130, 150),
        "left_wrist": (152, 226),
        "left_thumb": (124, 254),
        "left_index": (152, 268),
        "left_pinky": (182, 258),
        "left_foot_index": (88, 474),
    },
)

# Numbers and names of the HandLandmark enumeration (Zhang et al., "MediaPipe Hands", 2020). One
# hand; its mirror image is another hand, so it has no mirror pairs.
HANDMP = SkeletonLayout(
    name="handmp",
    num_joints=21,
    edges=tuple(
        (joint, 0 if joint == first else joint - 1)
        for first in (1, 5, 9, 13, 17)
        for joint in range(first, first + 4)
    ),
    center=0,
    joint_names=(
        *("wrist", "thumb_cmc", "thumb_mcp", "thumb_ip", "thumb_tip"),
        *(
            f"{finger}_{joint}"
            for finger in ("index", "middle", "ring", "pinky")
            for joint in ("mcp", "pip", "dip", "tip")
        ),
    ),
    body_center=0,
    spine=(0, 9),  # from the wrist to the middle finger
    shoulders=(17, 5),  # across the palm
    dim=2,
    rest_pose=(
        *((0, 0), (-48, -30), (-86, -66), (-112, -104), (-132, -140)),
        *((-44, -132), (-54, -176), (-60, -212), (-64, -246)),
        *((-8, -140), (-10, -190), (-11, -230), (-12, -266)),
        *((28, -132), (34, -178), (38, -214), (41, -248)),
        *((60, -114), (72, -152), (80, -182), (87, -210)),
    ),
)
