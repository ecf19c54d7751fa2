"""Compare joint names with those of layouts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyskl.skeleton.builtin import LAYOUTS
from pyskl.skeleton.layout import SkeletonLayout


def joint_words(name: str) -> tuple[str, ...]:
    """Return the words of a joint's name, sorted, so that spellings of one name are equal.

    Case, separators and the order of the words do not matter; l and r are left and right.

    Example:
        >>> joint_words('ShoulderLeft') == joint_words('left_shoulder') == joint_words('L.Shoulder')
        True
    """
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+", name)
    sides = {"l": "left", "r": "right"}
    return tuple(sorted(sides.get(word.lower(), word.lower()) for word in words)) or (name,)


def as_in_layout(names: Sequence[str], layout: SkeletonLayout) -> tuple[str, ...]:
    """Return joint names, those of the layout's joints as the layout spells them.

    Example:
        >>> as_in_layout(['HandLeft', 'Tail'], LAYOUTS['nturgb+d'])
        ('left_hand', 'Tail')
    """
    spelt = {joint_words(name): name for name in layout.joint_names}
    if len(spelt) != len(layout.joint_names) or len(set(map(joint_words, names))) != len(names):
        return tuple(names)  # names that differ in nothing else
    return tuple(spelt.get(joint_words(name), name) for name in names)


def layout_with(names: Sequence[str]) -> SkeletonLayout | None:
    """Return the built-in layout whose joints have these names in any order, or None.

    Example:
        >>> layout_with(LAYOUTS['coco'].joint_names[::-1]).name
        'coco'
    """
    found = [
        layout
        for layout in LAYOUTS.values()
        if len(names) == layout.num_joints
        and set(as_in_layout(names, layout)) == set(layout.joint_names)
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
    names = as_in_layout(names or (), layout)
    if not names or len(names) != len(wanted) or names == wanted:
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
