"""Drawings: well formed, everything there, nothing upon another, readable in a browser."""

from __future__ import annotations

import dataclasses
import math
import re
import sys
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

from pyskl.drawing.layout_drawing import layout_facts, layout_page, layout_svg
from pyskl.skeleton import LAYOUTS, SkeletonLayout
from pyskl.skeleton.tree_pose import tree_pose

sys.path.append(str(Path(__file__).parents[1] / "skeleton"))
from layouts import bodies, trees

SVG = "{http://www.w3.org/2000/svg}"


def discs(svg: str) -> dict[int, tuple[float, float, float]]:
    """Return the filled circle of each joint: x, y, radius."""
    found = {}
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        (circle,) = [each for each in group.iter(f"{SVG}circle") if each.get("fill") != "none"]
        number = group.find(f"{SVG}text")
        assert number is not None
        found[int(number.text or "")] = tuple(
            float(circle.get(key, "")) for key in ("cx", "cy", "r")
        )
    return found  # type: ignore[return-value]


def check_drawing(layout: SkeletonLayout) -> None:
    """Check that each joint and edge is drawn, within the picture, with a gap between joints."""
    svg = layout_svg(layout)
    root = ElementTree.fromstring(svg)
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    joints = discs(svg)
    assert sorted(joints) == list(range(layout.num_joints))
    assert all(r < x < width - r and r < y < height - r for x, y, r in joints.values())
    for (x1, y1, r1), (x2, y2, r2) in combinations(joints.values(), 2):
        assert math.dist((x1, y1), (x2, y2)) > r1 + r2
    assert svg.count("<title>edge from ") == len(layout.edges)


@pytest.mark.parametrize("name", LAYOUTS)
def test_drawings_of_the_built_in_layouts(name: str) -> None:
    layout = LAYOUTS[name]
    check_drawing(layout)
    svg = layout_svg(layout)
    for joint, text in enumerate(layout.joint_names):
        assert f"<title>{joint} {text}</title>" in svg
        assert f">{joint} {text}</text>" in svg
    joints = discs(svg)
    for left, right in zip(layout.left, layout.right):
        assert joints[left][0] > joints[right][0], "the body faces the viewer"
        assert joints[left][1] == joints[right][1]


@given(trees() | bodies())
@settings(deadline=None, max_examples=40)
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
    ways = re.findall(r'<path [^>]* d="([^"]*)"', layout_svg(row))
    assert [("Q" in way) for way in ways] == [False, True]


def test_odd_rest_poses_are_drawn() -> None:
    arm = SkeletonLayout("arm", 3, [(1, 0), (2, 1)], 0)
    for pose in ([(0, 0)] * 3, [(0, 0), (1e-9, 0), (1e9, 0)], [(-5e3, 1), (0, 2), (5e3, 1e-6)]):
        root = ElementTree.fromstring(layout_svg(dataclasses.replace(arm, rest_pose=pose)))
        assert float(root.get("width", "")) < 2000
        assert "nan" not in ElementTree.tostring(root, encoding="unicode")
    assert discs(layout_svg(SkeletonLayout("dot", 1, [], 0))).keys() == {0}


def test_names_cannot_break_out_of_a_drawing() -> None:
    names = ["</title><script>alert(1)</script>", '"&<', "a", "b"]
    layout = SkeletonLayout("<b>", 4, [(1, 0), (2, 1), (3, 2)], 0, joint_names=names)
    for text in (layout_svg(layout), layout_page(layout)):
        assert "<script>alert" not in text
        assert "<b>" not in text
    titles = [each.text for each in ElementTree.fromstring(layout_svg(layout)).iter(f"{SVG}title")]
    assert f"0 {names[0]}" in titles


def test_facts_are_told_by_name() -> None:
    facts = dict(layout_facts(LAYOUTS["coco"]))
    assert facts["centre of the graph"] == "0 nose"
    assert facts["shoulders, turned onto +x"] == "from 5 left_shoulder to 6 right_shoulder"
    assert facts["coordinates"].startswith("x, y (with a score")
    assert dict(layout_facts(LAYOUTS["h36m"]))["coordinates"] == "x, y, z"


# --- in a browser ---------------------------------------------------------------------------------

COVERED = """() => {
  const wanted = '.sk-layout > text, .sk-layout circle[fill=currentColor]';
  const shapes = document.querySelectorAll(wanted);
  const frame = document.querySelector('.sk-layout').getBoundingClientRect();
  const boxes = [...shapes].map((shape) => [shape.getBoundingClientRect(), shape.outerHTML]);
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
    && a.top < b.bottom - 3 && b.top < a.bottom - 3;
  const found = boxes.filter(([a]) => a.right > frame.right || a.bottom > frame.bottom);
  for (const [i, [a, one]] of boxes.entries())
    for (const [b, other] of boxes.slice(i + 1)) if (meet(a, b)) found.push([one, other]);
  return found;
}"""


@pytest.mark.parametrize("name", LAYOUTS)
def test_no_text_covers_another_in_a_browser(browser: Any, name: str, tmp_path: Path) -> None:
    path = tmp_path / "layout.svg"
    path.write_text(layout_svg(LAYOUTS[name]), encoding="utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    assert page.evaluate(COVERED) == []
    page.close()


def test_a_page_follows_light_and_dark_and_fetches_nothing(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "layout.html"
    path.write_text(layout_page(LAYOUTS["nturgb+d"]), encoding="utf-8")
    colours = {}
    errors: list[str] = []
    requests: list[str] = []
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        colours[scheme] = page.evaluate(
            "getComputedStyle(document.querySelector('.sk-left circle')).fill"
        )
        page.get_by_role("button", name="joint", exact=True).click()
        page.close()
    assert errors == []
    assert requests == [path.as_uri()] * 2
    assert colours == {"light": "rgb(31, 95, 191)", "dark": "rgb(127, 176, 255)"}
