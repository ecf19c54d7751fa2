"""Halpe-FullBody, the output of AlphaPose: 26 joints of the body, or 136 with face and hands."""

from __future__ import annotations

from itertools import pairwise
from math import cos, radians, sin

from pyskl.skeleton.builtin.parts import body
from pyskl.skeleton.layout import Pair, Point

# Keypoints in the order of github.com/Fang-Haoshu/Halpe-FullBody (Li et al., "PaStaNet", CVPR
# 2020): 26 of the body, 68 of the face as in iBUG 300-W, 21 of each hand. The nose connects
# the face to the neck, so that the edges are a tree; limbs and feet as in AlphaPose and MMPose.
_BODY_NAMES = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
    *("head", "neck", "hip", "left_big_toe", "right_big_toe"),
    *("left_small_toe", "right_small_toe", "left_heel", "right_heel"),
)
_BODY_EDGES: tuple[Pair, ...] = (
    *((0, 18), (17, 0), (1, 0), (2, 0), (3, 1), (4, 2), (19, 18)),
    *((5, 18), (7, 5), (9, 7), (6, 18), (8, 6), (10, 8)),
    *((11, 19), (13, 11), (15, 13), (20, 15), (22, 15), (24, 15)),
    *((12, 19), (14, 12), (16, 14), (21, 16), (23, 16), (25, 16)),
)

HALPE26 = body(
    name="halpe26",
    joint_names=_BODY_NAMES,
    edges=_BODY_EDGES,
    center=18,
    body_center=19,
    spine=(19, 18),
    shoulders=(6, 5),
    dim=2,
    places={"head": (0, -58)},
)

# --- with face and hands --------------------------------------------------------------------------

# The face's right half comes first. Parts are numbered from the outside to the middle.
_JAW, _BROW, _LIP = range(1, 9), range(1, 6), (1, 2)
_FACE_NAMES = (
    *(f"right_jaw_{number}" for number in _JAW),
    "chin",
    *(f"left_jaw_{number}" for number in reversed(_JAW)),
    *(f"right_brow_{number}" for number in _BROW),
    *(f"left_brow_{number}" for number in reversed(_BROW)),
    *("nose_bridge_1", "nose_bridge_2", "nose_bridge_3", "nose_tip"),
    *("right_nostril_1", "right_nostril_2", "nose_base", "left_nostril_2", "left_nostril_1"),
    # The lids: 1 is the outer corner of the eye, 4 the inner one, 2 and 3 are above, 5 and 6 below.
    *(f"right_lid_{number}" for number in (1, 2, 3, 4, 5, 6)),
    *(f"left_lid_{number}" for number in (4, 3, 2, 1, 6, 5)),
    "right_mouth_corner",
    *(f"right_upper_lip_{number}" for number in _LIP),
    "upper_lip",
    *(f"left_upper_lip_{number}" for number in reversed(_LIP)),
    "left_mouth_corner",
    *(f"left_lower_lip_{number}" for number in _LIP),
    "lower_lip",
    *(f"right_lower_lip_{number}" for number in reversed(_LIP)),
    *("right_inner_corner", "right_inner_upper_lip", "inner_upper_lip"),
    *("left_inner_upper_lip", "left_inner_corner"),
    *("left_inner_lower_lip", "inner_lower_lip", "right_inner_lower_lip"),
)
_FINGERS = ("thumb", "index", "middle", "ring", "pinky")
_HAND_NAMES = ("hand", *(f"{finger}_{number}" for finger in _FINGERS for number in (1, 2, 3, 4)))


def _chain(*joints: str) -> list[tuple[str, str]]:
    """Return the edges (child, parent) of joints that follow each other away from the centre."""
    return [(child, parent) for parent, child in pairwise(joints)]


