from __future__ import annotations

import dataclasses
import pickle
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.errors import ConfigError
from pyskl.skeleton import LAYOUTS, SkeletonLayout, resolve_layout

ARM = {"name": "arm", "num_joints": 4, "edges": [(1, 0), (2, 1), (3, 2)], "center": 0}


@st.composite
def trees(draw: st.DrawFn) -> SkeletonLayout:
    """A layout whose edges are a random tree with randomly numbered joints."""
    size = draw(st.integers(1, 30))
    numbers = draw(st.permutations(range(size)))
    edges = [(numbers[joint], numbers[draw(st.integers(0, joint - 1))]) for joint in range(1, size)]
    random.Random(draw(st.integers())).shuffle(edges)
    return SkeletonLayout("tree", size, edges, center=numbers[0])


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
    with pytest.raises(ValueError, match=rf"does not link the joints .*\b{lost[0]}\b"):
        SkeletonLayout("tree", layout.num_joints, edges, layout.center)


@pytest.mark.parametrize("name", LAYOUTS)
def test_built_in_mirror_pairs_bear_mirrored_names(name: str) -> None:
    layout = LAYOUTS[name]
    assert len(layout.joint_names) == layout.num_joints
    for left, right in zip(layout.left, layout.right, strict=True):
        assert layout.joint_names[left].startswith("left_")
        assert layout.joint_names[right] == layout.joint_names[left].replace("left_", "right_")
    sided = {joint for joint, text in enumerate(layout.joint_names) if text.startswith("left_")}
    assert sided == set(layout.left)


@pytest.mark.parametrize("name", LAYOUTS)
def test_built_in_edges_are_symmetric_under_mirroring(name: str) -> None:
    layout = LAYOUTS[name]
    mirror = dict(zip(layout.left + layout.right, layout.right + layout.left, strict=True))
    for pairs in (layout.edges, layout.bones):
        assert {(mirror.get(a, a), mirror.get(b, b)) for a, b in pairs} == set(pairs)


def test_bones_that_differ_from_the_edges() -> None:
    def differing(name: str) -> dict[int, int]:
        layout = LAYOUTS[name]
        return {
            child: parent for child, parent in layout.bones if (child, parent) not in layout.edges
        }

    assert differing("nturgb+d") == {20: 20, 21: 22, 23: 24}
    assert differing("coco") == {0: 0, 11: 0, 12: 0}
    assert differing("openpose") == {0: 0, 1: 0}
    assert differing("handmp") == {0: 0}


def test_joints_that_normalisation_turns_about() -> None:
    ntu, coco = LAYOUTS["nturgb+d"], LAYOUTS["coco"]
    assert (ntu.body_center, ntu.spine, ntu.shoulders) == (1, (0, 1), (8, 4))
    assert coco.body_center == 16
    arm = SkeletonLayout(**ARM)
    assert (arm.body_center, arm.spine, arm.shoulders) == (3, (0, 1), (0, 0))
    assert [LAYOUTS[name].dim for name in ("nturgb+d", "coco", "openpose", "handmp")] == [
        3,
        2,
        2,
        2,
    ]
    assert arm.dim == 3


def test_layouts_are_read_only() -> None:
    with pytest.raises(TypeError):
        LAYOUTS["mine"] = LAYOUTS["coco"]  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        LAYOUTS["coco"].center = 1  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        LAYOUTS["coco"].parents[0] = 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_joints": 0}, "num_joints is 0"),
        ({"num_joints": 3}, "edges has 3, outside of the joints 0 to 2"),
        ({"center": 4}, "center has 4"),
        ({"edges": [(1, 0), (2, 1), (3, 3)]}, r"\(3, 3\), from a joint to itself"),
        ({"edges": [(1, 0), (2, 1), (3, 2), (3, 2)]}, r"\(3, 2\) more than once"),
        ({"edges": [(1, 0), (2, 1)]}, "does not link the joints 3"),
        ({"edges": [(1, 0), (2, 1), (2, 3)]}, "joint 2 has 2 bone pairs, to 1, 3"),
        ({"edges": [1, 2]}, "pairs"),
        ({"edges": [(1.5, 0)]}, "whole numbers"),
        ({"edges": [(1, 0, 2)]}, "pairs"),
        ({"bones": [(1, 0), (2, 1)]}, "bones has no pair for the joints 3"),
        ({"bones": [(1, 0), (2, 1), (3, 2), (3, 1)]}, "joint 3 has 2 bone pairs"),
        ({"joint_names": ["a", "b"]}, "joint_names has 2, expected 4"),
        ({"joint_names": ["a", "b", "b", "c"]}, "more than once"),
        ({"left": [1], "right": [2, 3]}, "left has 1 joints and right 2"),
        ({"left": [1, 2], "right": [2, 3]}, "left and right have 2 more than once"),
        ({"left": [-1], "right": [2]}, "left has -1"),
        ({"body_center": 4}, "body_center has 4"),
        ({"spine": (0, 9)}, "spine has 9"),
        ({"shoulders": (8, 4)}, "shoulders has 4, 8"),
        ({"dim": 4}, "dim is 4"),
    ],
)
def test_faults_are_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SkeletonLayout(**{**ARM, **change})
    with pytest.raises(ConfigError, match=message):
        resolve_layout({**ARM, **change})


def test_all_faults_are_listed_at_once() -> None:
    with pytest.raises(ValueError, match=r"edges does not .*joint_names has 1.*dim is 7"):
        SkeletonLayout("bad", 3, [(1, 0)], 0, bones=[(1, 0), (2, 1)], joint_names=["a"], dim=7)


def test_resolve_takes_names_layouts_and_both_spellings() -> None:
    assert resolve_layout("coco") is LAYOUTS["coco"]
    assert resolve_layout(LAYOUTS["coco"]) is LAYOUTS["coco"]
    ours = resolve_layout({**ARM, "joint_names": list("abcd")})
    family = resolve_layout(
        {
            "name": "arm",
            "num_node": 4,
            "inward": [[1, 0], [2, 1], [3, 2]],
            "center": 0,
            "joints": list("abcd"),
        }
    )
    assert ours == family
    assert hash(ours) == hash(family)
    assert resolve_layout({key: ARM[key] for key in ARM if key != "name"}).name == "custom"


def test_resolve_takes_a_config_of_mmengine() -> None:
    from mmengine.config import ConfigDict

    config = ConfigDict(layout={**ARM, "edges": [[1, 0], [2, 1], [3, 2]]})
    assert resolve_layout(config.layout) == SkeletonLayout(**ARM)


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ("cocoo", "did you mean 'coco'"),
        ("ntu-rgb+d", r"did you mean 'nturgb\+d'"),
        (17, "found int"),
        ({**ARM, "centre": 0}, "unknown key 'centre'; did you mean 'center'"),
        ({**ARM, "inwards": 0, "lefft": 0}, "'inwards'.*'inward'.*'lefft'.*'left'"),
        ({**ARM, "inward": [(1, 0)]}, "edges is given twice"),
        ({"num_node": 3}, "needs edges, center"),
    ],
)
def test_resolve_refuses(layout: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve_layout(layout)  # type: ignore[arg-type]
