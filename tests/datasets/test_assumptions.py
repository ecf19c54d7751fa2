"""What a pipeline assumes about the data is said, and refused where it can't be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.datasets import PoseDataset
from pyskl.datasets.pipelines import PreNormalize2D, PreNormalize3D
from pyskl.errors import AnnotationError, InputError

ARM = dict(name="arm", num_joints=4, edges=[(1, 0), (2, 1), (3, 2)], center=0)
FLAT: list[dict[str, Any]] = [{"type": "PreNormalize2D"}]


@pytest.mark.parametrize("pack", [False, True])
def test_a_data_set_without_image_sizes_says_what_it_assumes(
    make_sample: Callable[..., dict], write_annotations: Callable[..., Path],
    tmp_path: Path, pack: bool,
) -> None:  # fmt: skip
    samples = [make_sample(i, joints=17, dims=2, frame_dir=f"c{i}") for i in range(4)]
    samples[2]["img_shape"] = ""
    split = {"with": ["c0", "c1"], "without": ["c2", "c3"]}
    path = write_annotations(tmp_path / "a.pkl", samples, split)
    for name, pipeline, count in (
        ("with", FLAT, 0),
        ("without", FLAT, 1),
        ("without", [{**FLAT[0], "img_shape": (1080, 1920)}], 0),
        ("without", [{**FLAT[0], "mode": "auto"}], 0),
        ("without", [{"type": "RandomScale", "scale": 0.1}, *FLAT], 1),
        ("without", [], 0),
    ):
        found = PoseDataset(path, pipeline, split=name, pack=pack).assumptions
        assert len(found) == count, (name, pipeline)
        if found:
            assert "1080 x 1920" in found[0]
            assert "img_shape" in found[0]


def test_other_layouts_than_the_family_s_are_assumed_aloud() -> None:
    for joints, options, words in (
        (25, {}, None),
        (17, {}, ["joint 16 is the body centre", "from joint 0 to 1", "(8, 4)", "layout="]),
        (20, dict(zaxis=[0, 2], xaxis=[8, 4]), ["joint 19"]),
        (20, dict(align_center=False, zaxis=[0, 2], xaxis=[8, 4]), None),
        (20, dict(align_center=False, align_spine=False), None),
        (17, dict(layout="h36m"), None),
        (4, dict(layout=ARM), ["'arm'", "align_spine=False"]),
        (4, dict(layout=ARM, align_spine=False), None),
        (4, dict(layout={**ARM, "spine": (0, 1)}), None),
    ):
        text = PreNormalize3D(**options).assumption(joints, 0)
        assert (text is None) == (words is None)
        for word in words or ():
            assert word in (text or "")


@given(
    height=st.integers(100, 4000),
    width=st.integers(100, 4000),
    scale=st.sampled_from([1e-4, 0.02, 0.5, 0.999, 1.5, 2.5, 5.0, 100.0]),
    stated=st.sampled_from(["sample", "transform", "nowhere"]),
)
def test_sizes_that_do_not_fit_the_joints_are_refused(
    height: int, width: int, scale: float, stated: str
) -> None:
    if stated == "nowhere":
        height, width = 1080, 1920
    rng = np.random.default_rng(0)
    keypoint = rng.uniform(0.75, 1, (2, 6, 17, 2)) * scale * np.array([width, height])
    sample: dict[str, Any] = {"keypoint": keypoint.astype(np.float32)}
    if stated == "sample":
        sample["img_shape"] = (height, width)
    transform = PreNormalize2D(img_shape=(height, width) if stated == "transform" else None)
    limit = 1.0 if stated == "nowhere" else 2.0  # at the smallest joints
    pixels = float(keypoint.max()) > 2
    if pixels and scale * 0.75 < limit * 0.76:
        found = transform(sample)["keypoint"]
        half = np.array([width, height]) / 2
        np.testing.assert_allclose(found, (keypoint - half) / half, atol=1e-4)
        return
    with pytest.raises(InputError) as caught:
        transform(sample)
    assert caught.value.key == ("img_shape" if pixels else "keypoint")
    sample["img_shape"] = (1, 1) if not pixels else (height * 200, width * 200)
    transform(sample)  # what the message proposes


def test_a_film_of_a_few_strays_is_taken() -> None:
    keypoint = np.full((1, 5, 17, 2), 100, np.float32)
    keypoint[:, :2] = 1e5
    assert np.isfinite(PreNormalize2D()({"keypoint": keypoint})["keypoint"]).all()


def test_a_sample_that_is_refused_is_named_when_its_split_is_used(
    make_sample: Callable[..., dict], write_annotations: Callable[..., Path], tmp_path: Path
) -> None:
    samples = [make_sample(i, joints=17, dims=2, frame_dir=f"c{i}") for i in range(4)]
    for sample in samples:
        del sample["img_shape"]
    samples[1]["keypoint"] = samples[1]["keypoint"].astype(np.float32) / 1920
    path = write_annotations(tmp_path / "a.pkl", samples, {"x": ["c0", "c3"], "y": ["c1", "c2"]})
    assert np.abs(PoseDataset(path, FLAT, split="x")[1]["keypoint"]).max() <= 1
    with pytest.raises(AnnotationError) as caught:
        PoseDataset(path, FLAT, split="y")
    (error,) = caught.value.errors
    assert (error.sample, error.key) == ("c1", "keypoint")
