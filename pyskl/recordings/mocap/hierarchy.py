"""The skeleton that a motion capture file describes, as a layout."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyskl.skeleton.layout import SkeletonLayout

# What marks a side, in the order of trust: whole words first, then a letter at either end.
_SIDES = (
    (r"left", r"right"),
    (r"(?<![a-z])l(?=[_. -])", r"(?<![a-z])r(?=[_. -])"),
    (r"(?<=[_. -])l(?![a-z])", r"(?<=[_. -])r(?![a-z])"),
    (r"^l", r"^r"),
)


def hierarchy_layout(
    name: str, joint_names: Sequence[str], parents: Sequence[int]
) -> SkeletonLayout:
    """Return the layout of a tree of joints.

    Args:
        name: What messages call it.
        joint_names: Of the V joints, each once.
        parents: The parent of each joint; -1 for the root, which becomes the centre.

    Sides are told from the names (``LeftArm`` and ``RightArm``, ``lfemur`` and ``rfemur``). Where
    the joints next to the root and to the sides allow it, ``PreNormalize3D`` gets a spine (from the
    root to the first joint above it that has no side) and shoulders (or else hips).
    """
    root = list(parents).index(-1)
    left, right = mirror_pairs(joint_names)
    return SkeletonLayout(
        name,
        len(joint_names),
        edges=[(joint, parent) for joint, parent in enumerate(parents) if parent >= 0],
        center=root,
        joint_names=joint_names,
        left=left,
        right=right,
        body_center=root,
        spine=_spine(parents, root, {*left, *right}),
        shoulders=_shoulders(joint_names, left, right, root),
        dim=3,
    )


def mirror_pairs(joint_names: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return the joints of the left and their mirror images of the right, as the names tell.

    Example:
        >>> mirror_pairs(['root', 'lfemur', 'rfemur'])
        ([1], [2])
    """
    names = [name.lower() for name in joint_names]
    left, right = [], []
    for joint, name in enumerate(names):
        for left_mark, right_mark in _SIDES:
            found = re.search(left_mark, name)
            if found is None:
                continue
            letters = "right" if found[0] == "left" else "r"
            mirrored = f"{name[: found.start()]}{letters}{name[found.end() :]}"
            if names.count(mirrored) == 1 and re.search(right_mark, mirrored):
                left.append(joint)
                right.append(names.index(mirrored))
            break
    if len(set(right)) != len(right) or set(left) & set(right):
        return [], []
    return left, right


def _spine(parents: Sequence[int], root: int, sided: set[int]) -> tuple[int, int]:
    for joint, parent in enumerate(parents):
        if parent == root and joint not in sided:
            return root, joint
    return root, root


def _shoulders(
    joint_names: Sequence[str], left: Sequence[int], right: Sequence[int], root: int
) -> tuple[int, int]:
    """Return (right, left): PreNormalize3D turns the vector from second to first onto +x."""
    for part in (
        "humerus",
        "shoulder",
        "uparm",
        "upperarm",
        "arm",
        "femur",
        "upleg",
        "thigh",
        "hip",
    ):
        for a, b in zip(left, right):
            if part in joint_names[a].lower().replace("_", ""):
                return b, a
    return root, root
