from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.datasets.annotation_pickle import Sample
from pyskl.datasets.pipelines import (
    Compose,
    GenSkeFeat,
    JointToBone,
    MergeSkeFeat,
    PreNormalize2D,
    ToMotion,
)
from pyskl.errors import ConfigError, InputError
from pyskl.skeleton import SkeletonLayout, resolve_layout

MakeSample = Callable[..., Sample]
ARM = {"name": "arm", "num_joints": 4, "edges": [(1, 0), (2, 1), (3, 2)], "center": 0}
HUB = {  # bones of its own, spelt as the family spells layouts
    "num_node": 5,
    "inward": [(1, 0), (2, 0), (3, 1), (4, 2)],
    "center": 0,
    "bones": [(0, 0), (1, 2), (2, 3), (3, 0), (4, 0)],
    "dim": 2,
}
LAYOUTS: list[Any] = ["nturgb+d", "coco", "openpose", "handmp", ARM, HUB]
moderate = settings(max_examples=60, deadline=None)


def bones_by_the_book(keypoint: np.ndarray, layout: SkeletonLayout) -> np.ndarray:
    """Joint - its bone parent, one at a time; the mean for the scores of 2D joints."""
    result = np.full_like(keypoint, np.nan)
    scored = layout.dim == 2 and keypoint.shape[3] == 3
    for person, frame in np.ndindex(*keypoint.shape[:2]):
        body = keypoint[person, frame]
        for child, parent in layout.bones:
            for axis in range(keypoint.shape[3]):
                a, b = body[child, axis], body[parent, axis]
                result[person, frame, child, axis] = (a + b) / 2 if scored and axis == 2 else a - b
    return result


def motion_by_the_book(keypoint: np.ndarray, layout: SkeletonLayout) -> np.ndarray:
    """Frame t+1 - frame t, one at a time; the mean for the scores of 2D joints.

    The third channel of the family's hands is no score in a motion.
    """
    result = np.zeros_like(keypoint)
    scored = layout.dim == 2 and keypoint.shape[3] == 3 and layout.name != "handmp"
    for person in range(keypoint.shape[0]):
        for frame in range(keypoint.shape[1] - 1):
            now, then = keypoint[person, frame], keypoint[person, frame + 1]
            for joint, axis in np.ndindex(*now.shape):
                a, b = now[joint, axis], then[joint, axis]
                moved = (a + b) / 2 if scored and axis == 2 else b - a
                result[person, frame, joint, axis] = moved
    return result


def streams_by_the_book(keypoint: np.ndarray, layout: SkeletonLayout) -> dict[str, np.ndarray]:
    bone = bones_by_the_book(keypoint, layout)
    return {
        "j": keypoint,
        "b": bone,
        "jm": motion_by_the_book(keypoint, layout),
        "bm": motion_by_the_book(bone, layout),
    }


@moderate
@given(
    layout=st.sampled_from(LAYOUTS),
    feats=st.lists(st.sampled_from(["j", "b", "jm", "bm"]), min_size=1, max_size=4),
    persons=st.integers(1, 2),
    frames=st.integers(1, 3),
    dims=st.sampled_from([2, 3]),
    seed=st.integers(0, 100),
)
def test_streams_follow_the_specification(
    layout: Any, feats: list[str], persons: int, frames: int, dims: int, seed: int
) -> None:
    resolved = resolve_layout(layout)
    rng = np.random.default_rng(seed)
    keypoint = rng.normal(size=(persons, frames, resolved.num_joints, dims)).astype(np.float32)
    expected = streams_by_the_book(keypoint, resolved)
    before = keypoint.copy()
    given_ = GenSkeFeat(layout, feats)({"keypoint": keypoint})["keypoint"]
    assert given_.dtype == np.float32
    np.testing.assert_allclose(
        given_, np.concatenate([expected[feat] for feat in feats], axis=-1), atol=1e-6
    )
    np.testing.assert_array_equal(keypoint, before)


@moderate
@given(st.sampled_from(LAYOUTS), st.sampled_from(["j", "b", "jm", "bm"]), st.integers(0, 100))
def test_streams_are_the_differences_bit_for_bit(layout: Any, feat: str, seed: int) -> None:
    resolved = resolve_layout(layout)
    rng = np.random.default_rng(seed)
    keypoint = rng.normal(size=(2, 3, resolved.num_joints, 3)).astype(np.float32)
    keypoint.setflags(write=False)
    given_ = GenSkeFeat(layout, [feat])({"keypoint": keypoint})["keypoint"]
    np.testing.assert_array_equal(given_, streams_by_the_book(keypoint, resolved)[feat])


