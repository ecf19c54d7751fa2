"""Drawings: well formed, everything there, nothing upon another, readable in a browser."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings

from pyskl.drawing.layout_drawing import layout_facts, layout_figure, layout_page, layout_svg
from pyskl.skeleton import LAYOUTS, SkeletonLayout
from pyskl.skeleton.tree_pose import tree_pose

sys.path.append(str(Path(__file__).parents[1] / "skeleton"))
from layouts import bodies, trees

SVG = "{http://www.w3.org/2000/svg}"


def joints_of(layout: SkeletonLayout) -> tuple[np.ndarray, float]:
    """Return the joints' positions in pixels (V, 2), and the radius of their discs."""
    (axes,) = layout_figure(layout).axes
    (discs,) = (collection for collection in axes.collections if collection.get_gid() == "joints")
    return np.asarray(discs.get_offsets()), math.sqrt(discs.get_sizes()[0]) / 2


def check_drawing(layout: SkeletonLayout) -> None:
    """Check that each joint and edge is drawn, within the picture, with a gap between joints."""
    svg = layout_svg(layout)
    root = ElementTree.fromstring(svg)
    size = np.array([float(root.get("width", "")), float(root.get("height", ""))])
    points, radius = joints_of(layout)
    assert len(points) == layout.num_joints
    assert (points > radius).all()
    assert (points < size - radius).all()
    for one, other in combinations(points, 2):
        assert math.dist(one, other) > 2 * radius
    identities = {group.get("id") for group in root.iter(f"{SVG}g")}
    assert {f"edge-{child}-{parent}" for child, parent in layout.edges} <= identities
    assert {f"joint-{joint}" for joint in range(layout.num_joints)} <= identities


@pytest.mark.parametrize("name", LAYOUTS)
def test_drawings_of_the_built_in_layouts(name: str) -> None:
    layout = LAYOUTS[name]
    check_drawing(layout)
    svg = layout_svg(layout)
    assert svg == layout_svg(layout)
    for joint, text in enumerate(layout.joint_names):
        assert f">{joint} {text}</text>" in svg
    points, _ = joints_of(layout)
    for left, right in zip(layout.left, layout.right):
        assert points[left, 0] > points[right, 0], "the body faces the viewer"
        assert points[left, 1] == pytest.approx(points[right, 1])


@given(trees() | bodies())
@settings(deadline=None, max_examples=15)
def test_drawings_of_layouts_without_a_rest_pose(layout: SkeletonLayout) -> None:
    check_drawing(layout)


@given(bodies())
@settings(deadline=None)
def test_a_tree_has_no_crossing_edges_and_its_right_side_on_the_left(
    layout: SkeletonLayout,
) -> None:
    pose = tree_pose(layout)
    assert len(set(pose)) == layout.num_joints
    assert pose[layout.center][1] == 0
    for child, parent in layout.edges:
        assert pose[child][1] == pose[parent][1] + 1
    lines = [(pose[parent], pose[child]) for child, parent in layout.edges]
    for (top1, low1), (top2, low2) in combinations(lines, 2):
        if top1[1] == top2[1] and top1 != top2:  # of the same two rows
            assert (top1[0] < top2[0]) == (low1[0] < low2[0])
    for left, right in zip(layout.left, layout.right):
        assert pose[right][0] < pose[left][0]


def test_a_line_that_would_run_into_a_joint_is_bent() -> None:
    row = SkeletonLayout(
        "row", 3, [(1, 0), (2, 0)], 0, rest_pose=[(0, 0), (1, 0), (2, 0)], shoulders=(0, 0)
    )
    (axes,) = layout_figure(row).axes
    heights = [np.ptp(patch.get_path().vertices[:, 1]) for patch in axes.patches]
    assert [height > 0 for height in heights] == [False, True]


def test_odd_rest_poses_are_drawn() -> None:
    arm = SkeletonLayout("arm", 3, [(1, 0), (2, 1)], 0)
    for pose in ([(0, 0)] * 3, [(0, 0), (1e-9, 0), (1e9, 0)], [(-5e3, 1), (0, 2), (5e3, 1e-6)]):
        root = ElementTree.fromstring(layout_svg(dataclasses.replace(arm, rest_pose=pose)))
        assert float(root.get("width", "")) < 2000
        assert "nan" not in ElementTree.tostring(root, encoding="unicode")
    check_drawing(SkeletonLayout("dot", 1, [], 0))


def test_names_cannot_break_out_of_a_drawing() -> None:
    names = ["</title><script>alert(1)</script>", '"&<', "a", "b"]
    layout = SkeletonLayout("<b>", 4, [(1, 0), (2, 1), (3, 2)], 0, joint_names=names)
    for text in (layout_svg(layout), layout_page(layout)):
        assert "<script>alert" not in text
        assert "<b>" not in text
    texts = [each.text for each in ElementTree.fromstring(layout_svg(layout)).iter(f"{SVG}text")]
    assert f"0 {names[0]}" in texts


def test_facts_are_told_by_name() -> None:
    facts = dict(layout_facts(LAYOUTS["coco"]))
    assert facts["centre of the graph"] == "0 nose"
    assert facts["shoulders, turned onto +x"] == "from 5 left_shoulder to 6 right_shoulder"
    assert facts["coordinates"].startswith("x, y (with a score")
    assert dict(layout_facts(LAYOUTS["h36m"]))["coordinates"] == "x, y, z"


# --- in a browser ---------------------------------------------------------------------------------

COVERED = """() => {
  const frame = document.querySelector('svg').getBoundingClientRect();
  const boxes = [...document.querySelectorAll('text')].map(
    (text) => [text.getBoundingClientRect(), text.textContent]);
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
    && a.top < b.bottom - 3 && b.top < a.bottom - 3;
  const found = boxes.filter(([a]) => a.right > frame.right || a.bottom > frame.bottom);
  for (const [i, [a, one]] of boxes.entries())
    for (const [b, other] of boxes.slice(i + 1)) if (meet(a, b)) found.push([one, other]);
  return found;
}"""


@pytest.mark.parametrize("name", LAYOUTS)
def test_no_text_covers_another_in_a_browser(open_page: Callable[..., Any], name: str) -> None:
    tab = open_page(layout_svg(LAYOUTS[name]), suffix=".svg")
    assert tab.evaluate(COVERED) == []


def test_a_page_follows_light_and_dark(open_page: Callable[..., Any]) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        tab = open_page(layout_page(LAYOUTS["nturgb+d"]), color_scheme=scheme)
        colours[scheme] = tab.evaluate(
            "getComputedStyle(document.querySelector('#edge-5-4 path')).stroke"
        )
        tab.get_by_role("button", name="joint", exact=True).click()
    assert colours == {"light": "rgb(31, 95, 191)", "dark": "rgb(127, 176, 255)"}
