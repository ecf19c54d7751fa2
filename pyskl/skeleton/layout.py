"""Skeleton layouts: joints, edges, bones and mirror pairs, each written down once.

The graph of a model, the bone stream of a pipeline, left-right flips and drawings all read their
facts here. A layout of one's own is a :class:`SkeletonLayout`, or the same as a dict in a config::

    arm = dict(name='arm', num_joints=4, center=0, edges=[(1, 0), (2, 1), (3, 2)], dim=2)
    model = dict(backbone=dict(type='STGCN', graph_cfg=dict(layout=arm, mode='stgcn_spatial')))

A joint pair is always (child, parent): (joint, next joint toward the centre), counted from 0.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from pyskl.errors import ConfigError, did_you_mean

Pair = tuple[int, int]


@dataclass(frozen=True, init=False)
class SkeletonLayout:
    """The joints of one kind of skeleton and how they hang together.

    Args:
        name: What messages call the layout.
        num_joints: Number of joints V.
        edges: Pairs (child, parent) that link all joints; the graph of a model.
        center: The joint that the edges lead to.
        bones: Pairs (child, parent) that the bone stream subtracts, one for each joint. By default
            the edges. The pair (centre, centre), a bone of length zero, is added where the centre
            has none.
        joint_names: One name for each joint, or nothing.
        left: Joints of the body's left side.
        right: Their mirror images, in the same order.
        body_center: The joint that :class:`PreNormalize3D` moves to the origin. By default 1 where
            there are 25 joints, else the last one.
        spine: The joints (a, b) whose vector a → b ``PreNormalize3D`` turns onto +z. By default
            (0, 1).
        shoulders: The joints (a, b) whose vector b → a ``PreNormalize3D`` turns onto +x. By
            default (8, 4), or (centre, centre) where the layout lacks those joints: the vector of a
            joint to itself gives no rotation.
        dim: Number of coordinates proper. Keypoints of C = 3 channels are x, y, z where it is 3,
            and x, y, score where it is 2.

    Raises:
        ValueError: with the list of all that is wrong.

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

    # Written out, for what may be given is wider (lists, None) than what is kept.
    def __init__(
        self,
        name: str,
        num_joints: int,
        edges: Iterable[Sequence[int]],
        center: int,
        bones: Iterable[Sequence[int]] | None = None,
        joint_names: Iterable[str] | None = None,
        left: Iterable[int] = (),
        right: Iterable[int] = (),
        body_center: int | None = None,
        spine: Sequence[int] | None = None,
        shoulders: Sequence[int] | None = None,
        dim: int = 3,
    ) -> None:
        try:
            num_joints, center = operator.index(num_joints), operator.index(center)
            edge_pairs = tuple(_pair(edge) for edge in edges)
            bone_pairs = edge_pairs if bones is None else tuple(_pair(bone) for bone in bones)
            if body_center is None:
                body_center = 1 if num_joints == 25 else num_joints - 1
            if spine is None:
                spine = (0, 1) if num_joints > 1 else (center, center)
            if shoulders is None:
                shoulders = (8, 4) if num_joints > 8 else (center, center)
            values: dict[str, Any] = {
                "name": str(name),
                "num_joints": num_joints,
                "edges": edge_pairs,
                "center": center,
                "bones": bone_pairs,
                "joint_names": tuple(str(joint) for joint in joint_names or ()),
                "left": tuple(operator.index(joint) for joint in left),
                "right": tuple(operator.index(joint) for joint in right),
                "body_center": operator.index(body_center),
                "spine": _pair(spine),
                "shoulders": _pair(shoulders),
                "dim": operator.index(dim),
            }
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"skeleton layout {name!r}: joints are whole numbers and edges pairs of them: "
                f"{error}"
            ) from error
        if center not in {child for child, _ in bone_pairs}:
            values["bones"] = (*bone_pairs, (center, center))
        for key, value in values.items():
            object.__setattr__(self, key, value)
        faults = self._faults()
        if faults:
            raise ValueError(f"skeleton layout {self.name!r}: " + "; ".join(faults))

    @cached_property
    def parents(self) -> np.ndarray:
        """The bone parent of each joint: read-only int array (V,); a joint's own number: none."""
        parents = np.zeros(self.num_joints, dtype=np.int64)
        for child, parent in self.bones:
            parents[child] = parent
        parents.setflags(write=False)
        return parents

    def _faults(self) -> list[str]:
        """Return everything that is wrong, in the order of the fields."""
        if self.num_joints < 1:
            return [f"num_joints is {self.num_joints}, a layout has at least one joint"]
        faults = []
        groups = {
            "edges": [joint for edge in self.edges for joint in edge],
            "center": [self.center],
            "bones": [joint for bone in self.bones for joint in bone],
            "left": self.left,
            "right": self.right,
            "body_center": [self.body_center],
            "spine": self.spine,
            "shoulders": self.shoulders,
        }
        for key, joints in groups.items():
            outside = sorted({joint for joint in joints if not 0 <= joint < self.num_joints})
            if outside:
                faults.append(
                    f"{key} has {_list(outside)}, outside of the joints 0 to {self.num_joints - 1}"
                )
        if faults:  # what follows indexes by joint
            return faults
        loops = [edge for edge in self.edges if edge[0] == edge[1]]
        if loops:
            faults.append(f"edges has {_list(loops)}, from a joint to itself")
        twice = [edge for edge in set(self.edges) if self.edges.count(edge) > 1]
        if twice:
            faults.append(f"edges has {_list(sorted(twice))} more than once")
        cut_off = sorted(set(range(self.num_joints)) - self._reached())
        if cut_off:
            faults.append(f"edges does not link the joints {_list(cut_off)} to the centre")
        faults += self._bone_faults()
        if self.joint_names and len(self.joint_names) != self.num_joints:
            faults.append(f"joint_names has {len(self.joint_names)}, expected {self.num_joints}")
        if len(set(self.joint_names)) != len(self.joint_names):
            faults.append("joint_names has a name more than once")
        if len(self.left) != len(self.right):
            faults.append(
                f"left has {len(self.left)} joints and right {len(self.right)}, expected as many"
            )
        sides = [*self.left, *self.right]
        if len(set(sides)) != len(sides):
            repeated = sorted({joint for joint in sides if sides.count(joint) > 1})
            faults.append(f"left and right have {_list(repeated)} more than once")
        if self.dim not in (2, 3):
            faults.append(f"dim is {self.dim}, expected 2 or 3")
        return faults

    def _bone_faults(self) -> list[str]:
        parents: dict[int, list[int]] = {joint: [] for joint in range(self.num_joints)}
        for child, parent in self.bones:
            parents[child].append(parent)
        faults = [
            f"joint {child} has {len(found)} bone pairs, to {_list(found)}, expected one: "
            "check that edges are (child, parent), or give bones"
            for child, found in parents.items()
            if len(found) > 1
        ]
        missing = [child for child, found in parents.items() if not found]
        if missing:
            faults.append(f"bones has no pair for the joints {_list(missing)}")
        return faults

    def _reached(self) -> set[int]:
        """Return the joints that a path of edges links to the centre."""
        neighbours: dict[int, set[int]] = {joint: set() for joint in range(self.num_joints)}
        for child, parent in self.edges:
            neighbours[child].add(parent)
            neighbours[parent].add(child)
        reached, front = {self.center}, {self.center}
        while front:
            front = set().union(*(neighbours[joint] for joint in front)) - reached
            reached |= front
        return reached


