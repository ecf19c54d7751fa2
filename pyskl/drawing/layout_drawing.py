"""Drawings of skeleton layouts: joints with their numbers, edges, bones, sides."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as CurvePath
from scipy.spatial import KDTree

from pyskl.drawing.page import Section, page, palette, table
from pyskl.drawing.skeleton.picture import PixelFigure, svg_text
from pyskl.skeleton.layout import SkeletonLayout
from pyskl.skeleton.layout_warnings import layout_warnings
from pyskl.skeleton.tree_pose import tree_pose

# Pixels.
_RADIUS = 9.5  # of a joint; smaller where joints are close together
_SPACING = 24.0  # of the two closest joints, within the limits of the size
_MIN_SIZE, _MAX_SIZE = 440.0, 1400.0  # of the longer side
_MARGIN = 24.0
_LINE_HEIGHT = 15.0
_FONT_SIZE = 11.0


def layout_figure(layout: SkeletonLayout, *, names: bool = True) -> Figure:
    """Draw a layout: in its rest pose, or as a tree if it has none.

    Args:
        layout: The layout.
        names: Whether to list the joints' names next to the drawing.
    """
    points, radius = _joint_positions(layout)  # (V, 2)
    width, height = (points.max(axis=0) + _MARGIN).tolist()

    edges = {frozenset(edge) for edge in layout.edges}
    own_bones = [bone for bone in layout.bones if frozenset(bone) not in edges and len({*bone}) > 1]
    rows = [("faint", "ring: the centre")]
    if layout.left:
        rows += [("left", "left side"), ("right", "right side")]
    if own_bones:
        rows.append(("faint", "dashes: a bone that is no edge"))
    keys = len(rows)
    if names and layout.joint_names:
        labels = [(_side(layout, v), layout.label(v)) for v in range(layout.num_joints)]
        rows += [("faint", ""), *labels]
    height = max(height, _LINE_HEIGHT * keys + 2 * _MARGIN, 220.0 if len(rows) > 12 else 0.0)
    column_length = max(keys, int((height - 2 * _MARGIN) / _LINE_HEIGHT) + 1)
    columns = [rows[start : start + column_length] for start in range(0, len(rows), column_length)]
    widths = [0.62 * _FONT_SIZE * max(len(text) for _, text in column) + 18 for column in columns]

    canvas = PixelFigure(np.ceil(width + 8 + sum(widths)), np.ceil(height))
    canvas.figure.set_label(f"Skeleton layout {layout.name}: {layout.num_joints} joints")
    axes = canvas.axes(0, 0, canvas.width, canvas.height)
    for pairs, line_width, style in (
        (own_bones, 1.3, (0, (1.5, 3.5))),
        (layout.edges, max(1.5, radius / 3.4), "solid"),
    ):
        for child, parent in pairs:
            colour = canvas.colours[_side(layout, child, parent)]
            line = PathPatch(_link(points, child, parent, radius), fill=False, ec=colour)
            line.set(linewidth=line_width, linestyle=style, gid=f"edge-{child}-{parent}")
            axes.add_patch(line)
    colours = [canvas.colours[_side(layout, joint)] for joint in range(layout.num_joints)]
    x, y = points.T
    axes.scatter(x, y, s=(2 * radius) ** 2, c=colours, linewidths=0, zorder=2, gid="joints")
    axes.scatter(
        x[[layout.center]],
        y[[layout.center]],
        s=(2 * radius + 6) ** 2,
        facecolors="none",
        edgecolors=colours[layout.center],
        linewidths=1.5,
        zorder=2,
    )
    for joint in range(layout.num_joints):
        size = radius * (1.15 if joint < 100 else 0.95)
        axes.text(
            x[joint],
            y[joint] + 0.36 * size,
            str(joint),
            fontsize=size,
            color=canvas.colours["ground"],
            ha="center",
            gid=f"joint-{joint}",
            zorder=3,
        )
    left = width + 8
    for column, column_width in zip(columns, widths):
        for row, (role, text) in enumerate(column):
            canvas.text(left, _MARGIN + 4 + _LINE_HEIGHT * row, text, role=role, size=_FONT_SIZE)
        left += column_width
    return canvas.figure


def layout_svg(layout: SkeletonLayout, *, names: bool = True) -> str:
    """Return the drawing of :func:`layout_figure` as an SVG element, which is also a valid file.

    Example:
        >>> arm = SkeletonLayout('arm', 2, edges=[(1, 0)], center=0)
        >>> layout_svg(arm).startswith('<svg ')
        True
    """
    figure = layout_figure(layout, names=names)
    return svg_text(figure, str(figure.get_label()))


def layout_page(layout: SkeletonLayout) -> str:
    """Return an HTML page about a layout: the drawing, its joints, and warnings."""
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
    drawing = layout_svg(layout, names=False)
    for role, colour in palette().items():  # follow the page's light or dark theme
        drawing = drawing.replace(colour, f"var(--{role})")
    warnings = "".join(f"<li>{escape(warning)}</li>" for warning in layout_warnings(layout))
    sections = [
        Section("Drawing", f'<div class="scroll">{drawing}</div>'),
        Section("Facts", table(["", ""], layout_facts(layout))),
        Section("Joints", joints),
        Section("Warnings", f"<ul>{warnings}</ul>" if warnings else "<p>None.</p>"),
    ]
    return page(f"Skeleton layout {layout.name}", sections)


def layout_facts(layout: SkeletonLayout) -> list[tuple[str, str]]:
    """Return the properties of a layout apart from its joints, in words: (property, value)."""
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


def _joint_positions(layout: SkeletonLayout) -> tuple[np.ndarray, float]:
    """Return the joints' positions in pixels (V, 2) and the radius of their circles.

    The scale is chosen so that the two closest circles leave a gap, within the size limits.
    """
    pose = np.array(layout.rest_pose or tree_pose(layout), dtype=float)  # (V, 2)
    pose -= pose.min(axis=0)
    longer = float(pose.max())
    unique = np.unique(pose, axis=0)
    closest = 1.0
    if len(unique) > 1:
        closest = float(KDTree(unique).query(unique, k=2)[0][:, 1].min())
    if longer < 1e-6:  # one joint, or all in one place
        scale = 1.0
    elif layout.rest_pose:
        scale = min(max(_SPACING / closest, _MIN_SIZE / longer), _MAX_SIZE / longer)
    else:
        scale = min(3 * _SPACING, _MAX_SIZE / longer)
    return pose * scale + _MARGIN, min(_RADIUS, max(3.0, 0.4 * closest * scale))


def _side(layout: SkeletonLayout, *joints: int) -> str:
    """Return the colour role of joints: left or right if all of those with a side are on it."""
    sides = {**dict.fromkeys(layout.left, "left"), **dict.fromkeys(layout.right, "right")}
    found = {sides[joint] for joint in joints if joint in sides}
    return found.pop() if len(found) == 1 else "faint"


def _link(points: np.ndarray, child: int, parent: int, radius: float) -> CurvePath:
    """Return a line between two joints, or the arc that best avoids the other joints."""
    start, end = points[child], points[parent]
    others = np.delete(points, [child, parent], axis=0)  # (V - 2, 2)
    length = float(np.hypot(*(end - start))) or 1.0
    normal = np.array([end[1] - start[1], start[0] - end[0]]) / length
    share = np.linspace(0, 1, 25)[:, None]
    controls: Sequence[np.ndarray] = [
        # The middle of a quadratic Bezier curve is half as far off the line as its control point.
        (start + end) / 2 + 2 * bulge * radius * normal
        for bulge in (0, 2.4, -2.4, 4.5, -4.5)
    ]
    best, best_room = controls[0], -1.0
    for control in controls:
        curve = (1 - share) ** 2 * start + 2 * share * (1 - share) * control + share**2 * end
        distances = np.linalg.norm(curve[:, None] - others[None], axis=-1)
        room = float(distances.min(initial=np.inf))
        if control is controls[0] and room > radius + 2:
            break
        if control is not controls[0] and room > best_room + 1:
            best, best_room = control, room
    return CurvePath([start, best, end], [CurvePath.MOVETO, CurvePath.CURVE3, CurvePath.CURVE3])
