from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.datasets.annotation_pickle import Sample
from pyskl.datasets.pipelines import (
    Flip,
    GenSkeFeat,
    PreNormalize2D,
    RandomGaussianNoise,
    RandomRot,
    RandomScale,
)
from pyskl.datasets.pipelines.augment import rotations_2d, rotations_3d
from pyskl.datasets.randomness import sample_randomness
from pyskl.errors import InputError

MakeSample = Callable[..., Sample]


def rotation_3d(*angles: float) -> np.ndarray:
    return rotations_3d(np.array([angles]))[0]


def rotation_2d(angle: float) -> np.ndarray:
    return rotations_2d(np.array([[angle]]))[0]


moderate = settings(max_examples=50, deadline=None)
seeds = st.integers(0, 10_000)


def apply(transform: Any, sample: Sample, key: int = 0) -> Sample:
    with sample_randomness(0, 0, key):
        result: Sample = transform(sample)
    return result


def normalized_2d(make_sample: MakeSample, seed: int = 0) -> Sample:
    return PreNormalize2D()(make_sample(seed, joints=17, dims=2, dtype="float32"))


@moderate
@given(seeds, st.floats(0, 3))
def test_rotation_keeps_lengths_and_angles(
    make_sample: MakeSample, seed: int, theta: float
) -> None:
    sample = make_sample(seed, dtype="float32")
    before = sample["keypoint"].copy()
    after = apply(RandomRot(theta), dict(sample), seed)["keypoint"]
    assert after.dtype == np.float32
    assert after.shape == before.shape
    np.testing.assert_array_equal(sample["keypoint"], before)
    products = [k[0, 0].astype(float) @ k[1, -1].T.astype(float) for k in (before, after)]
    np.testing.assert_allclose(products[0], products[1], atol=1e-3)
    triples = [np.linalg.det(k[0, 0, :3].astype(float)) for k in (before, after)]
    np.testing.assert_allclose(triples[0], triples[1], atol=1e-2)  # no mirror image


@moderate
@given(seeds)
def test_rotation_of_scored_2d_joints_leaves_the_scores(make_sample: MakeSample, seed: int) -> None:
    sample = normalized_2d(make_sample, seed)
    before = sample["keypoint"].copy()
    after = apply(RandomRot(), sample, seed)["keypoint"]
    np.testing.assert_array_equal(after[..., 2], before[..., 2])
    lengths = [np.linalg.norm(k[..., :2], axis=-1) for k in (before, after)]
    np.testing.assert_allclose(lengths[0], lengths[1], atol=1e-5)
    assert not np.allclose(after, before)


def test_rotation_is_about_x_then_y_then_z() -> None:
    x, y, z = np.eye(3)
    quarter = np.pi / 2
    np.testing.assert_allclose(rotation_3d(quarter, 0, 0) @ y, z, atol=1e-12)
    np.testing.assert_allclose(rotation_3d(0, quarter, 0) @ z, x, atol=1e-12)
    np.testing.assert_allclose(rotation_3d(0, 0, quarter) @ x, y, atol=1e-12)
    about = [
        rotation_3d(*(angle * axis)) for angle, axis in zip((0.3, 0.5, 0.7), np.eye(3), strict=True)
    ]
    np.testing.assert_allclose(rotation_3d(0.3, 0.5, 0.7), about[2] @ about[1] @ about[0])
    np.testing.assert_allclose(rotation_2d(quarter) @ [1, 0], [0, 1], atol=1e-12)


def test_rotation_angles_are_uniform_within_theta() -> None:
    plane = np.array([[[[1, 0]]]], np.float32)
    drawn = [apply(RandomRot(0.5), {"keypoint": plane}, key)["keypoint"] for key in range(500)]
    angles = np.array([np.arctan2(k[0, 0, 0, 1], k[0, 0, 0, 0]) for k in drawn])
    assert np.abs(angles).max() <= 0.5 + 1e-6
    assert angles.min() < -0.45
    assert angles.max() > 0.45
    assert abs(angles.mean()) < 0.05
    axes = np.eye(3)[None, None]
    for key in range(200):
        matrix = apply(RandomRot(0.5), {"keypoint": axes}, key)["keypoint"][0, 0].T
        found = [  # angles about x, y, z of Rz·Ry·Rx
            np.arctan2(matrix[2, 1], matrix[2, 2]),
            -np.arcsin(matrix[2, 0]),
            np.arctan2(matrix[1, 0], matrix[0, 0]),
        ]
        assert np.abs(found).max() <= 0.5 + 1e-6
        np.testing.assert_allclose(rotation_3d(*found), matrix, atol=1e-9)