def _pair(pair: Sequence[int]) -> Pair:
    child, parent = pair
    return operator.index(child), operator.index(parent)


def _list(items: Iterable[object]) -> str:
    return ", ".join(str(item) for item in items)


def _bones_but(edges: tuple[Pair, ...], *exceptions: Pair) -> tuple[Pair, ...]:
    """Return ``edges`` with the pairs of the exceptions' joints replaced."""
    parents = dict(exceptions)
    return tuple((child, parents.pop(child, parent)) for child, parent in edges) + tuple(
        parents.items()
    )


_NTU_EDGES: tuple[Pair, ...] = (
    *((0, 1), (1, 20), (2, 20), (3, 2), (4, 20), (5, 4), (6, 5), (7, 6), (8, 20), (9, 8)),
    *((10, 9), (11, 10), (12, 0), (13, 12), (14, 13), (15, 14), (16, 0), (17, 16), (18, 17)),
    *((19, 18), (21, 7), (22, 7), (23, 11), (24, 11)),
)

# Joints of the Kinect v2, as in Shahroudy et al., "NTU RGB+D", CVPR 2016.
_NTURGBD = SkeletonLayout(
    name="nturgb+d",
    num_joints=25,
    edges=_NTU_EDGES,
    center=20,
    # In published bone streams the hand tip hangs on the thumb, unlike in the graph.
    bones=_bones_but(_NTU_EDGES, (21, 22), (22, 7), (23, 24), (24, 11), (20, 20)),
    joint_names=(
        *("spine_base", "spine_mid", "neck", "head"),
        *("left_shoulder", "left_elbow", "left_wrist", "left_hand"),
        *("right_shoulder", "right_elbow", "right_wrist", "right_hand"),
        *("left_hip", "left_knee", "left_ankle", "left_foot"),
        *("right_hip", "right_knee", "right_ankle", "right_foot"),
        *("spine_shoulder", "left_hand_tip", "left_thumb", "right_hand_tip", "right_thumb"),
    ),
    left=(4, 5, 6, 7, 12, 13, 14, 15, 21, 22),
    right=(8, 9, 10, 11, 16, 17, 18, 19, 23, 24),
    body_center=1,
    spine=(0, 1),
    shoulders=(8, 4),
    dim=3,
)