def _face_and_hand_edges() -> list[tuple[str, str]]:
    """Return the edges of the middle and of the left side, by the joints' names."""
    edges = [
        *_chain("nose", "nose_tip", "nose_bridge_3", "nose_bridge_2", "nose_bridge_1"),
        *_chain("nose", "nose_base", "left_nostril_2", "left_nostril_1"),
        *_chain("nose_base", "upper_lip", "inner_upper_lip", "inner_lower_lip", "lower_lip"),
        *_chain("lower_lip", "chin", *(f"left_jaw_{number}" for number in reversed(_JAW))),
        *_chain("nose_bridge_1", *(f"left_brow_{number}" for number in reversed(_BROW))),
        *_chain("nose_bridge_1", "left_lid_4", "left_lid_3", "left_lid_2", "left_lid_1"),
        *_chain("left_lid_4", "left_lid_5", "left_lid_6"),
        *_chain("upper_lip", "left_upper_lip_2", "left_upper_lip_1", "left_mouth_corner"),
        *_chain("inner_upper_lip", "left_inner_upper_lip", "left_inner_corner"),
        *_chain("inner_lower_lip", "left_inner_lower_lip"),
        *_chain("lower_lip", "left_lower_lip_2", "left_lower_lip_1"),
        ("left_hand", "left_wrist"),
    ]
    for finger in _FINGERS:
        edges += _chain("left_hand", *(f"left_{finger}_{number}" for number in (1, 2, 3, 4)))
    return edges


def _both_sides(edges: list[tuple[str, str]], names: tuple[str, ...]) -> tuple[Pair, ...]:
    """Return edges as joint numbers, those of the left side followed by the right side's."""
    mirrored = [
        (child.replace("left_", "right_"), parent.replace("left_", "right_"))
        for child, parent in edges
    ]
    unique = dict.fromkeys((*edges, *mirrored))
    return tuple((names.index(child), names.index(parent)) for child, parent in unique)


# Face and hands are drawn large, so that their joints don't overlap.
_PLACES: dict[str, Point] = {
    **{
        f"left_jaw_{9 - number}": (
            round(176 * sin(radians(12.4 * number))),
            round(205 * cos(radians(12.4 * number)) - 16),
        )
        for number in _JAW
    },
    "chin": (0, 189),
    **{"left_brow_1": (144, -112), "left_brow_2": (118, -132), "left_brow_3": (88, -140)},
    **{"left_brow_4": (58, -136), "left_brow_5": (32, -122)},
    **{"nose_bridge_1": (0, -86), "nose_bridge_2": (0, -59), "nose_bridge_3": (0, -32)},
    **{"nose_tip": (0, -5), "nose": (0, 22), "nose_base": (0, 49)},
    **{"left_nostril_2": (27, 44), "left_nostril_1": (51, 33)},
    **{"left_eye": (84, -68), "left_lid_1": (118, -68), "left_lid_4": (50, -68)},
    **{"left_lid_2": (101, -95), "left_lid_3": (68, -95)},
    **{"left_lid_5": (68, -41), "left_lid_6": (101, -41)},
    **{"left_ear": (212, -78), "head": (0, -190)},
    **{"upper_lip": (0, 77), "left_upper_lip_2": (32, 73), "left_upper_lip_1": (64, 83)},
    **{"left_mouth_corner": (98, 108), "left_inner_corner": (67, 110)},
    **{"inner_upper_lip": (0, 104), "left_inner_upper_lip": (34, 100)},
    **{"inner_lower_lip": (0, 131), "left_inner_lower_lip": (34, 127)},
    **{"left_lower_lip_1": (66, 138), "left_lower_lip_2": (34, 154), "lower_lip": (0, 159)},
    **{"neck": (0, 250), "left_shoulder": (196, 272), "left_elbow": (268, 396)},
    **{"left_wrist": (306, 512), "hip": (0, 566), "left_hip": (100, 584), "left_knee": (122, 760)},
    **{"left_ankle": (132, 930), "left_heel": (102, 972), "left_big_toe": (148, 984)},
    **{"left_small_toe": (184, 964), "left_hand": (318, 545)},
    **{"left_thumb_1": (286, 562), "left_thumb_2": (264, 584)},
    **{"left_thumb_3": (250, 610), "left_thumb_4": (240, 637)},
    **{
        f"left_{finger}_{number}": (x + lean * (number - 1), y + 29 * (number - 1))
        for finger, x, y, lean in (
            *(("index", 292, 632, -5), ("middle", 324, 642, 0)),
            *(("ring", 356, 634, 6), ("pinky", 386, 614, 11)),
        )
        for number in (1, 2, 3, 4)
    },
}

_NAMES = (
    *_BODY_NAMES,
    *_FACE_NAMES,
    *(f"left_{name}" for name in _HAND_NAMES),
    *(f"right_{name}" for name in _HAND_NAMES),
)

HALPE136 = body(
    name="halpe136",
    joint_names=_NAMES,
    edges=(*_BODY_EDGES, *_both_sides(_face_and_hand_edges(), _NAMES)),
    center=18,
    body_center=19,
    spine=(19, 18),
    shoulders=(6, 5),
    dim=2,
    places=_PLACES,
)
