"""Drawings of skeleton layouts as SVG: joints with their numbers, edges, bones, sides.

The colours are those of a page's roles (``pyskl/drawing/page.css``) where the drawing stands in
one, and else such as can be read on light and on dark ground.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import combinations

from pyskl.drawing.page import Section, page, table
from pyskl.skeleton.layout import Pair, Point, SkeletonLayout
from pyskl.skeleton.remarks import layout_remarks
from pyskl.skeleton.tree_pose import tree_pose

# Pixels. Joints are drawn so far apart that their circles leave a gap.
_RADIUS = 9.5
_APART = 24.0
_LEAST, _MOST = 440.0, 1400.0  # of the longer side
_MARGIN = 24.0
_LINE = 15.0  # of the list of names

# Contrast to white and to near-black is 4.5 or little less: a picture does not know its ground.
_COLOURS = {"left": "#2b76d2", "right": "#c2570c", "middle": "#717982"}
_STYLE = (
    ".sk-left{color:var(--left,#2b76d2)}.sk-right{color:var(--right,#c2570c)}"
    ".sk-middle{color:var(--faint,#717982)}.sk-number{fill:var(--ground,#fff)}"
    ".sk-layout text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,Arial,sans-serif}"
)


def layout_svg(layout: SkeletonLayout, *, names: bool = True) -> str:
    """Return a drawing of a layout as an SVG element, which is a picture of its own, too.

    Args:
        layout: The layout; without a rest pose it is drawn as a tree.
        names: Whether to list the joints' names beside the drawing. They are shown, too, where the
            mouse rests on a joint.

    Example:
        >>> arm = SkeletonLayout('arm', 2, edges=[(1, 0)], center=0)
        >>> layout_svg(arm).startswith('<svg ')
        True
    """
    places, radius, width, height = _placed(layout)
    lines = [
        *_links(layout, _bones_apart(layout), places, radius, bone=True),
        *_links(layout, layout.edges, places, radius, bone=False),
    ]
    joints = [_joint(layout, joint, places[joint], radius) for joint in range(len(places))]
    legend, legend_width, height = _legend(layout, width, height, names)
    title = escape(f"Skeleton layout {layout.name}: {layout.num_joints} joints")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sk-layout" role="img" '
        f'width="{width + legend_width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width + legend_width:.0f} {height:.0f}" '
        f'style="max-width:100%;height:auto" font-family="sans-serif">'
        f"<title>{title}</title><style>{_STYLE}</style>\n"
        + "\n".join([*lines, *joints, *legend])
        + "\n</svg>\n"
    )


def layout_page(layout: SkeletonLayout) -> str:
    """Return an HTML page about a layout: the drawing, its joints, and what is odd about it."""
    neighbours: dict[int, list[int]] = {joint: [] for joint in range(layout.num_joints)}
    for child, parent in layout.edges:
        neighbours[child].append(parent)
        neighbours[parent].append(child)
    joints = table(
        ["joint", "name", "edges to", "bone to", "mirror image"],
        [
            [
                joint,
                layout.joint_names[joint] if layout.joint_names else None,
                ", ".join(layout.label(other) for other in sorted(neighbours[joint])),
                None if parent == joint else layout.label(parent),
                None if layout.mirror[joint] == joint else layout.label(layout.mirror[joint]),
            ]
            for joint, parent in enumerate(layout.parents.tolist())
        ],
        sortable=True,
    )
    remarks = "".join(f"<li>{escape(remark)}</li>" for remark in layout_remarks(layout))
    sections = [
        Section("Drawing", layout_svg(layout, names=False)),
        Section("Facts", table(["", ""], layout_facts(layout))),
        Section("Joints", joints),
        Section("Remarks", f"<ul>{remarks}</ul>" if remarks else "<p>None.</p>"),
    ]
    return page(f"Skeleton layout {layout.name}", sections)


def layout_facts(layout: SkeletonLayout) -> list[tuple[str, str]]:
    """Return what a layout says beside its joints, worded for a reader: (what, value)."""
    (bottom, top), (right, left) = layout.spine, layout.shoulders
    channels = "x, y, z" if layout.dim == 3 else "x, y (with a score: x, y, score)"
    return [
        ("joints", str(layout.num_joints)),
        ("coordinates", channels),
        ("edges", str(len(layout.edges))),
        ("centre of the graph", layout.label(layout.center)),
        ("mirror pairs", str(len(layout.left))),
        ("body centre, to the origin", layout.label(layout.body_center)),
        ("spine, turned onto +z", f"from {layout.label(bottom)} to {layout.label(top)}"),
        ("shoulders, turned onto +x", f"from {layout.label(left)} to {layout.label(right)}"),
    ]


# --- where things are -----------------------------------------------------------------------------


def _placed(layout: SkeletonLayout) -> tuple[list[Point], float, float, float]:
    """Return the joints' pixels, the radius of their circles, and the drawing's width and height.

    The scale is the one at which the nearest two circles leave a gap, within the limits of a
    picture's size.
    """
    pose = layout.rest_pose or tree_pose(layout)
    low = [min(point[axis] for point in pose) for axis in (0, 1)]
    spans = [max(point[axis] for point in pose) - low[axis] for axis in (0, 1)]
    nearest = _nearest(pose)
    longer = max(*spans, 1e-9)
    scale = min(max(_APART / nearest, _LEAST / longer), _MOST / longer)
    if longer < 1e-6:  # one joint, or all at one place
        scale = 1.0
    if not layout.rest_pose:  # rows and columns of a tree
        scale = min(3 * _APART, _MOST / longer)
    radius = min(_RADIUS, max(3.0, 0.4 * nearest * scale))
    places = [(_MARGIN + (x - low[0]) * scale, _MARGIN + (y - low[1]) * scale) for x, y in pose]
    return places, radius, spans[0] * scale + 2 * _MARGIN, spans[1] * scale + 2 * _MARGIN


def _nearest(pose: Sequence[Point]) -> float:
    """Return the distance of the two nearest joints that are not at one place."""
    if len(pose) > 400:  # all pairs would take long
        return 1.0
    distances = [math.dist(one, other) for one, other in combinations(pose, 2)]
    return min((distance for distance in distances if distance > 0), default=1.0)


def _bones_apart(layout: SkeletonLayout) -> list[Pair]:
    """Return the bones that no edge is."""
    edges = {*layout.edges, *((parent, child) for child, parent in layout.edges)}
    return [bone for bone in layout.bones if bone not in edges and bone[0] != bone[1]]


# --- what is drawn --------------------------------------------------------------------------------


def _side(layout: SkeletonLayout, *joints: int) -> str:
    """Return the side that joints are of, if one of them is of a side and none of the other."""
    sides = {**dict.fromkeys(layout.left, "left"), **dict.fromkeys(layout.right, "right")}
    found = {sides[joint] for joint in joints if joint in sides}
    return found.pop() if len(found) == 1 else "middle"


def _paint(side: str) -> str:
    return f'class="sk-{side}" color="{_COLOURS[side]}"'


def _links(
    layout: SkeletonLayout,
    pairs: Sequence[Pair],
    places: Sequence[Point],
    radius: float,
    *,
    bone: bool,
) -> list[str]:
    dashes = ' stroke-dasharray="2 5"' if bone else ""
    stroke = 1.3 if bone else max(1.5, radius / 3.4)
    what = "bone" if bone else "edge"
    return [
        f'<path {_paint(_side(layout, child, parent))} d="{_way(places, child, parent, radius)}" '
        f'fill="none" stroke="currentColor" stroke-width="{stroke:.1f}"{dashes}>'
        f"<title>{what} from {escape(layout.label(child))} to {escape(layout.label(parent))}"
        "</title></path>"
        for child, parent in pairs
    ]


def _way(places: Sequence[Point], child: int, parent: int, radius: float) -> str:
    """Return a line between two joints, or an arc where the line would run into others."""
    (x1, y1), (x2, y2) = places[child], places[parent]
    others = [place for joint, place in enumerate(places) if joint not in (child, parent)]
    length = math.hypot(x2 - x1, y2 - y1)
    if not length or all(
        _off(other, places[child], places[parent]) > radius + 2 for other in others
    ):
        return f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"
    best, room = "", -1.0
    for bulge in (2.4 * radius, -2.4 * radius, 4.5 * radius, -4.5 * radius):
        # The middle of the arc lies half as far off the line as its control point.
        x = (x1 + x2) / 2 + 2 * bulge * (y2 - y1) / length
        y = (y1 + y2) / 2 - 2 * bulge * (x2 - x1) / length
        arc = [
            (
                (1 - part) ** 2 * x1 + 2 * part * (1 - part) * x + part**2 * x2,
                (1 - part) ** 2 * y1 + 2 * part * (1 - part) * y + part**2 * y2,
            )
            for part in _PARTS
        ]
        if _room(arc, others) > room + 1:
            best = f"M{x1:.1f} {y1:.1f}Q{x:.1f} {y:.1f} {x2:.1f} {y2:.1f}"
            room = _room(arc, others)
    return best


_PARTS = [step / 24 for step in range(25)]


def _off(point: Point, start: Point, end: Point) -> float:
    """Return the distance of a point from the line between two others."""
    (x, y), (x1, y1), (x2, y2) = point, start, end
    along = ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / ((x2 - x1) ** 2 + (y2 - y1) ** 2)
    part = min(max(along, 0.0), 1.0)
    return math.hypot(x - x1 - part * (x2 - x1), y - y1 - part * (y2 - y1))


def _room(line: Sequence[Point], others: Sequence[Point]) -> float:
    """Return how near the points of a line come to any of the other joints."""
    return min((math.dist(point, other) for point in line for other in others), default=math.inf)


def _joint(layout: SkeletonLayout, joint: int, place: Point, radius: float) -> str:
    x, y = place
    size = radius * (1.15 if joint < 100 else 0.95)
    ring = (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius + 3:.1f}" fill="none" '
        'stroke="currentColor" stroke-width="1.5"/>'
        if joint == layout.center
        else ""
    )
    return (
        f"<g {_paint(_side(layout, joint))}><title>{escape(layout.label(joint))}</title>{ring}"
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="currentColor"/>'
        f'<text class="sk-number" x="{x:.1f}" y="{y + 0.36 * size:.1f}" font-size="{size:.1f}" '
        f'text-anchor="middle" fill="#fff">{joint}</text></g>'
    )


def _legend(
    layout: SkeletonLayout, width: float, height: float, names: bool
) -> tuple[list[str], float, float]:
    """Return the list of names right of the drawing, its width, and the height of both."""
    keys = [("middle", "ring: the centre")]
    if layout.left:
        keys += [("left", "left side"), ("right", "right side")]
    if _bones_apart(layout):
        keys.append(("middle", "dashes: a bone that is no edge"))
    rows = list(keys)
    if names and layout.joint_names:
        rows.append(("middle", ""))
        rows += [(_side(layout, joint), layout.label(joint)) for joint in range(layout.num_joints)]
    height = max(height, _LINE * len(keys) + 2 * _MARGIN, 220.0 if len(rows) > 12 else 0.0)
    deep = max(len(keys), int((height - 2 * _MARGIN) / _LINE) + 1)
    columns = [rows[start : start + deep] for start in range(0, len(rows), deep)]
    texts, x = [], width + 8
    for column in columns:
        texts += [
            f'<text {_paint(side)} x="{x:.0f}" y="{_MARGIN + 4 + _LINE * row:.0f}" '
            f'font-size="12" fill="currentColor">{escape(text)}</text>'
            for row, (side, text) in enumerate(column)
            if text
        ]
        x += 6.6 * max(len(text) for _, text in column) + 22
    return texts, x - width, height
