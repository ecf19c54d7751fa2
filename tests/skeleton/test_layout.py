from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import trees

from pyskl.errors import ConfigError
from pyskl.skeleton import LAYOUTS, LayoutError, SkeletonLayout, resolve_layout

ARM = {"name": "arm", "num_joints": 4, "edges": [(1, 0), (2, 1), (3, 2)], "center": 0}


@given(trees())
def test_bones_of_a_tree_lead_every_joint_to_the_centre(layout: SkeletonLayout) -> None:
    assert sorted(child for child, _ in layout.bones) == list(range(layout.num_joints))
    assert layout.parents[layout.center] == layout.center
    joints = np.arange(layout.num_joints)
    for _ in range(layout.num_joints):
        joints = layout.parents[joints]
    assert (joints == layout.center).all()


@given(trees())
def test_a_layout_survives_pickle_and_replace(layout: SkeletonLayout) -> None:
    assert pickle.loads(pickle.dumps(layout)) == layout
    assert dataclasses.replace(layout, name="tree") == layout


@given(trees(), st.data())
def test_a_tree_that_lacks_an_edge_is_refused(layout: SkeletonLayout, data: st.DataObject) -> None:
    if not layout.edges:
        return
    lost = data.draw(st.sampled_from(layout.edges))
    edges = [edge for edge in layout.edges if edge != lost]
    with pytest.raises(ValueError, match=r"does not link the joints ") as caught:
        SkeletonLayout("tree", layout.num_joints, edges, layout.center)
    assert isinstance(caught.value, LayoutError)


def test_joints_that_normalisation_turns_about() -> None:
    ntu, coco = LAYOUTS["nturgb+d"], LAYOUTS["coco"]
    assert (ntu.body_center, ntu.spine, ntu.shoulders) == (1, (0, 1), (8, 4))
    assert coco.joint_names[coco.body_center] == "nose"
    # A layout that does not state them: nothing is assumed of it.
    for joints, center in ((4, 0), (25, 3), (17, 16)):
        edges = [(joint, center) for joint in range(joints) if joint != center]
        star = SkeletonLayout("star", joints, edges, center)
        assert star.body_center == center
        assert star.spine == star.shoulders == (center, center)
    family = ("nturgb+d", "coco", "openpose", "handmp")
    assert [LAYOUTS[name].dim for name in family] == [3, 2, 2, 2]
    assert SkeletonLayout(**ARM).dim == 3


def test_the_mirror_image_of_a_mirror_image_is_the_joint() -> None:
    layout = SkeletonLayout("y", 4, [(1, 0), (2, 0), (3, 0)], 0, left=[1], right=[3])
    np.testing.assert_array_equal(layout.mirror, [0, 3, 2, 1])
    np.testing.assert_array_equal(layout.mirror[layout.mirror], np.arange(4))


def test_layouts_are_read_only() -> None:
    with pytest.raises(TypeError):
        LAYOUTS["mine"] = LAYOUTS["coco"]  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        LAYOUTS["coco"].center = 1  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        LAYOUTS["coco"].parents[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        LAYOUTS["coco"].mirror[0] = 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_joints": 0}, "num_joints is 0"),
        ({"num_joints": 3}, "edges has 3, outside the joints 0 to 2"),
        ({"num_joints": "4"}, "num_joints is '4', expected a whole number"),
        ({"num_joints": True}, "num_joints is True, expected a whole number"),
        ({"center": 4}, "center has 4"),
        ({"center": None}, "center is None, expected a whole number"),
        ({"edges": [(1, 0), (2, 1), (3, 3)]}, r"\(3, 3\), from a joint to itself"),
        ({"edges": [(1, 0), (2, 1), (3, 2), (3, 2)]}, r"\(3, 2\) more than once"),
        ({"edges": [(1, 0), (2, 1), (3, 2), (2, 3)]}, r"\(3, 2\) in both directions"),
        ({"edges": [(1, 0), (2, 1)]}, "does not link the joints 3"),
        ({"edges": [(1, 0), (2, 1), (2, 3)]}, "joint 2 has 2 bone pairs, to 1, 3"),
        ({"edges": [1, 2]}, r"edges is \[1, 2\], expected pairs"),
        ({"edges": [(1.5, 0)]}, "edges is .* of whole numbers"),
        ({"edges": [(1, 0, 2)]}, "pairs"),
        ({"edges": "10"}, "edges is '10', expected pairs"),
        ({"bones": [(1, 0), (2, 1)]}, "bones has no pair for the joints 3"),
        ({"bones": [(1, 0), (2, 1), (3, 2), (3, 1)]}, "joint 3 has 2 bone pairs"),
        ({"bones": [(1, 2), (2, 3), (3, 1)]}, "bones form a cycle, 1 → 2 → 3 → 1"),
        ({"bones": [(0, 1), (1, 0), (2, 3), (3, 2)]}, "0 → 1 → 0.*2 → 3 → 2"),
        ({"joint_names": ["a", "b"]}, "joint_names has 2, expected 4"),
        ({"joint_names": ["a", "b", "b", "c"]}, "'b' more than once"),
        ({"joint_names": "abcd"}, "expected a list of names"),
        ({"joint_names": ["a", "b\x1b[2J", "c", "d"]}, r"'b\\x1b\[2J' can't be printed"),
        ({"left": [1], "right": [2, 3]}, "left has 1 joints and right 2"),
        ({"left": [1, 2], "right": [2, 3]}, "left and right have 2 more than once"),
        ({"left": [-1], "right": [2]}, "left has -1"),
        ({"left": [2], "right": [3]}, r"not mirror the edges: the image \(3, 1\) of \(2, 1\) is"),
        ({"body_center": 4}, "body_center has 4"),
        ({"body_center": "neck"}, "body_center is 'neck', expected a whole number"),
        ({"spine": (0, 9)}, "spine has 9"),
        ({"spine": 3}, "spine is 3, expected two joints"),
        ({"shoulders": (8, 4)}, "shoulders has 4, 8"),
        ({"dim": 4}, "dim is 4"),
        ({"rest_pose": [(0, 0)]}, "rest_pose has 1 points, expected 4"),
        ({"rest_pose": [(0, 0), (1, 1), (2, 2), (3, float("nan"))]}, "not finite"),
        ({"rest_pose": [(0, 0, 0)] * 4}, r"expected points \(x, y\)"),
    ],
)
def test_problems_are_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SkeletonLayout(**{**ARM, **change})
    with pytest.raises(ConfigError, match=message) as caught:
        resolve_layout({**ARM, **change})
    assert "skeleton layout 'arm': " in str(caught.value)


def test_all_problems_are_listed_at_once() -> None:
    with pytest.raises(ValueError, match=r"edges does not .*joint_names has 1.*dim is 7") as caught:
        SkeletonLayout("bad", 3, [(1, 0)], 0, bones=[(1, 0), (2, 1)], joint_names=["a"], dim=7)
    assert len(caught.value.problems) == 3  # type: ignore[attr-defined]
    assert pickle.loads(pickle.dumps(caught.value)).problems == caught.value.problems  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"num_joints is 'x'.*center is 'y'.*left is 'z'"):
        SkeletonLayout("bad", "x", [], "y", left="z")  # type: ignore[arg-type]
