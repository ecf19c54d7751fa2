from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pyskl.datasets.annotation_pickle import Sample
from pyskl.datasets.pipelines import PoseCompact, PreNormalize2D, PreNormalize3D
from pyskl.datasets.pipelines.normalize import shortest_rotation

MakeSample = Callable[..., Sample]
moderate = settings(max_examples=40, deadline=None)
seeds = st.integers(0, 10_000)


def rotation_onto(vector: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The shortest rotation of ``vector`` onto ``target`` without angles: I + [w] + [w]²/(1+c)."""
    length = math.sqrt(sum(x * x for x in vector))
    if sum(abs(x) for x in vector) < 1e-6:
        return np.eye(3)
    unit = [x / length for x in vector]
    w = np.cross(unit, target)
    if np.abs(np.cross(vector, target)).sum() < 1e-6:
        return np.eye(3)
    cosine = float(np.dot(unit, target))
    skew = np.array([[0, -w[2], w[1]], [w[2], 0, -w[0]], [-w[1], w[0], 0]])
    rotation: np.ndarray = np.eye(3) + skew + skew @ skew / (1 + cosine)
    return rotation


def normalized_by_the_book(
    keypoint: np.ndarray,
    zaxis: tuple[int, int] = (0, 1),
    xaxis: tuple[int, int] = (8, 4),
    center: bool = True,
    spine: bool = True,
) -> np.ndarray:
    """PreNormalize3D person by person and frame by frame, as the specification has it."""
    people = [[np.array(frame, dtype=np.float64) for frame in person] for person in keypoint]
    if not any(frame.any() for person in people for frame in person):
        return np.array(people)
    counts = [sum(bool(frame.any()) for frame in person) for person in people]
    first = counts.index(max(counts))
    people.insert(0, people.pop(first))
    kept = [t for t, frame in enumerate(people[0]) if frame.any()]
    people = [[person[t].copy() for t in kept] for person in people]
    joints = keypoint.shape[2]
    if center:
        origin = people[0][0][1 if joints == 25 else joints - 1].copy()
        for person in people:
            for frame in person:
                for joint in frame:
                    if joint[0] != 0 or joint[1] != 0 or joint[2] != 0:
                        joint -= origin
    if spine:
        for (start, end), target in ((zaxis, (0, 0, 1)), (xaxis[::-1], (1, 0, 0))):
            body = people[0][0]
            rotation = rotation_onto(body[end] - body[start], np.array(target))
            people = [[(rotation @ frame.T).T for frame in person] for person in people]
    return np.array(people)


@st.composite
def skeletons(draw: st.DrawFn) -> np.ndarray:
    """Keypoints (M, T, V, 3) with missing joints, frames and persons here and there."""
    rng = np.random.default_rng(draw(seeds))
    joints = draw(st.sampled_from([25, 20, 9]))
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 6)), joints, 3)
    keypoint = rng.normal(size=shape) + rng.normal(size=3) * 3
    for axes in (1, 2, 3):  # whole persons, frames, joints
        gone = rng.random(shape[:axes]) < draw(st.sampled_from([0, 0, 0.3]))
        keypoint[gone] = 0
    return keypoint.astype(draw(st.sampled_from(["float16", "float32", "float64"])))


@settings(max_examples=200, deadline=None)
@given(skeletons(), st.booleans(), st.booleans())
def test_3d_follows_the_specification(keypoint: np.ndarray, center: bool, spine: bool) -> None:
    sample = {"keypoint": keypoint.copy(), "total_frames": keypoint.shape[1]}
    given_ = PreNormalize3D(align_center=center, align_spine=spine)(sample)
    expected = normalized_by_the_book(keypoint, center=center, spine=spine)
    assert given_["keypoint"].shape == expected.shape
    assert given_["total_frames"] == expected.shape[1]
    tolerance = 2e-2 if keypoint.dtype == np.float16 else 2e-4
    assume(not spine or is_sound(normalized_by_the_book(keypoint, center=center, spine=False)))
    np.testing.assert_allclose(given_["keypoint"], expected, atol=tolerance)


@moderate
@given(skeletons())
def test_3d_does_not_write_into_its_input(keypoint: np.ndarray) -> None:
    before = keypoint.copy()
    given_ = PreNormalize3D()({"keypoint": keypoint, "total_frames": keypoint.shape[1]})
    np.testing.assert_array_equal(keypoint, before)
    assert not keypoint.any() or not np.may_share_memory(given_["keypoint"], keypoint)


def rotation(seed: int) -> np.ndarray:
    """A random proper rotation (3, 3)."""
    basis, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    proper: np.ndarray = basis * np.sign(np.linalg.det(basis))
    return proper


def upright_body(seed: int) -> np.ndarray:
    """Keypoints (2, 4, 25, 3) float64 whose first shoulders are at right angles to the spine.

    Only then do the two rotations leave nothing open: the second one turns about the spine.
    """
    keypoint = np.random.default_rng(seed).normal(size=(2, 4, 25, 3)) + 8
    keypoint[0, 0, 1] = keypoint[0, 0, 0] + [0, 0, 0.9]
    keypoint[0, 0, 8] = keypoint[0, 0, 4] + [0.5, -0.4, 0]
    return keypoint


def is_sound(keypoint: np.ndarray) -> bool:
    """Whether neither rotation is nearly a half turn or of a tiny vector, which magnify errors."""
    body = keypoint[0, 0]
    for (start, end), target in (((0, 1), (0, 0, 1)), ((4, 8), (1, 0, 0))):
        vector, onto = body[end] - body[start], np.array(target)
        length = np.linalg.norm(vector)
        if length < 0.3 or vector @ onto / length < -0.98:
            return False
        body = body @ rotation_onto(vector, onto).T
    return True


def normalized(keypoint: np.ndarray, **options: Any) -> np.ndarray:
    sample = {"keypoint": keypoint.astype(np.float32), "total_frames": keypoint.shape[1]}
    result: np.ndarray = PreNormalize3D(**options)(sample)["keypoint"]
    assert result.dtype == np.float32
    return result


@moderate
@given(seeds, seeds)
def test_3d_is_invariant_under_motions_of_the_scene(seed: int, motion: int) -> None:
    keypoint = upright_body(seed)
    turn, shift = rotation(motion), np.random.default_rng(motion).normal(size=3) * 3
    moved = keypoint @ turn.T + shift
    assume(is_sound(keypoint) and is_sound(moved))
    np.testing.assert_allclose(normalized(moved), normalized(keypoint), atol=5e-4)


@moderate
@given(seeds, seeds)
def test_3d_is_invariant_under_shifts_of_any_body(seed: int, motion: int) -> None:
    keypoint = np.random.default_rng(seed).normal(size=(2, 4, 25, 3)) + 8
    moved = keypoint + np.random.default_rng(motion).normal(size=3)
    assume(is_sound(keypoint))
    np.testing.assert_allclose(normalized(moved), normalized(keypoint), atol=5e-4)


@moderate
@given(seeds)
def test_3d_moves_all_skeletons_as_one_rigid_body(seed: int) -> None:
    keypoint = np.random.default_rng(seed).normal(size=(2, 3, 25, 3)) + 8

    def distances(points: np.ndarray) -> np.ndarray:
        flat = points.reshape(-1, 3).astype(np.float64)
        result: np.ndarray = np.linalg.norm(flat[:, None] - flat[None], axis=-1)
        return result

    given_ = normalized(keypoint)
    np.testing.assert_allclose(distances(given_), distances(keypoint), atol=2e-4)
    before, after = (np.linalg.det(k[0, 0, [2, 3, 5]] - k[0, 0, 6]) for k in (keypoint, given_))
    np.testing.assert_allclose(after, before, atol=1e-3)  # and not its mirror image


@moderate
@given(seeds)
def test_3d_aligns_centre_spine_and_shoulders(seed: int) -> None:
    keypoint = np.random.default_rng(seed).normal(size=(2, 4, 25, 3)) + 8
    first = normalized(keypoint, xaxis=(0, 0))[0, 0]
    assert not first[1].any()
    spine = first[1] - first[0]
    np.testing.assert_allclose(spine / np.linalg.norm(spine), [0, 0, 1], atol=1e-3)
    first = normalized(keypoint)[0, 0]
    shoulders = first[8] - first[4]
    np.testing.assert_allclose(first[1], 0, atol=1e-5)
    np.testing.assert_allclose(shoulders / np.linalg.norm(shoulders), [1, 0, 0], atol=1e-3)
    upright = normalized(upright_body(seed))[0, 0]
    np.testing.assert_allclose((upright[1] - upright[0]) / 0.9, [0, 0, 1], atol=1e-4)


@settings(max_examples=100, deadline=None)
@given(skeletons(), st.booleans())
def test_3d_centres_bit_for_bit_as_plain_arrays_do(keypoint: np.ndarray, missing: bool) -> None:
    if not missing:  # the shorter way of samples without missing joints
        keypoint = np.where(keypoint == 0, keypoint.dtype.type(0.5), keypoint)
    sample = {"keypoint": keypoint, "total_frames": keypoint.shape[1]}
    given_ = PreNormalize3D(align_spine=False)(dict(sample))["keypoint"]
    ordered = PreNormalize3D(align_spine=False, align_center=False)(dict(sample))["keypoint"]
    ordered = ordered.astype(np.float32)
    if ordered.any():
        center = ordered[0, 0, 1 if ordered.shape[2] == 25 else ordered.shape[2] - 1].copy()
        ordered = np.where(ordered.any(axis=-1, keepdims=True), ordered - center, 0)
        if keypoint.dtype == np.float16:
            ordered = ordered.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(given_, ordered)


@moderate
@given(seeds, st.sampled_from(["float16", "float32"]))
def test_2d_fix_is_that_of_plain_arrays_bit_for_bit(
    make_sample: MakeSample, seed: int, dtype: str
) -> None:
    sample = make_sample(seed, joints=17, dims=2, dtype=dtype)
    points, scores = (sample[k].astype(np.float32) for k in ("keypoint", "keypoint_score"))
    half = np.array([960, 540], np.float32)
    expected = (points - half) / half * (scores > 0.01)[..., None]
    given_ = PreNormalize2D()(sample)["keypoint"]
    np.testing.assert_array_equal(given_[..., :2], expected)
    np.testing.assert_array_equal(given_[..., 2], scores)


def test_3d_float16_differences_are_rounded_as_published_networks_saw_them(
    make_sample: MakeSample,
) -> None:
    keypoint = make_sample()["keypoint"]
    given_ = PreNormalize3D(align_spine=False)({"keypoint": keypoint, "total_frames": 12})
    np.testing.assert_array_equal(given_["keypoint"], keypoint - keypoint[0, 0, 1])
    assert given_["keypoint"].dtype == np.float32


def test_3d_leaves_an_all_zero_sample() -> None:
    sample = {"keypoint": np.zeros((2, 5, 25, 3), np.float16), "total_frames": 5}
    given_ = PreNormalize3D()(dict(sample))
    assert given_["keypoint"].dtype == np.float32
    np.testing.assert_array_equal(given_["keypoint"], sample["keypoint"])
    assert given_["total_frames"] == 5


def test_3d_puts_the_person_seen_longest_first_and_drops_the_frames_without() -> None:
    keypoint = np.full((3, 6, 25, 3), 1.0, np.float32) * np.arange(1, 4)[:, None, None, None]
    keypoint[0, 2:] = 0
    keypoint[1, [0, 3]] = 0
    keypoint[2, 4:] = 0  # as many frames as person 1, who comes first
    sample = {"keypoint": keypoint, "total_frames": 6}
    given_ = PreNormalize3D(align_center=False, align_spine=False)(sample)
    seen = given_["keypoint"][:, :, 0, 0]
    assert seen.tolist() == [[2, 2, 2, 2], [1, 0, 0, 0], [3, 3, 0, 0]]
    assert given_["total_frames"] == 4


def test_3d_keeps_missing_joints_at_zero_and_tells_the_centre(make_sample: MakeSample) -> None:
    sample = make_sample(dtype="float32")
    keypoint = sample["keypoint"]
    keypoint[0, 3, 7] = 0
    keypoint[1, 5] = 0
    keypoint[1, 2, 4, :2] = 0  # is not missing: z tells
    origin = keypoint[0, 0, 1].copy()
    given_ = PreNormalize3D()(sample)
    assert not given_["keypoint"][0, 3, 7].any()
    assert not given_["keypoint"][1, 5].any()
    assert given_["keypoint"][1, 2, 4].all()
    np.testing.assert_array_equal(given_["body_center"], origin)


def test_3d_without_body_centre_does_not_move(make_sample: MakeSample) -> None:
    sample = make_sample(dtype="float32")
    sample["keypoint"][0, 0, 1] = 0
    expected = sample["keypoint"].copy()
    given_ = PreNormalize3D(align_spine=False)(sample)
    np.testing.assert_array_equal(given_["keypoint"], expected)


@pytest.mark.parametrize(
    "vector", [(0, 0, 0), (1e-7, 1e-7, 1e-7), (0, 0, 2), (1e-8, 0, 1), (0, 0, -2)]
)
def test_negligible_vectors_and_angles_give_no_rotation(vector: tuple[float, ...]) -> None:
    assert shortest_rotation([float(x) for x in vector], [0.0, 0.0, 1.0]) is None


@moderate
@given(seeds)
def test_the_shortest_rotation_leaves_its_axis_and_hits_its_target(seed: int) -> None:
    vector = np.random.default_rng(seed).normal(size=3)
    target = np.array([0.0, 0, 1])
    matrix = np.array(shortest_rotation(vector.tolist(), target.tolist()))
    np.testing.assert_allclose(matrix @ vector, np.linalg.norm(vector) * target, atol=1e-9)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    axis = np.cross(vector, target)
    np.testing.assert_allclose(matrix @ axis, axis, atol=1e-9)


def test_3d_takes_joints_from_a_layout(make_sample: MakeSample) -> None:
    layout = {
        "num_joints": 6,
        "edges": [(1, 0), (2, 1), (3, 2), (4, 3), (5, 4)],
        "center": 0,
        "body_center": 3,
        "spine": (3, 5),
        "shoulders": (1, 2),
    }
    keypoint = make_sample(joints=6, dtype="float32")["keypoint"]
    given_ = PreNormalize3D(layout=layout)({"keypoint": keypoint, "total_frames": 12})
    first = given_["keypoint"][0, 0]
    np.testing.assert_array_equal(given_["body_center"], keypoint[0, 0, 3])
    np.testing.assert_allclose(first[3], 0, atol=1e-6)
    np.testing.assert_allclose((first[1] - first[2])[1:], 0, atol=1e-5)
    assert first[1, 0] > first[2, 0]
    expected = PreNormalize3D(zaxis=[3, 5], xaxis=[1, 2], align_center=False)(
        {"keypoint": keypoint - keypoint[0, 0, 3], "total_frames": 12}
    )
    np.testing.assert_allclose(given_["keypoint"], expected["keypoint"], atol=1e-5)
    with pytest.raises(ValueError, match="'custom' has 6 joints, the keypoints have 25"):
        PreNormalize3D(layout=layout)(make_sample())
    ours = PreNormalize3D(layout="nturgb+d")(make_sample())
    np.testing.assert_array_equal(ours["keypoint"], PreNormalize3D()(make_sample())["keypoint"])


def test_3d_says_which_joints_are_lacking(make_sample: MakeSample) -> None:
    with pytest.raises(ValueError, match=r"xaxis \(8, 4\) name joints .* 5 joints lacks"):
        PreNormalize3D()(make_sample(joints=5))
    assert PreNormalize3D(align_spine=False)(make_sample(joints=5))["total_frames"] == 12
    with pytest.raises(ValueError, match=r"PreNormalize2D"):
        PreNormalize3D()(make_sample(joints=17, dims=2))
    for bad in ([0], [0, 1, 2], [-1, 0]):
        with pytest.raises(ValueError, match="zaxis should name two joints"):
            PreNormalize3D(zaxis=bad)


@moderate
@given(seeds, st.booleans(), st.sampled_from(["float16", "float32"]))
def test_2d_fix_brings_the_image_into_a_square(
    make_sample: MakeSample, seed: int, own_shape: bool, dtype: str
) -> None:
    sample = make_sample(seed, joints=17, dims=2, dtype=dtype)
    sample["keypoint_score"][sample["keypoint_score"] < 0.3] = 0.01  # not above the threshold
    height, width = (720, 1280) if own_shape else (540, 960)
    sample["img_shape"] = (height, width)
    if not own_shape:
        del sample["img_shape"]
    points, scores = sample["keypoint"].copy(), sample["keypoint_score"].copy()
    given_ = PreNormalize2D(img_shape=(540, 960))(sample)
    assert "keypoint_score" not in given_
    keypoint = given_["keypoint"]
    assert keypoint.shape == (*points.shape[:3], 3)
    assert keypoint.dtype == np.float32
    for place in np.ndindex(*points.shape[:3]):
        x, y = map(float, points[place])
        score = float(np.float32(scores[place]))
        assert keypoint[place][2] == score
        if score <= np.float32(0.01):
            assert keypoint[place][:2].tolist() == [0, 0]
        else:
            expected = [(x - width / 2) / (width / 2), (y - height / 2) / (height / 2)]
            np.testing.assert_allclose(keypoint[place][:2], expected, atol=1e-5)


@moderate
@given(seeds)
def test_2d_auto_brings_the_box_into_a_square(make_sample: MakeSample, seed: int) -> None:
    sample = make_sample(seed, joints=17, dims=2, dtype="float32")
    scores = sample["keypoint_score"]
    scores[scores < 0.4] = 0
    sample["keypoint"][scores == 0] *= 100  # what is not seen has no say
    points, seen = sample["keypoint"].copy(), scores > 0.01
    keypoint = PreNormalize2D(mode="auto")(sample)["keypoint"]
    np.testing.assert_allclose(keypoint[seen][:, :2].max(axis=0), 1, atol=1e-5)
    np.testing.assert_allclose(keypoint[seen][:, :2].min(axis=0), -1, atol=1e-5)
    assert not keypoint[~seen][:, :2].any()
    low, high = points[seen].min(axis=0), points[seen].max(axis=0)
    back = keypoint[..., :2][seen] * (high - low) / 2 + (high + low) / 2
    np.testing.assert_allclose(back, points[seen], rtol=1e-3)


@pytest.mark.parametrize("thin", [0, 1])
def test_2d_auto_leaves_what_is_small_in_pixels(make_sample: MakeSample, thin: int) -> None:
    sample = make_sample(joints=17, dims=2, dtype="float32")
    sample["keypoint"][..., thin] = 300 + sample["keypoint"][..., thin] / 1000
    sample["keypoint_score"][0, 0, 0] = 0
    points = sample["keypoint"].copy()
    points[0, 0, 0] = 0
    given_ = PreNormalize2D(mode="auto")(sample)
    np.testing.assert_array_equal(given_["keypoint"][..., :2], points)
    unseen = make_sample(joints=17, dims=2)
    unseen["keypoint_score"][:] = 0
    assert not PreNormalize2D(mode="auto")(unseen)["keypoint"].any()


@pytest.mark.parametrize("mode", ["fix", "auto"])
def test_2d_without_scores_keeps_two_coordinates(make_sample: MakeSample, mode: Any) -> None:
    sample = make_sample(joints=17, dims=2)
    del sample["keypoint_score"]
    given_ = PreNormalize2D(mode=mode)(sample)
    assert given_["keypoint"].shape == (2, 12, 17, 2)
    assert np.abs(given_["keypoint"]).max() <= 1


@pytest.mark.parametrize("mode", ["fix", "auto"])
def test_2d_takes_scores_from_the_third_coordinate(make_sample: MakeSample, mode: Any) -> None:
    apart = make_sample(joints=17, dims=2, dtype="float32")
    merged = dict(apart)
    score = merged.pop("keypoint_score")
    merged["keypoint"] = np.concatenate([apart["keypoint"], score[..., None]], axis=-1)
    np.testing.assert_array_equal(
        PreNormalize2D(mode=mode)(merged)["keypoint"], PreNormalize2D(mode=mode)(apart)["keypoint"]
    )


def test_2d_impossible_arguments() -> None:
    with pytest.raises(ValueError, match="'box'"):
        PreNormalize2D(mode="box")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="height, width"):
        PreNormalize2D(img_shape=(3, 1080, 1920))


@moderate
@given(seeds, st.sampled_from([0, 0.25, 1]), st.sampled_from([None, 1.0, (0.5, 2.0)]))
def test_compact_crops_to_the_padded_box(
    make_sample: MakeSample, seed: int, padding: float, hw_ratio: Any
) -> None:
    sample = make_sample(seed, joints=17, dims=2, dtype="float32")
    sample["keypoint"][0, 3, 5] = 0  # a missing joint
    points = sample["keypoint"].copy()
    there = points.any(axis=-1)
    given_ = PoseCompact(padding=padding, hw_ratio=hw_ratio)(dict(sample))
    np.testing.assert_array_equal(sample["keypoint"], points)
    height, width = given_["img_shape"]
    moved = given_["keypoint"]
    shift = (points - moved)[there]
    np.testing.assert_allclose(shift, np.broadcast_to(shift[0], shift.shape), atol=1e-3)
    assert not moved[0, 3, 5].any()
    span = points[there].max(axis=0) - points[there].min(axis=0)
    ratio = (0, math.inf) if hw_ratio is None else np.broadcast_to(hw_ratio, 2)
    wanted_height = max(span[1] * (1 + padding), ratio[0] * span[0] * (1 + padding))
    wanted_width = max(span[0] * (1 + padding), wanted_height / ratio[1])
    assert wanted_width - 1e-2 <= width <= wanted_width + 2 + 1e-2
    assert wanted_height - 1e-2 <= height <= wanted_height + 2 + 1e-2
    assert (moved[there] >= -1e-3).all()
    assert (moved[there] <= np.array([width, height]) + 1e-3).all()
    middle = (moved[there].max(axis=0) + moved[there].min(axis=0)) / 2
    np.testing.assert_allclose(middle, [width / 2, height / 2], atol=1.01)


def test_compact_stays_in_the_image_where_told(make_sample: MakeSample) -> None:
    sample = make_sample(joints=17, dims=2)
    height, width = PoseCompact(padding=5, allow_imgpad=False)(dict(sample))["img_shape"]
    assert (height, width) == (1080, 1920)
    height, width = PoseCompact(padding=5)(dict(sample))["img_shape"]
    assert height > 1080
    assert width > 1920


def test_compact_leaves_small_boxes_and_absent_people(make_sample: MakeSample) -> None:
    sample = make_sample(joints=17, dims=2)
    for scale in (0.001, 0):
        small = {**sample, "keypoint": sample["keypoint"] * np.float16(scale)}
        given_ = PoseCompact()(dict(small))
        np.testing.assert_array_equal(given_["keypoint"], small["keypoint"])
        assert given_["img_shape"] == (1080, 1920)
