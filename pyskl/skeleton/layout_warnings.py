"""Warn about skeleton layouts that are valid but unusual, and so may be wrong."""

from __future__ import annotations

import re

from pyskl.skeleton.checks import describe_unmirrored, hops, listed, not_mirrored
from pyskl.skeleton.layout import SkeletonLayout


def layout_warnings(layout: SkeletonLayout) -> list[str]:
    """Return what is valid but unusual about a layout.

    Example:
        >>> from pyskl.skeleton import LAYOUTS
        >>> layout_warnings(LAYOUTS['coco'])
        []
    """
    return [
        *_edge_warnings(layout),
        *_bone_warnings(layout),
        *_side_warnings(layout),
        *_orientation_warnings(layout),
        *_pose_warnings(layout),
    ]


def _edge_warnings(layout: SkeletonLayout) -> list[str]:
    warnings = []
    to_center = hops(layout)
    extra = len(layout.edges) - (layout.num_joints - 1)
    if extra > 0:
        warnings.append(
            f"edges has {extra} more than a tree of {layout.num_joints} joints, so it has cycles: "
            "distances to the centre follow the shortest path"
        )
    away = [
        (child, parent) for child, parent in layout.edges if to_center[child] < to_center[parent]
    ]
    if away:
        warnings.append(
            f"edges has {listed(away)}, which lead away from the centre {layout.center}"
        )
    return warnings


def _bone_warnings(layout: SkeletonLayout) -> list[str]:
    warnings = []
    roots = [child for child, parent in layout.bones if child == parent]
    if len(roots) > 1:
        warnings.append(
            f"the joints {listed(sorted(roots))} have bones of length zero, usually one"
        )
    unlike = not_mirrored(layout, layout.bones, directed=True)
    if unlike:
        warnings.append(
            f"left and right do not mirror the bones: {describe_unmirrored(unlike, 'a bone')}"
        )
    return warnings


def _side_warnings(layout: SkeletonLayout) -> list[str]:
    warnings = []
    if layout.center in (*layout.left, *layout.right):
        warnings.append(
            f"the centre {layout.center} is on one side of the body: it has a mirror image"
        )
    if not layout.joint_names:
        return warnings
    sides = {joint: _side(name) for joint, name in enumerate(layout.joint_names)}
    for key, other in (("left", "right"), ("right", "left")):
        wrong = [joint for joint in getattr(layout, key) if sides[joint] == other]
        if wrong:
            labels = listed(layout.label(joint) for joint in wrong)
            warnings.append(f"{key} has {labels}, named after the {other} side")
    paired = {*layout.left, *layout.right}
    single = [joint for joint, side in sides.items() if side and joint not in paired]
    if single:
        warnings.append(
            f"{listed(layout.label(joint) for joint in single)} are named after a side, but are in "
            "neither left nor right: Flip does not swap them"
        )
    by_name = {
        (side, _without_side(layout.joint_names[joint])): joint for joint, side in sides.items()
    }
    for left, right in zip(layout.left, layout.right):
        named = by_name.get(("right", _without_side(layout.joint_names[left])))
        if sides[left] == "left" and named not in (None, right):
            warnings.append(
                f"{layout.label(left)} mirrors {layout.label(right)}, not {layout.label(named)}"
            )
    return warnings


def _orientation_warnings(layout: SkeletonLayout) -> list[str]:
    """Check the fields that only PreNormalize3D uses."""
    if layout.dim != 3:
        return []
    warnings = []
    for key, what in (("spine", "upright"), ("shoulders", "to face the viewer")):
        first, second = getattr(layout, key)
        if first == second:
            warnings.append(
                f"{key} is joint {first} twice: PreNormalize3D does not turn bodies {what}"
            )
    right, left = layout.shoulders
    if right != left and layout.left:
        if right in layout.left and left in layout.right:
            warnings.append(
                f"shoulders is {layout.shoulders}, (left, right), usually (right, left)"
            )
        elif layout.mirror[right] != left:
            warnings.append(f"shoulders is {layout.shoulders}, which is not a mirror pair")
    return warnings


def _pose_warnings(layout: SkeletonLayout) -> list[str]:
    places: dict[tuple[float, float], list[int]] = {}
    for joint, place in enumerate(layout.rest_pose):
        places.setdefault(place, []).append(joint)
    return [
        f"rest_pose has the joints {listed(joints)} at one point"
        for joints in places.values()
        if len(joints) > 1
    ]


def _words(name: str) -> list[str]:
    """Split a name: ``left_eye``, ``LeftEye``, ``L Eye`` and ``LEye`` have two words each."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)]


_SIDES = {"left": "left", "l": "left", "right": "right", "r": "right"}


def _side(name: str) -> str | None:
    """Return ``'left'`` or ``'right'`` if a joint's name contains a side."""
    return next((_SIDES[word] for word in _words(name) if word in _SIDES), None)


def _without_side(name: str) -> tuple[str, ...]:
    return tuple(word for word in _words(name) if word not in _SIDES)