@pytest.mark.parametrize(
    "transform",
    [RandomRot(), RandomScale(), RandomGaussianNoise(), RandomGaussianNoise(base="video")],
)
def test_all_zero_samples_stay_zero(transform: Any) -> None:
    for dims in (2, 3):
        sample = {"keypoint": np.zeros((2, 4, 25, dims), np.float16)}
        assert not apply(transform, sample)["keypoint"].any()


@moderate
@given(seeds, st.sampled_from([0.0, 0.2, (0.1, 0.0, 0.4)]))
def test_scale_stretches_each_axis_by_one_factor(
    make_sample: MakeSample, seed: int, scale: Any
) -> None:
    sample = make_sample(seed, dtype="float32")
    before = sample["keypoint"].copy()
    after = apply(RandomScale(scale), dict(sample), seed)["keypoint"]
    np.testing.assert_array_equal(sample["keypoint"], before)
    factors = after.astype(float) / before
    bounds = np.broadcast_to(scale, 3)
    for axis in range(3):
        one = factors[..., axis]
        np.testing.assert_allclose(one, one.flat[0], rtol=1e-5)
        assert abs(one.flat[0] - 1) <= bounds[axis] + 1e-6
    if scale == 0.2:
        assert len({round(float(f), 6) for f in factors[0, 0, 0]}) == 3


def test_scale_and_noise_leave_the_scores(make_sample: MakeSample) -> None:
    for transform in (RandomScale(), RandomGaussianNoise(), RandomGaussianNoise(shared=True)):
        sample = normalized_2d(make_sample)
        before = sample["keypoint"].copy()
        after = apply(transform, sample)["keypoint"]
        np.testing.assert_array_equal(after[..., 2], before[..., 2])
        assert (after[..., :2] != before[..., :2]).any()


@pytest.mark.parametrize("base", ["frame", "video"])
@pytest.mark.parametrize("dims", [2, 3])
def test_noise_is_normal_in_units_of_the_diagonal(base: Any, dims: int) -> None:
    keypoint = np.zeros((1, 400, 20, dims), np.float64)
    keypoint[:, :, 0], keypoint[:, :, 1] = -1, 1
    keypoint[:, ::2] *= 10  # larger in every other frame
    after = apply(RandomGaussianNoise(0.01, base), {"keypoint": keypoint})["keypoint"]
    moves = (after - keypoint)[0]
    lengths = np.linalg.norm(moves, axis=-1)  # (T, V)
    large = 20 * np.sqrt(dims)
    for part, diagonal in ((lengths[::2], large), (lengths[1::2], large / 10)):
        unit = 0.01 * (large if base == "video" else diagonal)
        np.testing.assert_allclose(np.sqrt((part**2).mean()), unit, rtol=0.05)
        np.testing.assert_allclose(part.mean(), unit * np.sqrt(2 / np.pi), rtol=0.05)
    directions = moves / lengths[..., None]
    assert np.abs(directions.mean(axis=(0, 1))).max() < 0.05
    np.testing.assert_allclose((directions**2).mean(axis=(0, 1)), 1 / dims, atol=0.05)


def test_shared_noise_is_one_for_all_frames_and_persons(make_sample: MakeSample) -> None:
    before = make_sample(dtype="float64")["keypoint"]
    transform = RandomGaussianNoise(0.05, base="video", shared=True)
    moves = apply(transform, {"keypoint": before})["keypoint"] - before
    np.testing.assert_allclose(moves, np.broadcast_to(moves[0, 0], moves.shape), atol=1e-12)
    assert len(np.unique(moves[0, 0])) == 75


@pytest.mark.parametrize("base", ["frame", "video"])
def test_absent_people_get_no_noise(make_sample: MakeSample, base: Any) -> None:
    keypoint = make_sample(dtype="float32")["keypoint"]
    keypoint[1, 4:] = 0
    after = apply(RandomGaussianNoise(0.1, base), {"keypoint": keypoint.copy()})["keypoint"]
    assert not after[1, 4:].any()
    assert (after[1, :4] != keypoint[1, :4]).any(axis=-1).all()


def test_impossible_arguments_of_noise() -> None:
    with pytest.raises(ValueError, match="clip"):
        RandomGaussianNoise(base="clip")  # type: ignore[arg-type]


@pytest.mark.parametrize("transform", [RandomRot(), RandomScale(), RandomGaussianNoise()])
def test_augmentation_of_merged_streams_is_an_error(
    make_sample: MakeSample, transform: Any
) -> None:
    merged = GenSkeFeat(feats=["j", "b"])(make_sample())
    with pytest.raises(InputError) as caught:
        apply(transform, merged)
    assert (caught.value.key, caught.value.found) == ("keypoint", "6 channels")


