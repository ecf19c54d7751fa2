"""Synthetic annotations: valid, and of the shape of NTU RGB+D."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pyskl.benchmark.synthetic import SampleShape, make_samples, shape_for, write_annotations
from pyskl.config import load_config
from pyskl.datasets import PoseDataset
from pyskl.datasets.annotation_pickle import read_annotation_pickle
from pyskl.errors import InputError
from pyskl.models import build_model

KINECT = SampleShape(joints=25, coordinates=3, scores=False, classes=60)
HRNET = SampleShape(joints=17, coordinates=2, scores=True, classes=60)


@given(
    st.builds(
        SampleShape, st.integers(1, 40), st.sampled_from([2, 3]), st.booleans(), st.integers(1, 9)
    ),
    st.integers(1, 30),
)
def test_samples_have_the_shape_asked_for(shape: SampleShape, count: int) -> None:
    samples = make_samples(shape, count)
    assert len({sample["frame_dir"] for sample in samples}) == count
    for sample in samples:
        M, T, V, C = sample["keypoint"].shape
        assert (shape.joints, shape.coordinates) == (V, C)
        assert 1 <= M <= (2 if C == 3 else 3)
        assert 30 <= T <= 300
        assert sample["total_frames"] == T
        assert 0 <= sample["label"] < shape.classes
        assert sample["keypoint"].dtype == np.float16
        assert ("keypoint_score" in sample) == shape.scores
        if shape.scores:
            assert sample["keypoint_score"].shape == (M, T, V)


def test_numbers_of_frames_and_persons_are_those_of_ntu() -> None:
    samples = make_samples(KINECT, 4000)
    assert np.median([sample["total_frames"] for sample in samples]) == pytest.approx(80, abs=4)
    persons = [len(sample["keypoint"]) for sample in samples]
    assert np.mean(np.equal(persons, 1)) == pytest.approx(0.7, abs=0.03)


def test_the_same_seed_makes_the_same_samples() -> None:
    first, again, other = (make_samples(HRNET, 5, seed=seed) for seed in (1, 1, 2))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one["keypoint"], two["keypoint"])
    assert not np.array_equal(first[0]["keypoint"].ravel()[:99], other[0]["keypoint"].ravel()[:99])


@pytest.mark.parametrize(
    ("config", "shape"),
    [
        ("stgcn_pyskl_ntu60_xsub_3dkp/j.py", KINECT),
        ("stgcn_pyskl_ntu60_xsub_hrnet/b.py", HRNET),
    ],
)
def test_the_shape_is_that_of_the_model(repo_root: Path, config: str, shape: SampleShape) -> None:
    cfg = load_config(repo_root / "configs" / "stgcn" / config)
    assert shape_for(build_model(cfg.model)) == shape


def test_a_backbone_without_a_layout_is_refused() -> None:
    with pytest.raises(InputError) as error:
        shape_for(nn.Linear(1, 1))
    assert error.value.key == "ann_file"


@given(st.integers(1, 25))
def test_splits_are_disjoint_and_cover_all_samples(count: int) -> None:
    samples = make_samples(SampleShape(3, 2, True, 2), count)
    ids = [sample["frame_dir"] for sample in samples]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "synthetic.pkl"
        write_annotations(path, samples, {"train"}, {"val", "test"})
        split = read_annotation_pickle(path).split
        assert split is not None
        assert split["val"] == split["test"]
        if count > 1:
            assert split["train"] + split["val"] == ids
            assert split["val"]
        else:
            assert split["train"] == split["val"] == ids
        assert len(PoseDataset(path, [], split="train")) == len(split["train"])  # and is valid
