"""Joint positions for drawing a layout that has no rest pose."""

from __future__ import annotations

from pyskl.skeleton.layout import Point, SkeletonLayout


def tree_pose(layout: SkeletonLayout) -> tuple[Point, ...]:
    """Return a point for each joint, drawn as a tree: the centre on top, one row for each distance.

    End joints are evenly spaced, and parents are centred above their children. The body faces the
    viewer, so its right side is on the left. Edges that close a cycle are ignored.

    Example:
        >>> arm = SkeletonLayout('arm', 3, edges=[(1, 0), (2, 0)], center=0)
        >>> tree_pose(arm)
        ((0.5, 0.0), (0.0, 1.0), (1.0, 1.0))
    """
    children, order = _spanning_tree(layout)
    depth = {layout.center: 0}
    for joint in order:
        for child in children[joint]:
            depth[child] = depth[joint] + 1
    across: dict[int, float] = {}
    waiting = [layout.center]  # depth first: end joints from left to right
    while waiting:
        joint = waiting.pop()
        if not children[joint]:
            across[joint] = float(len(across))
        waiting += reversed(children[joint])
    for joint in reversed(order):
        if children[joint]:
            ends = [across[child] for child in children[joint]]
            across[joint] = (ends[0] + ends[-1]) / 2
    return tuple((across[joint], float(depth[joint])) for joint in range(layout.num_joints))


def _spanning_tree(layout: SkeletonLayout) -> tuple[dict[int, list[int]], list[int]]:
    """Return the children of each joint, and all joints ordered by distance to the centre."""
    sides = {**dict.fromkeys(layout.right, -1), **dict.fromkeys(layout.left, 1)}
    neighbours: dict[int, set[int]] = {joint: set() for joint in range(layout.num_joints)}
    for child, parent in layout.edges:
        neighbours[child].add(parent)
        neighbours[parent].add(child)
    children: dict[int, list[int]] = {}
    order, seen = [layout.center], {layout.center}
    for joint in order:  # breadth first; the loop appends
        found = sorted(neighbours[joint] - seen, key=lambda other: (sides.get(other, 0), other))
        if sides.get(joint) == -1:
            found.reverse()  # so that it mirrors the left side
        children[joint] = found
        order += found
        seen.update(found)
    return children, order
