"""The checker: sound layouts pass, and each way to spoil one is named."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from layouts import bodies, trees

from pyskl.skeleton import (
    LAYOUTS,
    LayoutError,
    SkeletonLayout,
    find_problems,
    layout_problems,
    layout_warnings,
)

ARM = {"name": "arm", "num_joints": 4, "edges": [(1, 0), (2, 1), (3, 2)], "center": 0}


def problems_with(layout: SkeletonLayout, **changes: Any) -> list[str]:
    """Return the problems of a layout that is changed somewhere."""
    return find_problems({**dataclasses.asdict(layout), **changes})


@given(st.one_of(trees(), bodies()))
def test_valid_layouts_have_no_problems(layout: SkeletonLayout) -> None:
    assert layout_problems(layout) == []
    assert problems_with(layout) == []


@pytest.mark.parametrize("name", LAYOUTS)
def test_built_in_layouts_have_neither_problems_nor_warnings(name: str) -> None:
    assert find_problems(name) == []
    assert layout_warnings(LAYOUTS[name]) == []


@given(trees(), st.data())
def test_a_joint_cut_off_is_named(layout: SkeletonLayout, data: st.DataObject) -> None:
    assume(layout.edges)
    child, parent = data.draw(st.sampled_from(layout.edges))
    edges = [edge for edge in layout.edges if edge != (child, parent)]
    (problem,) = problems_with(layout, edges=edges)
    assert problem.startswith("edges does not link the joints ")
    named = [
        int(word)
        for word in problem.split("the joints ")[1].replace(",", " ").split()
        if word.isdigit()
    ]
    assert child in named or "more" in problem


@given(trees(), st.data())
def test_an_index_out_of_range_is_named(layout: SkeletonLayout, data: st.DataObject) -> None:
    wrong = data.draw(st.integers(-3, -1) | st.integers(layout.num_joints, 99))
    key = data.draw(st.sampled_from(["center", "body_center", "spine", "left", "edges", "bones"]))
    values = {"spine": (0, wrong), "left": (wrong,), "right": (0,), "edges": [(wrong, 0)]}
    values["bones"] = [*layout.bones, (0, wrong)]  # type: ignore[assignment]
    changes = {key: values.get(key, wrong)}
    if key == "left":
        changes["right"] = (0,)
    (problem,) = problems_with(layout, **changes)
    assert problem == f"{key} has {wrong}, outside the joints 0 to {layout.num_joints - 1}"


@given(trees(), st.data())
def test_a_cycle_of_bones_is_named(layout: SkeletonLayout, data: st.DataObject) -> None:
    assume(layout.num_joints > 2)
    ring = data.draw(st.lists(st.sampled_from(range(layout.num_joints)), min_size=2, unique=True))
    follower = dict(zip(ring, [*ring[1:], ring[0]]))
    bones = [(child, follower.get(child, parent)) for child, parent in layout.bones]
    problems = problems_with(layout, bones=bones)
    first = ring.index(min(ring))
    shown = [str(joint) for joint in [*ring[first:], *ring[:first]][:12]]
    cycle = f"form a cycle, {' → '.join(shown)} →"
    assert any(cycle in problem for problem in problems), problems


@given(trees(), st.data())
def test_an_edge_turned_round_is_named(layout: SkeletonLayout, data: st.DataObject) -> None:
    assume(layout.edges)
    turned = data.draw(st.sampled_from(layout.edges))
    edges = [edge[::-1] if edge == turned else edge for edge in layout.edges]
    bones = {key: value for key, value in dataclasses.asdict(layout).items() if key != "bones"}
    assert find_problems({**bones, "edges": edges}), "bones are the edges: somebody has two or none"
    # With bones of its own it is valid, with a warning.
    warnings = layout_warnings(dataclasses.replace(layout, edges=edges))
    assert any(
        f"{turned[::-1]}, which lead away from the centre" in warning for warning in warnings
    )


@given(trees(), st.data())
def test_an_edge_given_twice_is_named(layout: SkeletonLayout, data: st.DataObject) -> None:
    assume(layout.edges)
    child, parent = data.draw(st.sampled_from(layout.edges))
    problems = problems_with(layout, edges=[*layout.edges, (child, parent)])
    assert problems == [f"edges has {(child, parent)} more than once"]
    problems = problems_with(layout, edges=[*layout.edges, (parent, child)])
    assert problems == [f"edges has {(child, parent)} in both directions"]
    problems = problems_with(layout, edges=[*layout.edges, (child, child)])
    assert problems == [f"edges has {(child, child)}, from a joint to itself"]


@given(trees(), st.data())
def test_cycles_of_edges_are_valid_with_a_warning(
    layout: SkeletonLayout, data: st.DataObject
) -> None:
    joints = st.sampled_from(range(layout.num_joints))
    one, other = data.draw(joints), data.draw(joints)
    assume(one != other and not {(one, other), (other, one)} & set(layout.edges))
    cyclic = dataclasses.replace(layout, edges=(*layout.edges, (one, other)))
    assert any("1 more than a tree" in warning for warning in layout_warnings(cyclic))


@given(bodies(), st.data())
def test_mirror_pairs_that_do_not_mirror_are_named(
    layout: SkeletonLayout, data: st.DataObject
) -> None:
    """Swapping two joints of one list is a problem unless the skeleton has that symmetry, too."""
    assume(len(layout.left) > 1)
    a, b = data.draw(st.permutations(range(len(layout.left))))[:2]
    right = list(layout.right)
    right[a], right[b] = right[b], right[a]
    mirror = dict(zip((*layout.left, *right), (*right, *layout.left)))
    edges = {frozenset(edge) for edge in layout.edges}
    images = {frozenset(mirror.get(joint, joint) for joint in edge) for edge in edges}
    problems = problems_with(layout, right=right)
    assert bool(problems) == (images != edges)
    if problems:
        assert problems[0].startswith("left and right do not mirror the edges: the image (")


@given(bodies())
def test_lists_of_sides_that_do_not_fit_are_named(layout: SkeletonLayout) -> None:
    assert problems_with(layout, right=layout.right[1:]) == [
        f"left has {len(layout.left)} joints and right {len(layout.left) - 1}, expected the same "
        "number"
    ]
    assert problems_with(layout, right=(layout.left[0], *layout.right[1:])) == [
        f"left and right have {layout.left[0]} more than once"
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bones": [(0, 0), (1, 0), (2, 2), (3, 2)]}, "joints 0, 2 have bones of length zero"),
        ({"spine": (2, 2)}, "spine is joint 2 twice: PreNormalize3D does not turn bodies upright"),
        ({"rest_pose": [(0, 0), (1, 0), (1, 0), (2, 0)]}, "the joints 1, 2 at one point"),
    ],
)
def test_warnings(change: dict[str, Any], message: str) -> None:
    warnings = layout_warnings(
        SkeletonLayout(**{**ARM, "spine": (0, 1), "shoulders": (3, 0), **change})
    )
    assert len(warnings) == 1
    assert message in warnings[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, None),
        ({"joint_names": ["Hip", "LKnee", "RKnee", "LFoot", "RFoot"]}, None),
        ({"joint_names": ["hip", "knee L", "knee R", "foot L", "foot R"]}, None),
        ({"joint_names": ["hip", "rightKnee", "leftKnee", "a", "b"]}, "left has 1 rightKnee"),
        ({"joint_names": ["x", "left_a", "right_b", "left_b", "right_a"]}, "not 4 right_a"),
        ({"left": (), "right": (), "joint_names": ["hip", "l_1", "b", "c", "d"]}, "1 l_1"),
        ({"shoulders": (1, 2)}, r"shoulders is (1, 2), (left, right)"),
        ({"shoulders": (2, 3)}, "not a mirror pair"),
        (
            {"bones": [(1, 0), (2, 0), (3, 1), (4, 0)]},
            "not mirror the bones: the image (4, 2) of (3, 1)",
        ),
    ],
)
def test_warnings_about_sides(change: dict[str, Any], message: str | None) -> None:
    legs = {
        "name": "legs",
        "num_joints": 5,
        "edges": [(1, 0), (2, 0), (3, 1), (4, 2)],
        "center": 0,
        "left": [1, 3],
        "right": [2, 4],
        "spine": [1, 0],
        "shoulders": [2, 1],
        "joint_names": ["hip", "left_knee", "right_knee", "left_foot", "right_foot"],
    }
    warnings = layout_warnings(SkeletonLayout(**{**legs, **change}))
    if message is None:
        assert warnings == []
    else:
        assert any(message in warning for warning in warnings), warnings


def test_a_centre_on_one_side_gets_a_warning() -> None:
    layout = SkeletonLayout("hands", 2, [(1, 0)], 0, left=[0], right=[1], shoulders=(1, 0))
    assert any(
        "the centre 0 is on one side of the body" in each for each in layout_warnings(layout)
    )


def test_a_number_of_joints_that_is_nonsense_is_refused_without_counting_to_it() -> None:
    with pytest.raises(LayoutError, match=r"link the joints 4, 5, .* and 9999999999999984 more"):
        SkeletonLayout(**{**ARM, "num_joints": 10**16})
