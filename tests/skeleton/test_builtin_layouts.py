"""The layouts that come with the package, and what runs on them."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from pyskl.config import load_config
from pyskl.datasets.pipelines import GenSkeFeat, PreNormalize3D
from pyskl.skeleton import ALIASES, LAYOUTS, Graph, resolve_layout

JOINTS = {
    "nturgb+d": 25,
    "coco": 17,
    "openpose": 18,
    "handmp": 21,
    "body_25": 25,
    "mediapipe": 33,
    "halpe26": 26,
    "halpe136": 136,
    "h36m": 17,
    "kinect_v1": 20,
}


def test_which_there_are() -> None:
    assert {name: layout.num_joints for name, layout in LAYOUTS.items()} == JOINTS
    for alias, name in ALIASES.items():
        assert alias not in LAYOUTS
        assert resolve_layout(alias) is LAYOUTS[name]


@pytest.mark.parametrize("name", LAYOUTS)
def test_edges_are_a_tree_and_bones_reach_one_root(name: str) -> None:
    layout = LAYOUTS[name]
    assert len(layout.edges) == layout.num_joints - 1
    joints = np.arange(layout.num_joints)
    for _ in joints:
        joints = layout.parents[joints]
    assert len(set(joints)) == 1


@pytest.mark.parametrize("name", LAYOUTS)
def test_mirror_pairs_bear_mirrored_names(name: str) -> None:
    layout = LAYOUTS[name]
    assert len(layout.joint_names) == layout.num_joints
    for left, right in zip(layout.left, layout.right, strict=True):
        assert layout.joint_names[left].startswith("left_")
        assert layout.joint_names[right] == layout.joint_names[left].replace("left_", "right_")
    sided = {joint for joint, text in enumerate(layout.joint_names) if text.startswith("left_")}
    assert sided == set(layout.left)


@pytest.mark.parametrize("name", LAYOUTS)
def test_edges_and_bones_are_symmetric_under_mirroring(name: str) -> None:
    layout = LAYOUTS[name]
    mirror = layout.mirror.tolist()
    assert [mirror[joint] for joint in mirror] == list(range(layout.num_joints))
    for pairs in (layout.edges, layout.bones):
        assert {(mirror[a], mirror[b]) for a, b in pairs} == set(pairs)


@pytest.mark.parametrize("name", LAYOUTS)
def test_normalisation_turns_about_joints_of_the_middle_or_of_one_side(name: str) -> None:
    layout = LAYOUTS[name]
    bottom, top = layout.spine
    right, left = layout.shoulders
    assert bottom != top
    assert right != left
    if layout.left:
        assert layout.mirror[right] == left
        assert left in layout.left
        sides = [joint in layout.left for joint in layout.spine]
        assert sides[0] == sides[1], "the spine does not lean"
        (_, y_bottom), (_, y_top) = layout.rest_pose[bottom], layout.rest_pose[top]
        assert y_bottom > y_top


@pytest.mark.parametrize("name", LAYOUTS)
def test_rest_poses_are_symmetric_and_leave_room(name: str) -> None:
    layout = LAYOUTS[name]
    assert len(layout.rest_pose) == layout.num_joints
    if layout.left:
        for joint, (x, y) in enumerate(layout.rest_pose):
            assert layout.rest_pose[layout.mirror[joint]] == (-x, y)
        assert all(layout.rest_pose[joint][0] > 0 for joint in layout.left)
    assert min(math.dist(a, b) for a, b in combinations(layout.rest_pose, 2)) > 24


@pytest.mark.parametrize("mode", ["stgcn_spatial", "spatial", "binary_adj", "random"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_graphs_of_every_mode(name: str, mode: str) -> None:
    graph = Graph(name, mode=mode)
    assert graph.A.shape == (1 if mode == "binary_adj" else 3, JOINTS[name], JOINTS[name])
    assert np.isfinite(graph.A).all()


@pytest.mark.parametrize("name", LAYOUTS)
def test_streams_of_every_layout(name: str) -> None:
    layout = LAYOUTS[name]
    keypoint = np.random.default_rng(0).normal(size=(2, 5, layout.num_joints, 3))
    keypoint = keypoint.astype(np.float32)
    found = GenSkeFeat(dataset=name, feats=["j", "b", "jm", "bm"])({"keypoint": keypoint.copy()})
    joints, bones, _, _ = np.split(found["keypoint"], 4, axis=-1)
    np.testing.assert_array_equal(joints, keypoint)
    np.testing.assert_array_equal(
        bones[..., : layout.dim], (keypoint - keypoint[:, :, layout.parents])[..., : layout.dim]
    )


@pytest.mark.parametrize("name", [name for name, layout in LAYOUTS.items() if layout.dim == 3])
def test_normalisation_stands_a_body_upright(name: str) -> None:
    """The rest pose, turned to some side, comes to stand along z, its shoulders along x."""
    layout = LAYOUTS[name]
    pose = np.array([(x, -y, 0) for x, y in layout.rest_pose])
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    turned = (pose @ (turn * np.linalg.det(turn)) + 300).astype(np.float32)
    sample = {"keypoint": np.tile(turned, (1, 4, 1, 1)), "total_frames": 4}
    first = PreNormalize3D(layout=name)(sample)["keypoint"][0, 0]
    np.testing.assert_allclose(first[layout.body_center], 0, atol=1e-3)
    (bottom, top), (right, left) = layout.spine, layout.shoulders
    shoulders = first[right] - first[left]
    assert shoulders[0] > 0.99 * np.linalg.norm(shoulders)
    spine = first[top] - first[bottom]
    assert spine[2] > 0.9 * np.linalg.norm(spine)


def test_bones_that_differ_from_the_edges() -> None:
    def differing(name: str) -> dict[int, int]:
        layout = LAYOUTS[name]
        return {
            child: parent for child, parent in layout.bones if (child, parent) not in layout.edges
        }

    assert differing("nturgb+d") == {20: 20, 21: 22, 23: 24}
    assert differing("coco") == {0: 0, 11: 0, 12: 0}
    assert differing("openpose") == {0: 0, 1: 0}
    for name in set(LAYOUTS) - {"nturgb+d", "coco", "openpose"}:
        center = LAYOUTS[name].center
        assert differing(name) == {center: center}


def test_joints_of_formats_where_others_expect_them() -> None:
    """Spot checks against the formats' documentation, by name."""
    expected = {
        "body_25": {1: "neck", 8: "hip", 9: "right_hip", 14: "left_ankle", 15: "right_eye"}
        | {19: "left_big_toe", 21: "left_heel", 22: "right_big_toe", 24: "right_heel"},
        "mediapipe": {0: "nose", 3: "left_eye_outer", 8: "right_ear", 9: "left_mouth"}
        | {11: "left_shoulder", 16: "right_wrist", 17: "left_pinky", 22: "right_thumb"}
        | {23: "left_hip", 28: "right_ankle", 29: "left_heel", 32: "right_foot_index"},
        "halpe26": {16: "right_ankle", 17: "head", 18: "neck", 19: "hip", 20: "left_big_toe"}
        | {23: "right_small_toe", 25: "right_heel"},
        "halpe136": {26: "right_jaw_1", 34: "chin", 42: "left_jaw_1", 43: "right_brow_1"}
        | {56: "nose_tip", 59: "nose_base", 62: "right_lid_1", 68: "left_lid_4"}
        | {71: "left_lid_1", 74: "right_mouth_corner", 80: "left_mouth_corner", 83: "lower_lip"}
        | {88: "inner_upper_lip", 92: "inner_lower_lip", 94: "left_hand", 98: "left_thumb_4"}
        | {115: "right_hand", 135: "right_pinky_4"},
        "h36m": {0: "hip", 1: "right_hip", 6: "left_foot", 8: "thorax", 10: "head"}
        | {11: "left_shoulder", 16: "right_wrist"},
        "kinect_v1": {0: "hip_center", 3: "head", 4: "left_shoulder", 11: "right_hand"}
        | {12: "left_hip", 19: "right_foot"},
        "handmp": {0: "wrist", 4: "thumb_tip", 5: "index_mcp", 20: "pinky_tip"},
    }
    for name, joints in expected.items():
        found = {joint: LAYOUTS[name].joint_names[joint] for joint in joints}
        assert found == joints


