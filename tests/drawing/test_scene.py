"""Scenes and cameras: bodies stand upright, face the reader, keep their shape and stay in frame."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.config import load_config
from pyskl.datasets.pipelines import PreNormalize3D
from pyskl.datasets.toy.generator import generate_toy_annotations
from pyskl.drawing.skeleton import Clip
from pyskl.drawing.skeleton.camera import picture_camera, player_camera
from pyskl.drawing.skeleton.scene import guess_up, make_scene
from pyskl.errors import InputError
from pyskl.skeleton import LAYOUTS, resolve_layout
from pyskl.unpickling.load import load_plain_pickle

NTU, COCO = LAYOUTS["nturgb+d"], LAYOUTS["coco"]
HEAD, LEFT_FOOT, RIGHT_FOOT, LEFT_HAND, RIGHT_HAND = 3, 15, 19, 7, 11

# Rotations from y up, as cameras have it, to other conventions.
TURNS = {
    "y": np.eye(3),
    "-y": np.diag([1.0, -1.0, -1.0]),
    "z": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "-z": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
}
angles = st.floats(-math.pi, math.pi)


@pytest.fixture(scope="module")
def toy() -> list[dict[str, Any]]:
    """144 clips of the synthetic set, without noise."""
    return generate_toy_annotations(num_subjects=4, repetitions=1, noise=0)["annotations"]


def duet(toy: list[dict[str, Any]]) -> np.ndarray:
    """Return two persons, (2, T, 25, 3)."""
    return next(sample["keypoint"] for sample in toy if len(sample["keypoint"]) == 2)


@pytest.mark.parametrize("up", TURNS)
def test_a_body_is_seen_upright_from_the_front_whatever_the_axes(
    toy: list[dict[str, Any]], up: str
) -> None:
    for sample in toy[:10]:
        turned = sample["keypoint"].astype(np.float64) @ TURNS[up].T
        scene = make_scene(Clip(turned), NTU)
        assert np.allclose(scene.axes @ scene.axes.T, np.eye(3))
        assert np.linalg.det(scene.axes) == pytest.approx(1)  # a mirror would swap left and right
        places = picture_camera(scene, 100, 100).project(scene.points[0])  # (T, V, 3)
        assert (places[:, HEAD, 1] < places[:, LEFT_FOOT, 1]).mean() > 0.9
        right, left = places[:, list(NTU.right)], places[:, list(NTU.left)]
        assert right[..., 0].mean() < left[..., 0].mean()
        feet = scene.points[0, :, [LEFT_FOOT, RIGHT_FOOT]] - scene.points[0, :, [14, 18]]
        assert feet[..., 2].mean() > 0  # toes point toward the reader


def test_the_same_body_gives_the_same_scene_in_all_conventions(toy: list[dict[str, Any]]) -> None:
    keypoint = toy[0]["keypoint"].astype(np.float64)
    scenes = [make_scene(Clip(keypoint @ turn.T), NTU) for turn in TURNS.values()]
    for scene in scenes[1:]:
        assert np.allclose(scene.points, scenes[0].points, atol=1e-5)


def test_what_is_up_is_guessed(toy: list[dict[str, Any]]) -> None:
    normalise = PreNormalize3D()
    for sample in toy:
        assert guess_up([sample["keypoint"]], NTU) == "y"
        assert guess_up([normalise(dict(sample))["keypoint"]], NTU) == "z"
    assert guess_up([np.zeros((1, 5, 25, 3))], NTU) == "y"


@pytest.mark.shared_data
def test_what_is_up_is_guessed_for_mocap_of_people_who_bend(shared: Path, repo_root: Path) -> None:
    cfg = load_config(repo_root / "configs/stgcn/stgcn_hdm05/j.py")
    layout = resolve_layout(cfg.model.backbone.graph_cfg.layout)
    samples = load_plain_pickle(shared / "data/hdm05_11/hdm05_11.pkl")["annotations"]
    assert guess_up([sample["keypoint"] for sample in samples], layout) == "y"
    standing = [sample for sample in samples if "lieDown" not in sample["frame_dir"]]
    alone = [guess_up([sample["keypoint"]], layout) for sample in standing]
    assert alone.count("y") >= 0.99 * len(alone)


@given(yaw=angles, pitch=st.floats(-math.pi / 2, math.pi / 2), seed=st.integers(0, 99))
def test_everything_is_in_the_frame_player_camera(yaw: float, pitch: float, seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(2, 4, 25, 3)) * [1, 3, 0.5] + 5
    scene = make_scene(Clip(points), NTU)
    places = player_camera(scene, 200, 100, yaw, pitch).project(scene.points)
    assert places[..., 0].min() >= -1e-3
    assert places[..., 0].max() <= 200 + 1e-3
    assert places[..., 1].min() >= -1e-3
    assert places[..., 1].max() <= 100 + 1e-3


@given(yaw=angles, pitch=angles, width=st.integers(50, 2000), height=st.integers(50, 2000))
def test_projection_keeps_shapes(yaw: float, pitch: float, width: int, height: int) -> None:
    points = np.random.default_rng(0).normal(size=(1, 3, 25, 3))
    scene = make_scene(Clip(points), NTU)
    camera = player_camera(scene, width, height, yaw, pitch)
    places = camera.project(scene.points)[0, 0]  # (V, 3)
    flat = np.concatenate([places[:, :2] / camera.scale, places[:, 2:]], axis=1)
    before = np.linalg.norm(points[0, 0, 1:] - points[0, 0, :-1], axis=1)
    after = np.linalg.norm(flat[1:] - flat[:-1], axis=1)
    assert np.allclose(before, after, rtol=1e-4)


@given(width=st.integers(50, 2000), height=st.integers(50, 2000))
def test_2d_keeps_its_aspect_and_y_goes_down(width: int, height: int) -> None:
    pixels = np.random.default_rng(0).uniform(1, 1000, size=(1, 4, 17, 2))
    scene = make_scene(Clip(pixels), COCO)
    camera = picture_camera(scene, width, height)
    places = camera.project(scene.points)[..., :2]
    assert np.allclose(np.diff(places, axis=2), camera.scale * np.diff(pixels, axis=2), atol=1e-2)
    assert not scene.is_3d


def test_the_view_stands_still_and_a_glitch_does_not_shrink_the_body(
    toy: list[dict[str, Any]],
) -> None:
    clean = toy[0]["keypoint"].astype(np.float64)
    wild = clean.copy()
    wild[0, 10, LEFT_HAND] += 100
    ratio = make_scene(Clip(wild), NTU).extent[1] / make_scene(Clip(clean), NTU).extent[1]
    assert 1 <= ratio < 4


def test_two_persons_are_seen_side_by_side(toy: list[dict[str, Any]]) -> None:
    scene = make_scene(Clip(duet(toy)), NTU)
    places = picture_camera(scene, 300, 300).project(scene.points)
    first, second = places[..., 0].mean(axis=(1, 2))
    assert abs(first - second) > 60


def test_who_is_never_seen_is_left_out_and_numbers_stay(toy: list[dict[str, Any]]) -> None:
    persons = np.zeros((3, *toy[0]["keypoint"].shape[1:]))
    persons[2] = toy[0]["keypoint"][0]
    scene = make_scene(Clip(persons, importance=np.ones(persons.shape[:3])), NTU)
    assert scene.persons.tolist() == [2]
    assert scene.importance is not None
    assert scene.importance.shape == (1, *persons.shape[1:3])
    nobody = make_scene(Clip(np.zeros((2, 4, 25, 3))), NTU)
    assert nobody.points.shape == (0, 4, 25, 3)
    assert min(nobody.extent) > 0


def test_absent_joints_are_missing_but_a_body_centre_at_the_origin_is_not(
    toy: list[dict[str, Any]],
) -> None:
    seen_by_camera = toy[0]["keypoint"].copy()
    seen_by_camera[0, 0, [1, 5]] = 0
    assert np.isnan(make_scene(Clip(seen_by_camera), NTU).points[0, 0, [1, 5]]).all()
    centred = PreNormalize3D()(dict(toy[0]))["keypoint"]
    assert not centred[0, 0, 1].any()
    assert np.isfinite(make_scene(Clip(centred), NTU).points).all()


def test_scores_come_from_the_third_coordinate_of_2d_layouts() -> None:
    scored = np.random.default_rng(0).uniform(0.2, 1, size=(1, 4, 17, 3))
    scored[0, 0, 3, 2] = 0.0
    scene = make_scene(Clip(scored), COCO)
    assert scene.points.shape[-1] == 2
    assert scene.score is not None
    assert np.allclose(scene.score, scored[..., 2])
    assert np.isnan(scene.points[0, 0, 3]).all()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("keypoint", np.zeros((4, 25, 3))),
        ("keypoint", np.zeros((1, 4, 25, 6))),
        ("score", np.ones((1, 4, 24))),
        ("importance", np.ones(24)),
        ("arrows", np.ones((1, 4, 25, 2))),
        ("fps", 0.0),
        ("up", "x"),
        ("images", [np.zeros((2, 2, 3), np.uint8)]),
    ],
)
def test_clips_with_mismatched_shapes_are_refused(key: str, value: Any) -> None:
    with pytest.raises(InputError) as raised:
        Clip(**{"keypoint": np.ones((1, 4, 25, 3)), "title": "one", key: value})
    assert (raised.value.key, raised.value.sample) == (key, "one")


def test_a_layout_of_other_joints_is_refused() -> None:
    with pytest.raises(InputError) as raised:
        make_scene(Clip(np.ones((1, 4, 25, 3))), COCO)
    assert raised.value.expected == "17 joints"


def test_thinned_clips_keep_their_speed() -> None:
    clip = Clip(np.ones((1, 101, 25, 3)), importance=np.ones((101, 25)), fps=30)
    thin = clip.take(np.arange(0, 101, 4))
    assert thin.num_frames == 26
    assert thin.num_frames / thin.fps == pytest.approx(101 / 30, rel=0.05)
    assert np.shape(thin.importance) == (26, 25)
