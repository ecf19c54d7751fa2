"""Common parts of the motion capture formats: numbers, rotations, layouts of hierarchies."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from pyskl.recordings.numbers import LARGEST, unexpected
from pyskl.skeleton.layout import SkeletonLayout

# Marks of the left and right side in names: whole words first, then a letter at either end.
_SIDES = (
    (r"left", r"right"),
    (r"(?<![a-z])l(?=[_. -])", r"(?<![a-z])r(?=[_. -])"),
    (r"(?<=[_. -])l(?![a-z])", r"(?<=[_. -])r(?![a-z])"),
    (r"^l", r"^r"),
)

# Parts of names of the joints that serve as shoulders, the best first.
_SHOULDERS = (
    *("humerus", "shoulder", "uparm", "upperarm", "arm"),
    *("femur", "upleg", "thigh", "hip"),
)


def finite_numbers(words: Sequence[str], where: str, count: int | None = None) -> np.ndarray:
    """Return words of a file as numbers, (len(words),) float64.

    Args:
        words: The words.
        where: Their place for error messages.
        count: How many there have to be, if known.

    Raises:
        RecordingError: if one of them is not a number, infinite or too large.
    """
    try:
        values = np.array([float(word) for word in words])
    except ValueError:
        values = np.array([np.nan])
    if (
        (count is not None and len(values) != count)
        or not np.isfinite(values).all()
        or np.abs(values).max(initial=0) > LARGEST
    ):
        raise unexpected(where, " ".join(words), "numbers" if count is None else f"{count} numbers")
    return values


def axis_rotation(axis: str, degrees: np.ndarray) -> np.ndarray:
    """Return the right-handed rotations about ``'x'``, ``'y'`` or ``'z'`` by angles (...,).

    Returns:
        Matrices (..., 3, 3) to multiply column vectors with.
    """
    angle = np.deg2rad(np.asarray(degrees, dtype=np.float64))
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.zeros((*angle.shape, 3, 3))
    fixed = "xyz".index(axis)
    first, second = (fixed + 1) % 3, (fixed + 2) % 3
    matrix[..., fixed, fixed] = 1
    matrix[..., first, first] = matrix[..., second, second] = cosine
    matrix[..., second, first], matrix[..., first, second] = sine, -sine
    return matrix


def hierarchy_layout(
    name: str, joint_names: Sequence[str], parents: Sequence[int]
) -> SkeletonLayout:
    """Return the layout of a tree of joints.

    Left and right are derived from the names (``LeftArm`` and ``RightArm``, ``lfemur`` and
    ``rfemur``), unless the tree differs on the two sides. ``PreNormalize3D`` gets a spine,
    from the root to its first neighbour that belongs to no side, and shoulders (or else hips), if
    there are such joints.

    Args:
        name: Name of the layout.
        joint_names: Of the V joints, all different.
        parents: The parent of each joint; -1 for the root, which becomes the center.

    Raises:
        LayoutError: for names that can't be printed.
    """
    root = list(parents).index(-1)
    left, right = mirror_pairs(joint_names)
    mirror = {-1: -1, **dict(zip((*left, *right), (*right, *left)))}
    if any(
        parents[mirror.get(joint, joint)] != mirror.get(parent, parent)
        for joint, parent in enumerate(parents)
    ):
        left, right = [], []  # the names have two sides, the tree does not
    spine = [
        joint
        for joint, parent in enumerate(parents)
        if parent == root and joint not in (*left, *right)
    ]
    shoulders = [
        (b, a)  # PreNormalize3D turns the vector from the second to the first to +x
        for part in _SHOULDERS
        for a, b in zip(left, right)
        if part in joint_names[a].lower().replace("_", "")
    ]
    return SkeletonLayout(
        name,
        len(joint_names),
        edges=[(joint, parent) for joint, parent in enumerate(parents) if parent >= 0],
        center=root,
        joint_names=joint_names,
        left=left,
        right=right,
        body_center=root,
        spine=(root, spine[0] if spine else root),
        shoulders=shoulders[0] if shoulders else (root, root),
        dim=3,
    )


def mirror_pairs(joint_names: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return the joints of the left side and their counterparts on the right, by their names.

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