@pytest.mark.parametrize(
    "transform", [RandomRot(), RandomScale(), RandomGaussianNoise(), Flip(0.5, layout="nturgb+d")]
)
def test_draws_differ_between_samples_and_repeat_for_one(
    make_sample: MakeSample, transform: Any
) -> None:
    results = [
        apply(transform, make_sample(dtype="float32"), key)["keypoint"].tobytes()
        for key in [*range(10), 0]
    ]
    assert results[0] == results[-1]
    assert len(set(results)) == (2 if isinstance(transform, Flip) else 10)


@moderate
@given(seeds, st.sampled_from(["pixels", "normalized", "3d"]))
def test_flipping_twice_changes_nothing(make_sample: MakeSample, seed: int, kind: str) -> None:
    if kind == "3d":
        sample, layout = make_sample(seed, dtype="float32"), "nturgb+d"
    else:
        sample, layout = make_sample(seed, joints=17, dims=2, dtype="float32"), "coco"
    sample["keypoint"][0, 1, 3] = 0
    if kind == "normalized":
        sample = PreNormalize2D()(sample)
    before = {k: np.copy(v) for k, v in sample.items() if k.startswith("keypoint")}
    flip = Flip(1, layout=layout)
    once = apply(flip, dict(sample))
    assert not np.allclose(once["keypoint"], before["keypoint"])
    twice = apply(flip, dict(once))
    for key, array in before.items():
        np.testing.assert_array_equal(sample[key], array)
        np.testing.assert_allclose(twice[key], array, atol=1e-3)


def test_flip_mirrors_and_swaps_sides(make_sample: MakeSample) -> None:
    sample = make_sample(joints=17, dims=2, dtype="float32")
    sample["keypoint"][0, 1, 3] = 0
    points, scores = sample["keypoint"].copy(), sample["keypoint_score"].copy()
    given_ = apply(Flip(1, left_kp=[1, 3], right_kp=[2, 4]), sample)
    partner = {1: 2, 2: 1, 3: 4, 4: 3}
    for joint in range(17):
        other = partner.get(joint, joint)
        found, source = given_["keypoint"][:, :, joint], points[:, :, other]
        there = source.any(axis=-1)
        np.testing.assert_array_equal(found[there][:, 0], 1920 - source[there][:, 0])
        np.testing.assert_array_equal(found[..., 1], source[..., 1])
        assert not found[~there].any()
        np.testing.assert_array_equal(given_["keypoint_score"][:, :, joint], scores[:, :, other])


def test_flip_leaves_missing_joints_that_have_a_score(make_sample: MakeSample) -> None:
    keypoint = np.zeros((1, 1, 2, 3), np.float32)
    keypoint[0, 0, :] = [[0, 0, 0.004], [100, 20, 0.9]]
    sample = {"keypoint": keypoint, "img_shape": (1080, 1920)}
    given_ = apply(Flip(1, left_kp=[], right_kp=[]), sample)["keypoint"][0, 0]
    np.testing.assert_allclose(given_, [[0, 0, 0.004], [1820, 20, 0.9]])


def test_flip_mirrors_about_zero_without_an_image(make_sample: MakeSample) -> None:
    sample = make_sample(dtype="float32")
    before = sample["keypoint"].copy()
    after = apply(Flip(1, left_kp=[], right_kp=[]), sample)["keypoint"]
    np.testing.assert_array_equal(after, before * [-1, 1, 1])


@pytest.mark.parametrize("ratio", [0, 0.3, 1])
def test_flip_ratio(ratio: float) -> None:
    keypoint = np.ones((1, 1, 1, 2), np.float32)
    flip = Flip(ratio, left_kp=[], right_kp=[])
    flipped = [
        apply(flip, {"keypoint": keypoint}, k)["keypoint"][0, 0, 0, 0] < 0 for k in range(500)
    ]
    np.testing.assert_allclose(np.mean(flipped), ratio, atol=0.06 if ratio == 0.3 else 0)


@pytest.mark.parametrize(
    "arguments",
    [
        {"flip_ratio": 1.5, "layout": "coco"},
        {"direction": "vertical", "layout": "coco"},
        {},
        {"left_kp": [1]},
        {"left_kp": [1], "right_kp": [2, 3]},
    ],
)
def test_impossible_arguments_of_flip(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"should|needs"):
        Flip(**arguments)
