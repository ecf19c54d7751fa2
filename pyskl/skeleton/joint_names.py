"""Compare joint names with those of layouts."""

from __future__ import annotations

from collections.abc import Sequence

from pyskl.skeleton.builtin import LAYOUTS
from pyskl.skeleton.layout import SkeletonLayout


def layout_with(names: Sequence[str]) -> SkeletonLayout | None:
    """Return the built-in layout whose joints have these names in any order, or None.

    Example:
        >>> layout_with(LAYOUTS['coco'].joint_names[::-1]).name
        'coco'
    """
    found = [
        layout
        for layout in LAYOUTS.values()
        if len(names) == layout.num_joints and set(names) == set(layout.joint_names)
    ]
    return found[0] if found else None


def joint_names_problem(names: Sequence[str] | None, layout: SkeletonLayout) -> str | None:
    """Return how joint names differ from those of a layout, or None if they don't.

    Args:
        names: The joint names in order, if known.
        layout: The layout. The result is None if it has no names or another number of joints.

    Example:
        >>> arm = SkeletonLayout('arm', 2, [(1, 0)], 0, joint_names=['elbow', 'wrist'])
        >>> joint_names_problem(['wrist', 'elbow'], arm)
        "the joints of the samples are those of the layout 'arm' in another order: joint 0 is \
'wrist', not 'elbow'"
    """
    wanted = layout.joint_names
    if not names or len(names) != len(wanted) or tuple(names) == wanted:
        return None
    joint = next(joint for joint, name in enumerate(wanted) if names[joint] != name)
    how = (
        f"those of the layout {layout.name!r} in another order"
        if set(names) == set(wanted)
        else f"not those of the layout {layout.name!r}"
    )
    return (
        f"the joints of the samples are {how}: joint {joint} is {names[joint]!r}, not "
        f"{wanted[joint]!r}"
    )
