"""Find the errors in skeleton layouts; ``layout_warnings`` has what is only unusual."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from pyskl.errors import ConfigError

if TYPE_CHECKING:
    from pyskl.skeleton.layout import Pair, SkeletonLayout

# The longest list in a message.
_SHOWN = 12


class LayoutError(ConfigError):
    """A skeleton layout has problems.

    Attributes:
        problems: The messages, without the layout's name.
    """

    problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, problems: Sequence[str], *, file: str = "") -> LayoutError:
        """Return an error that lists the problems of a layout.

        Args:
            name: The name of the layout.
            problems: At least one.
            file: The file that the layout was read from, if any.
        """
        where = f"{file}: " if file else ""
        error = cls(f"{where}skeleton layout {name!r}: " + "; ".join(problems))
        error.problems = tuple(problems)
        return error


# --- problems -------------------------------------------------------------------------------------


def layout_problems(layout: SkeletonLayout) -> list[str]:
    """Return everything that is wrong with a layout, in the order of its fields.

    The constructor of :class:`~pyskl.skeleton.SkeletonLayout` raises them; for a dict or a file use
    :func:`pyskl.skeleton.find_problems`.
    """
    if layout.num_joints < 1:
        return [f"num_joints is {layout.num_joints}, a layout has at least one joint"]
    outside = _outside(layout)
    if outside:  # the other checks index by joint
        return outside
    return [
        *_edge_problems(layout),
        *_bone_problems(layout),
        *_name_problems(layout),
        *_mirror_problems(layout),
        *([] if layout.dim in (2, 3) else [f"dim is {layout.dim}, expected 2 or 3"]),
        *_pose_problems(layout),
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
    problems = []
    for key, joints in groups.items():
        outside = sorted({joint for joint in joints if not 0 <= joint < layout.num_joints})
        if outside:
            problems.append(
                f"{key} has {listed(outside)}, outside the joints 0 to {layout.num_joints - 1}"
            )
    return problems


def _edge_problems(layout: SkeletonLayout) -> list[str]:
    problems = []
    loops = [edge for edge in layout.edges if edge[0] == edge[1]]
    if loops:
        problems.append(f"edges has {listed(loops)}, from a joint to itself")
    seen: set[Pair] = set()
    twice, both_ways = set(), set()
    for child, parent in layout.edges:
        if (child, parent) in seen:
            twice.add((child, parent))
        elif (parent, child) in seen:
            both_ways.add((parent, child))
        seen.add((child, parent))
    if twice:
        problems.append(f"edges has {listed(sorted(twice))} more than once")
    if both_ways:
        problems.append(f"edges has {listed(sorted(both_ways))} in both directions")
    reached = hops(layout)
    missing = layout.num_joints - len(reached)
    if missing:
        cut_off = (joint for joint in range(layout.num_joints) if joint not in reached)
        problems.append(
            f"edges does not link the joints {listed(cut_off, count=missing)} to the centre"
        )
    return problems


def _bone_problems(layout: SkeletonLayout) -> list[str]:
    parents: dict[int, list[int]] = {}
    for child, parent in layout.bones:
        parents.setdefault(child, []).append(parent)
    problems = [
        f"joint {child} has {len(found)} bone pairs, to {listed(found)}, expected one: "
        "check that edges are (child, parent), or give bones"
        for child, found in sorted(parents.items())
        if len(found) > 1
    ]
    missing = layout.num_joints - len(parents)
    if missing:
        lacking = (joint for joint in range(layout.num_joints) if joint not in parents)
        problems.append(f"bones has no pair for the joints {listed(lacking, count=missing)}")
    for cycle in _bone_cycles({child: found[0] for child, found in parents.items()}):
        problems.append(
            f"bones form a cycle, {_path(cycle)}; they must end at a joint that is its own parent"
        )
    return problems


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


def _name_problems(layout: SkeletonLayout) -> list[str]:
    problems = []
    names = layout.joint_names
    if names and len(names) != layout.num_joints:
        problems.append(f"joint_names has {len(names)}, expected {layout.num_joints}")
    if len(set(names)) != len(names):
        problems.append(f"joint_names has {listed(map(repr, _repeated(names)))} more than once")
    odd = [name for name in (layout.name, *names) if not name.isprintable()]
    if odd:
        problems.append(f"the names {listed(map(repr, odd))} can't be printed")
    return problems


def _mirror_problems(layout: SkeletonLayout) -> list[str]:
    problems = []
    if len(layout.left) != len(layout.right):
        problems.append(
            f"left has {len(layout.left)} joints and right {len(layout.right)}, expected the same "
            "number"
        )
    sides = [*layout.left, *layout.right]
    if len(set(sides)) != len(sides):
        problems.append(f"left and right have {listed(_repeated(sides))} more than once")
    if problems:
        return problems
    unlike = not_mirrored(layout, layout.edges, directed=False)
    if unlike:
        problems.append(
            "left and right do not mirror the edges: "
            f"{describe_unmirrored(unlike, 'an edge')}; check the "
            "order of both lists, or leave them empty if the skeleton is not symmetric"
        )
    return problems


def _pose_problems(layout: SkeletonLayout) -> list[str]:
    problems = []
    pose = layout.rest_pose
    if pose and len(pose) != layout.num_joints:
        problems.append(f"rest_pose has {len(pose)} points, expected {layout.num_joints}")
    if not all(math.isfinite(number) for point in pose for number in point):
        problems.append("rest_pose has numbers that are not finite")
    return problems


# --- shared with the warnings ---------------------------------------------------------------------


def hops(layout: SkeletonLayout) -> dict[int, int]:
    """Return the distance to the centre, in edges, of each joint that is linked to it."""
    neighbours: dict[int, set[int]] = {}
    for child, parent in layout.edges:
        neighbours.setdefault(child, set()).add(parent)
        neighbours.setdefault(parent, set()).add(child)
    found = {layout.center: 0}
    front = [layout.center]
    for joint in front:  # breadth first; the loop appends
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


def describe_unmirrored(unlike: Sequence[tuple[Pair, Pair]], what: str) -> str:
    """Describe the result of :func:`not_mirrored`."""
    shown = ", ".join(f"{image} of {pair}" for pair, image in unlike[:3])
    rest = f" and {len(unlike) - 3} more" if len(unlike) > 3 else ""
    return f"the image {shown}{rest} is not {what}"


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
