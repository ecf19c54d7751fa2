"""Helpers for built-in layouts: sides, bones, rest pose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyskl.skeleton.layout import Pair, Point, SkeletonLayout

# A body that faces the viewer: x to the viewer's right, y down. The right side mirrors the left
# one. Not to scale, so that there is room for joint numbers.
_BODY: Mapping[str, Point] = {
    "nose": (0, 0),
    "left_eye": (26, -22),
    "left_ear": (58, -12),
    "neck": (0, 62),
    "left_shoulder": (84, 72),
    "left_elbow": (122, 150),
    "left_wrist": (148, 226),
    "hip": (0, 236),
    "left_hip": (44, 250),
    "left_knee": (54, 346),
    "left_ankle": (58, 440),
    "left_heel": (40, 474),
    "left_big_toe": (72, 478),
    "left_small_toe": (100, 464),
}


def body(
    name: str,
    joint_names: Sequence[str],
    edges: Sequence[Pair],
    center: int,
    *,
    places: Mapping[str, Point] | None = None,
    **facts: Any,
) -> SkeletonLayout:
    """Return the layout of a body, with sides and rest pose derived from the joint names.

    Args:
        name: The name of the layout.
        joint_names: Names; those of paired joints begin with ``left_`` and ``right_``.
        edges: Pairs (child, parent).
        center: The joint that the edges lead to.
        places: Points of middle and left joints in the rest pose that differ from :data:`_BODY`
            or are not in it.
        facts: Other arguments of :class:`~pyskl.skeleton.SkeletonLayout`.
    """
    left = [joint for joint, text in enumerate(joint_names) if text.startswith("left_")]
    right = [joint_names.index(f"right_{joint_names[joint][5:]}") for joint in left]
    known = {**_BODY, **(places or {})}
    pose = [
        (-known[f"left_{text[6:]}"][0], known[f"left_{text[6:]}"][1])
        if text.startswith("right_")
        else known[text]
        for text in joint_names
    ]
    return SkeletonLayout(
        name,
        len(joint_names),
        edges,
        center,
        joint_names=joint_names,
        left=left,
        right=right,
        rest_pose=pose,
        **facts,
    )


def replace_bones(edges: Sequence[Pair], *exceptions: Pair) -> tuple[Pair, ...]:
    """Return ``edges``, with the pairs in ``exceptions`` replaced or added."""
    parents = dict(exceptions)
    return tuple((child, parents.pop(child, parent)) for child, parent in edges) + tuple(
        parents.items()
    )