_COCO_EDGES: tuple[Pair, ...] = (
    *((15, 13), (13, 11), (16, 14), (14, 12), (11, 5), (12, 6), (9, 7), (7, 5), (10, 8)),
    *((8, 6), (5, 0), (6, 0), (1, 0), (3, 1), (2, 0), (4, 2)),
)

_COCO = SkeletonLayout(
    name="coco",
    num_joints=17,
    edges=_COCO_EDGES,
    center=0,
    # In published bone streams the hips hang on the nose, unlike in the graph.
    bones=_bones_but(_COCO_EDGES, (11, 0), (12, 0), (0, 0)),
    joint_names=(
        *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
        *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow"),
        *("left_wrist", "right_wrist", "left_hip", "right_hip"),
        *("left_knee", "right_knee", "left_ankle", "right_ankle"),
    ),
    left=(1, 3, 5, 7, 9, 11, 13, 15),
    right=(2, 4, 6, 8, 10, 12, 14, 16),
    dim=2,
)

_OPENPOSE = SkeletonLayout(
    name="openpose",
    num_joints=18,
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
    joint_names=(
        *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist"),
        *("left_shoulder", "left_elbow", "left_wrist"),
        *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
        *("right_eye", "left_eye", "right_ear", "left_ear"),
    ),
    left=(5, 6, 7, 11, 12, 13, 15, 17),
    right=(2, 3, 4, 8, 9, 10, 14, 16),
    dim=2,
)

# One hand, as MediaPipe numbers it; its mirror image is another hand, so it has no mirror pairs.
_HANDMP = SkeletonLayout(
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
    dim=2,
)

LAYOUTS: Mapping[str, SkeletonLayout] = MappingProxyType(
    {layout.name: layout for layout in (_NTURGBD, _COCO, _OPENPOSE, _HANDMP)}
)
"""The built-in layouts by name (read-only)."""

_FIELDS = tuple(SkeletonLayout.__dataclass_fields__)
_REQUIRED = ("num_joints", "edges", "center")
# The family's spelling → ours.
_ALIASES = {"num_node": "num_joints", "inward": "edges", "joints": "joint_names"}


def resolve_layout(layout: str | Mapping[str, Any] | SkeletonLayout) -> SkeletonLayout:
    """Return the layout that a config means.

    Args:
        layout: The name of a built-in layout, a layout, or a mapping of the arguments of
            :class:`SkeletonLayout`. A mapping may also say ``num_node``, ``inward`` and ``joints``
            for ``num_joints``, ``edges`` and ``joint_names``; its ``name`` may be left out.

    Raises:
        ConfigError: for an unknown name, or a mapping that does not make a layout.

    Example:
        >>> resolve_layout('coco').num_joints
        17
        >>> resolve_layout(dict(num_node=2, inward=[(1, 0)], center=0)).name
        'custom'
    """
    if isinstance(layout, SkeletonLayout):
        return layout
    if isinstance(layout, str):
        if layout not in LAYOUTS:
            raise ConfigError(
                f"there is no skeleton layout {layout!r}{did_you_mean(layout, LAYOUTS)}; a layout "
                "of your own is given as a dict with num_joints, edges and center"
            )
        return LAYOUTS[layout]
    if not isinstance(layout, Mapping):
        raise ConfigError(
            "a skeleton layout is a name, a dict or a SkeletonLayout, found "
            f"{type(layout).__name__}: {layout!r}"
        )
    values: dict[str, Any] = {}
    faults = []
    for key, value in layout.items():
        field = _ALIASES.get(key, key)
        if field not in _FIELDS:
            faults.append(f"unknown key {key!r}{did_you_mean(key, (*_FIELDS, *_ALIASES))}")
        elif field in values:
            faults.append(f"{field} is given twice (as {key!r} too)")
        else:
            values[field] = value
    name = values.setdefault("name", "custom")
    missing = [field for field in _REQUIRED if field not in values]
    if missing:
        faults.append(f"needs {_list(missing)}")
    if faults:
        raise ConfigError(f"skeleton layout {name!r}: " + "; ".join(faults))
    try:
        return SkeletonLayout(**values)
    except ValueError as error:
        raise ConfigError(str(error)) from error
