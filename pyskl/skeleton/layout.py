"""Skeleton layouts: joints, edges, bones and mirror pairs.

Graphs, bone streams, flips and drawings all use them. Your own layout is a :class:`SkeletonLayout`,
a dict of its arguments in a config, or a ``.json`` file (:func:`pyskl.skeleton.resolve_layout`)::

    arm = dict(name='arm', num_joints=4, center=0, edges=[(1, 0), (2, 1), (3, 2)], dim=2)
    model = dict(backbone=dict(type='STGCN', graph_cfg=dict(layout=arm, mode='stgcn_spatial')))

A joint pair is always (child, parent): (joint, next joint toward the centre), counted from 0.
"""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pyskl.skeleton.checks import LayoutError, layout_problems

Pair = tuple[int, int]
Point = tuple[float, float]


@dataclass(frozen=True, init=False)
class SkeletonLayout:
    """The joints of one kind of skeleton and their connections.

    Args:
        name: The name in messages.
        num_joints: Number of joints V.
        edges: Pairs (child, parent) that link all joints; the graph of a model. Cycles are
            allowed: distances follow the shortest path.
        center: The joint that the edges lead to.
        bones: Pairs (child, parent) of the bone stream, one for each joint; following the
            parents leads to a joint that is its own parent. By default the edges. If the centre has
            no bone, (centre, centre) is added, a bone of length zero.
        joint_names: One name for each joint, or nothing.
        left: Joints of the body's left side.
        right: Their mirror images, in the same order. The mirror image of an edge is an edge.
        body_center: The joint that :class:`PreNormalize3D` moves to the origin. By default the
            centre.
        spine: The joints (a, b) whose vector a → b ``PreNormalize3D`` turns onto +z. By default
            (centre, centre), which gives no rotation.
        shoulders: The joints (a, b) whose vector b → a ``PreNormalize3D`` turns onto +x. By
            default (centre, centre), which gives no rotation.
        dim: Number of coordinates. Keypoints of C = 3 channels are x, y, z if it is 3, and x, y,
            score if it is 2.
        rest_pose: Points (x, y) of the joints in drawings, x to the viewer's right, y down, in any
            unit; or empty. The body faces the viewer, so its left side has the larger x.

    Raises:
        LayoutError: a ``ConfigError`` with all problems
            (:func:`pyskl.skeleton.layout_problems`).

    Example:
        >>> arm = SkeletonLayout('arm', 4, edges=[(1, 0), (2, 1), (3, 2)], center=0)
        >>> arm.bones
        ((1, 0), (2, 1), (3, 2), (0, 0))
    """

    name: str
    num_joints: int
    edges: tuple[Pair, ...]
    center: int
    bones: tuple[Pair, ...]
    joint_names: tuple[str, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    body_center: int
    spine: Pair
    shoulders: Pair
    dim: int
    rest_pose: tuple[Point, ...]

    # Written by hand, because arguments may be lists or None where the fields are tuples.
    def __init__(
        self,
        name: str,
        num_joints: int,
        edges: Iterable[Sequence[int]],
        center: int,
        bones: Iterable[Sequence[int]] | None = None,
        joint_names: Iterable[str] | None = None,
        left: Iterable[int] | None = (),
        right: Iterable[int] | None = (),
        body_center: int | None = None,
        spine: Sequence[int] | None = None,
        shoulders: Sequence[int] | None = None,
        dim: int = 3,
        rest_pose: Iterable[Sequence[float]] | None = (),
    ) -> None:
        read = _Reader(str(name))
        values: dict[str, Any] = {
            "name": str(name),
            "num_joints": read("num_joints", num_joints, _whole, "a whole number"),
            "edges": read("edges", edges, _pairs, _PAIRS),
            "center": read("center", center, _whole, "a whole number"),
            "bones": None if bones is None else read("bones", bones, _pairs, _PAIRS),
            "joint_names": read("joint_names", joint_names or (), _names, "a list of names"),
            "left": read("left", left or (), _joints, "whole numbers"),
            "right": read("right", right or (), _joints, "whole numbers"),
            "body_center": body_center,
            "spine": spine,
            "shoulders": shoulders,
            "dim": read("dim", dim, _whole, "2 or 3"),
            "rest_pose": read("rest_pose", rest_pose or (), _points, "points (x, y)"),
        }
        if body_center is not None:
            values["body_center"] = read("body_center", body_center, _whole, "a whole number")
        for key in ("spine", "shoulders"):
            if values[key] is not None:
                values[key] = read(key, values[key], _pair, "two joints, whole numbers")
        read.raise_if_invalid()
        for key, value in _with_defaults(values).items():
            object.__setattr__(self, key, value)
        problems = layout_problems(self)
        if problems:
            raise LayoutError.of(self.name, problems)

    @cached_property
    def parents(self) -> np.ndarray:
        """The bone parent of each joint, or the joint itself: read-only int array (V,)."""
        parents = np.zeros(self.num_joints, dtype=np.int64)
        for child, parent in self.bones:
            parents[child] = parent
        parents.setflags(write=False)
        return parents

    def parent_columns(self, channels: int) -> np.ndarray:
        """:func:`joint_columns` of the bone parents: read-only int array (V·C,)."""
        columns = self._parent_columns.get(channels)
        if columns is None:
            columns = joint_columns(self.parents, channels)
            columns.setflags(write=False)
            self._parent_columns[channels] = columns
        return columns

    @cached_property
    def _parent_columns(self) -> dict[int, np.ndarray]:
        return {}

    @cached_property
    def mirror(self) -> np.ndarray:
        """The mirror image of each joint, or the joint itself: read-only int array (V,)."""
        mirror = np.arange(self.num_joints)
        mirror[[*self.left, *self.right]] = [*self.right, *self.left]
        mirror.setflags(write=False)
        return mirror

    def label(self, joint: int) -> str:
        """Return the number of a joint, with its name if it has one."""
        return f"{joint} {self.joint_names[joint]}" if self.joint_names else str(joint)


def joint_columns(joints: np.ndarray, channels: int) -> np.ndarray:
    """Return the columns of some joints in a frame that is flattened to V·C numbers.

    Indexing flattened frames is faster than indexing joints.

    Args:
        joints: Numbers of joints (J,), int64.
        channels: C.

    Returns:
        (J·C,) int64.

    Example:
        >>> joint_columns(np.array([2, 0]), channels=3)
        array([6, 7, 8, 0, 1, 2])
    """
    columns: np.ndarray = (joints[:, None] * channels + np.arange(channels)).reshape(-1)
    return columns


def _with_defaults(values: dict[str, Any]) -> dict[str, Any]:
    """Fill in the fields that were not given."""
    filled = dict(values)
    joints, center = filled["num_joints"], filled["center"]
    bones = filled["edges"] if filled["bones"] is None else filled["bones"]
    if 0 <= center < joints and center not in {child for child, _ in bones}:
        bones = (*bones, (center, center))
    filled["bones"] = bones
    if filled["body_center"] is None:
        filled["body_center"] = center
    for key in ("spine", "shoulders"):
        if filled[key] is None:
            filled[key] = (center, center)
    return filled


# --- conversion of arguments ----------------------------------------------------------------------

_PAIRS = "pairs (child, parent) of whole numbers"


class _Reader:
    """Converts the arguments of a layout and collects type errors."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[str] = []

    def __call__(self, key: str, value: Any, reader: Callable[[Any], Any], expected: str) -> Any:
        try:
            return reader(value)
        except (TypeError, ValueError, OverflowError):
            self.problems.append(f"{key} is {reprlib.repr(value)}, expected {expected}")
            return None

    def raise_if_invalid(self) -> None:
        if self.problems:
            raise LayoutError.of(self.name, self.problems)


def _whole(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError("a bool is not a joint")
    return operator.index(value)


def _joints(values: Iterable[Any]) -> tuple[int, ...]:
    return tuple(_whole(value) for value in values)


def _pair(pair: Iterable[Any]) -> Pair:
    child, parent = _joints(pair)
    return child, parent


def _pairs(pairs: Iterable[Any]) -> tuple[Pair, ...]:
    return tuple(_pair(pair) for pair in pairs)


def _names(names: Iterable[Any]) -> tuple[str, ...]:
    if isinstance(names, str):
        raise TypeError("a string is not a list of names")
    return tuple(str(name) for name in names)


def _points(points: Iterable[Any]) -> tuple[Point, ...]:
    if isinstance(points, str):
        raise TypeError("a string is not a list of points")
    listed = [tuple(float(number) for number in point) for point in points]
    return tuple((x, y) for x, y in listed)