@pytest.mark.parametrize("layout", ["coco", HUB])
@pytest.mark.parametrize("feat", ["j", "b", "jm", "bm"])
def test_scores_become_the_third_coordinate(
    make_sample: MakeSample, layout: Any, feat: str
) -> None:
    resolved = resolve_layout(layout)
    sample = make_sample(joints=resolved.num_joints, dims=2, dtype="float32")
    merged = np.concatenate([sample["keypoint"], sample["keypoint_score"][..., None]], axis=-1)
    given_ = GenSkeFeat(layout, [feat])(sample)
    assert "keypoint_score" not in given_
    expected = streams_by_the_book(merged, resolved)[feat]
    np.testing.assert_allclose(given_["keypoint"], expected, atol=1e-3)


def test_published_bones_of_hands_and_hips() -> None:
    def bone_of(joint: int, layout: str) -> list[float]:
        joints = resolve_layout(layout).num_joints
        position = np.arange(joints, dtype=np.float32)[None, None, :, None].repeat(2, -1)
        bone = GenSkeFeat(layout, ["b"])({"keypoint": position})["keypoint"]
        return (joint - bone[0, 0, joint]).tolist()  # the parent's number

    assert bone_of(21, "nturgb+d") == [22, 22]
    assert bone_of(23, "nturgb+d") == [24, 24]
    assert bone_of(20, "nturgb+d") == [20, 20]
    assert bone_of(11, "coco") == bone_of(12, "coco") == [0, 0]


@pytest.mark.parametrize("transform", [GenSkeFeat, MergeSkeFeat])
def test_streams_are_concatenated_along_the_channels_only(transform: Any) -> None:
    transform(axis=3)
    with pytest.raises(ValueError, match="axis"):
        transform(axis=1)


@pytest.mark.parametrize("normalize", [True, False])
def test_scores_in_a_layout_of_3d_joints_are_an_error(
    make_sample: MakeSample, normalize: bool
) -> None:
    sample = make_sample(joints=4, dims=2)
    steps: list[Any] = [*([PreNormalize2D()] if normalize else []), GenSkeFeat(ARM, ["b"])]
    with pytest.raises(InputError) as caught:
        Compose(steps)(dict(sample))
    assert caught.value.key == "keypoint"
    flat = GenSkeFeat({**ARM, "dim": 2}, ["b"])
    given_ = Compose([*steps[:-1], flat])(dict(sample))
    assert (given_["keypoint"][..., 2] > 0).all()


def test_what_augmentation_sees_as_score(make_sample: MakeSample) -> None:
    from pyskl.datasets.pipelines import RandomRot

    sample = make_sample(joints=17, dims=2, dtype="float32")
    scores = sample["keypoint_score"].copy()
    given_ = Compose([GenSkeFeat("coco"), RandomRot()])(sample)
    np.testing.assert_array_equal(given_["keypoint"][..., 2], scores)


@pytest.mark.parametrize("layout", ["nturgb+d", "coco", ARM])
def test_the_transforms_one_by_one_make_the_same_streams(layout: Any) -> None:
    resolved = resolve_layout(layout)
    rng = np.random.default_rng(0)
    keypoint = rng.normal(size=(2, 5, resolved.num_joints, 3)).astype(np.float32)
    single = Compose(
        [
            JointToBone(layout, target="b"),
            ToMotion(layout, source="keypoint", target="jm"),
            ToMotion(layout, source="b", target="bm"),
            {"type": "Rename", "mapping": {"keypoint": "j"}},
            MergeSkeFeat(["j", "b", "jm", "bm"]),
        ]
    )({"keypoint": keypoint})
    merged = GenSkeFeat(layout, ["j", "b", "jm", "bm"])({"keypoint": keypoint})
    assert single.keys() == {"keypoint"}
    np.testing.assert_array_equal(single["keypoint"], merged["keypoint"])


def test_impossible_streams_and_joints(make_sample: MakeSample) -> None:
    with pytest.raises(ValueError, match="jmm"):
        GenSkeFeat(feats=["j", "jmm"])
    impossible: list[Any] = ["j", [], None]
    for bad in impossible:
        with pytest.raises(ValueError, match="feats"):
            GenSkeFeat(feats=bad)
    for transform in (GenSkeFeat("coco"), JointToBone("coco")):
        with pytest.raises(InputError) as caught:
            transform(make_sample())
        assert (caught.value.found, caught.value.expected) == ("25 joints", "17 joints")
    with pytest.raises(ConfigError):
        GenSkeFeat("nturgbd")