def test_halpe136_is_halpe26_with_face_and_hands() -> None:
    small, large = LAYOUTS["halpe26"], LAYOUTS["halpe136"]
    assert large.joint_names[:26] == small.joint_names
    assert large.edges[:25] == small.edges
    assert (large.center, large.body_center) == (small.center, small.body_center)
    # The mirror pairs of the face in iBUG 300-W.
    assert {(26 + a, 42 - a) for a in range(8)} <= set(zip(large.right, large.left))
    assert {(43 + a, 52 - a) for a in range(5)} <= set(zip(large.right, large.left))
    lids = {(62, 71), (63, 70), (64, 69), (65, 68), (66, 73), (67, 72)}
    assert lids <= set(zip(large.right, large.left))
    assert {(94 + a, 115 + a) for a in range(21)} <= set(zip(large.left, large.right))


def test_kinect_v1_is_what_the_config_of_nwucla_spells_out(repo_root: Path) -> None:
    config = load_config(repo_root / "configs/stgcn/stgcn_nwucla/j.py")
    spelt, built_in = resolve_layout(config.layout), LAYOUTS["kinect_v1"]
    for field in ("name", "num_joints", "edges", "center", "bones", "left", "right"):
        assert getattr(spelt, field) == getattr(built_in, field)
    for field in ("body_center", "spine", "shoulders", "dim"):
        assert getattr(spelt, field) == getattr(built_in, field)
