"""Faults of skeleton layouts; legal but unusual ones get :mod:`pyskl.skeleton.layout_warnings`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from pyskl.errors import ConfigError

if TYPE_CHECKING:
    from pyskl.skeleton.layout import Pair, SkeletonLayout

# How many items of a list a message shows.
_SHOWN = 12


class LayoutError(ConfigError):
    """A skeleton layout has faults.

    Attributes:
        faults: The messages, without the layout's name.
    """

    faults: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, faults: Sequence[str], *, file: str = "") -> LayoutError:
        """Return the error that lists the faults of a layout.

        Args:
            name: The name of the layout.
            faults: At least one.
            file: The file that the layout was read from, if any.
        """
        where = f"{file}: " if file else ""
        error = cls(f"{where}skeleton layout {name!r}: " + "; ".join(faults))
        error.faults = tuple(faults)
        return error


# --- faults ---------------------------------------------------------------------------------------


def layout_faults(layout: SkeletonLayout) -> list[str]:
    """Return everything that is wrong with a layout, in the order of its fields.

    The constructor of :class:`~pyskl.skeleton.SkeletonLayout` raises them; for a dict or a file use
    :func:`pyskl.skeleton.find_faults`.
    """
    if layout.num_joints < 1:
        return [f"num_joints is {layout.num_joints}, a layout has at least one joint"]
    outside = _outside(layout)
    if outside:  # the other checks index by joint
        return outside
    return [
        *_edge_faults(layout),
        *_bone_faults(layout),
        *_name_faults(layout),
        *_mirror_faults(layout),
        *([] if layout.dim in (2, 3) else [f"dim is {layout.dim}, expected 2 or 3"]),
        *_pose_faults(layout),
    ]


def _outside(layout: SkeletonLayout) -> list[str]:
    groups: dict[str, Iterable[int]] = {
        "edges": (joint for edge in layout.edges for joint in edge),
        "center": [layout.center],
        "bones": (joint for bone in layout.bones for joint in bone),
        "left": layout.left,
        "right": layout.right,
        "body_center": [layout.body_center],
        "spine": layout.spine,
        "shoulders": layout.shoulders,
    }
    faults = []
    for key, joints in groups.items():
        outside = sorted({joint for joint in joints if not 0 <= joint < layout.num_joints})
        if outside:
            faults.append(
                f"{key} has {listed(outside)}, outside of the joints 0 to {layout.num_joints - 1}"
            )
    return faults


def _edge_faults(layout: SkeletonLayout) -> list[str]:
    faults = []
    loops = [edge for edge in layout.edges if edge[0] == edge[1]]
    if loops:
        faults.append(f"edges has {listed(loops)}, from a joint to itself")
    seen: set[Pair] = set()
    twice, both_ways = set(), set()
    for child, parent in layout.edges:
        if (child, parent) in seen:
            twice.add((child, parent))
        elif (parent, child) in seen:
            both_ways.add((parent, child))
        seen.add((child, parent))
    if twice:
        faults.append(f"edges has {listed(sorted(twice))} more than once")
    if both_ways:
        faults.append(f"edges has {listed(sorted(both_ways))} both ways, expected (child, parent)")
    reached = hops(layout)
    missing = layout.num_joints - len(reached)
    if missing:
        cut_off = (joint for joint in range(layout.num_joints) if joint not in reached)
        faults.append(
            f"edges does not link the joints {listed(cut_off, count=missing)} to the centre"
        )
    return faults


def _bone_faults(layout: SkeletonLayout) -> list[str]:
    parents: dict[int, list[int]] = {}
    for child, parent in layout.bones:
        parents.setdefault(child, []).append(parent)
    faults = [
        f"joint {child} has {len(found)} bone pairs, to {listed(found)}, expected one: "
        "check that edges are (child, parent), or give bones"
        for child, found in sorted(parents.items())
        if len(found) > 1
    ]
    missing = layout.num_joints - len(parents)
    if missing:
        lacking = (joint for joint in range(layout.num_joints) if joint not in parents)
        faults.append(f"bones has no pair for the joints {listed(lacking, count=missing)}")
    for cycle in _bone_cycles({child: found[0] for child, found in parents.items()}):
        faults.append(
            f"bones lead in a circle, {_path(cycle)}, and never to a joint that is its own parent"
        )
    return faults


def _bone_cycles(parents: dict[int, int]) -> Iterator[list[int]]:
    """Yield the joints of each cycle of bones, starting at its lowest joint."""
    done: set[int] = set()
    for start in sorted(parents):
        walk: dict[int, None] = {}  # in order
        joint = start
        while joint in parents and joint not in walk and joint not in done:
            walk[joint] = None
            joint = parents[joint]
        done |= walk.keys()
        if joint in walk and parents[joint] != joint:
            cycle = list(walk)[list(walk).index(joint) :]
            first = cycle.index(min(cycle))
            yield [*cycle[first:], *cycle[:first]]


def _name_faults(layout: SkeletonLayout) -> list[str]:
    faults = []
    names = layout.joint_names
    if names and len(names) != layout.num_joints:
        faults.append(f"joint_names has {len(names)}, expected {layout.num_joints}")
    if len(set(names)) != len(names):
        faults.append(f"joint_names has {listed(map(repr, _repeated(names)))} more than once")
    odd = [name for name in (layout.name, *names) if not name.isprintable()]
    if odd:
        faults.append(f"the names {listed(map(repr, odd))} can't be printed")
    return faults


def _mirror_faults(layout: SkeletonLayout) -> list[str]:
    faults = []
    if len(layout.left) != len(layout.right):
        faults.append(
            f"left has {len(layout.left)} joints and right {len(layout.right)}, expected as many"
        )
    sides = [*layout.left, *layout.right]
    if len(set(sides)) != len(sides):
        faults.append(f"left and right have {listed(_repeated(sides))} more than once")
    if faults:
        return faults
    unlike = not_mirrored(layout, layout.edges, directed=False)
    if unlike:
        faults.append(
            f"left and right do not mirror the edges: {unlike_text(unlike, 'edge')}; check the "
            "order of both lists, or leave them empty if the skeleton has no two sides"
        )
    return faults


def _pose_faults(layout: SkeletonLayout) -> list[str]:
    faults = []
    pose = layout.rest_pose
    if pose and len(pose) != layout.num_joints:
        faults.append(f"rest_pose has {len(pose)} points, expected {layout.num_joints}")
    if not all(math.isfinite(number) for point in pose for number in point):
        faults.append("rest_pose has numbers that are not finite")
    return faults


# --- shared with the warnings ---------------------------------------------------------------------


def hops(layout: SkeletonLayout) -> dict[int, int]:
    """Return the distance to the centre, in edges, of each joint that is linked to it."""
    neighbours: dict[int, set[int]] = {}
    for child, parent in layout.edges:
        neighbours.setdefault(child, set()).add(parent)
        neighbours.setdefault(parent, set()).add(child)
    found = {layout.center: 0}
    front = [layout.center]
    for joint in front:  # grows in the loop
        for other in neighbours.get(joint, ()):
            if other not in found:
                found[other] = found[joint] + 1
                front.append(other)
    return found


def not_mirrored(
    layout: SkeletonLayout, pairs: Sequence[Pair], *, directed: bool
) -> list[tuple[Pair, Pair]]:
    """Return (pair, mirror image) for the pairs whose mirror image is not among ``pairs``."""
    mirror = dict(zip((*layout.left, *layout.right), (*layout.right, *layout.left)))
    known = set(pairs)
    if not directed:
        known |= {(parent, child) for child, parent in pairs}
    images = [
        ((child, parent), (mirror.get(child, child), mirror.get(parent, parent)))
        for child, parent in pairs
    ]
    return [(pair, image) for pair, image in images if image not in known]


def unlike_text(unlike: Sequence[tuple[Pair, Pair]], what: str) -> str:
    """Describe the result of :func:`not_mirrored`."""
    shown = ", ".join(f"{image} of {pair}" for pair, image in unlike[:3])
    rest = f" and {len(unlike) - 3} more" if len(unlike) > 3 else ""
    return f"the image {shown}{rest} is no {what}"


def _repeated(items: Iterable[Any]) -> list[Any]:
    return sorted(item for item, count in Counter(items).items() if count > 1)


def _path(joints: Sequence[int]) -> str:
    shown = [str(joint) for joint in joints[:_SHOWN]]
    return " → ".join([*shown, *(["..."] if len(joints) > _SHOWN else []), str(joints[0])])


def listed(items: Iterable[object], *, count: int | None = None) -> str:
    """Return the first items as text.

    Args:
        items: What to list.
        count: The number of items, if counting them would take too long.
    """
    if count is None:
        items = list(items)
        count = len(items)
    shown = ", ".join(str(item) for item in islice(items, _SHOWN))
    return f"{shown} and {count - _SHOWN} more" if count > _SHOWN else shown
