"""Recognising one sequence from Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config

from pyskl import apis
from pyskl.apis import inference_recognizer, init_recognizer
from pyskl.datasets import build_dataset
from pyskl.errors import AnnotationError, CheckpointError, InputError


@pytest.fixture
def model(tiny_config: Callable[..., dict]) -> torch.nn.Module:
    """A recognizer with random weights that prefers no class by far."""
    torch.manual_seed(0)
    return init_recognizer(tiny_config())


@pytest.fixture
def sample(tiny_samples: Callable[[], list[dict]]) -> dict[str, Any]:
    """A sample as annotation files hold it."""
    return tiny_samples()[24]  # the first of the validation set


def test_a_config_may_be_a_path_a_dict_or_an_object(
    tiny_config: Callable[..., dict], write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_tiny_config(tmp_path / "tiny.py")
    for config in (path, str(path), tiny_config(), Config(tiny_config())):
        model = init_recognizer(config)
        assert not model.training
        assert model.cfg.model.cls_head.num_classes == 3


def test_weights_are_loaded(
    tiny_config: Callable[..., dict], model: torch.nn.Module, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": model.state_dict(), "meta": {}}, path)
    loaded = init_recognizer(tiny_config(), path)
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    with pytest.raises(CheckpointError, match="fc_cls"):
        init_recognizer(tiny_config(model__cls_head__num_classes=4), path)


def test_a_sequence_gets_the_scores_that_a_test_gives_it(
    model: torch.nn.Module, sample: dict[str, Any]
) -> None:
    dataset = build_dataset(model.cfg.data.test, {"test_mode": True})
    (expected,) = apis.test_model(model, [dataset[0]])  # a list is a data set, too
    found = inference_recognizer(model, sample, topk=3)
    assert [index for index, _ in found] == list(np.argsort(-expected))
    np.testing.assert_allclose([score for _, score in found], sorted(expected)[::-1], rtol=1e-5)
    assert sum(score for _, score in found) == pytest.approx(1, abs=1e-5)


def test_an_array_or_a_label_less_sample_will_do(
    model: torch.nn.Module, sample: dict[str, Any]
) -> None:
    expected = inference_recognizer(model, sample)
    assert len(expected) == 3  # the default top 5 of 3 classes
    keypoint = sample["keypoint"]  # (M, T, V, C)
    for form in (keypoint, keypoint[0], {"keypoint": keypoint}, {**sample, "label": -1}):
        assert inference_recognizer(model, form) == expected
    assert inference_recognizer(model, keypoint, topk=1) == expected[:1]


def test_the_sample_is_left_as_it_was(model: torch.nn.Module, sample: dict[str, Any]) -> None:
    before = {**sample, "keypoint": sample["keypoint"].copy()}
    inference_recognizer(model, sample)
    assert sample.keys() == before.keys()
    np.testing.assert_array_equal(sample["keypoint"], before["keypoint"])


@pytest.mark.parametrize(
    ("malformed", "found"),
    [
        ({}, "'keypoint' is missing"),
        ({"keypoint": [[1.0]]}, "NumPy array, found list"),
        (np.zeros((20, 25)), r"\(M, T, V, C\), found shape \(20, 25\)"),
        (np.zeros((1, 1, 20, 25, 3)), r"found shape \(1, 1, 20, 25, 3\)"),
        (np.zeros((1, 20, 25, 3), int), "float type, found int64"),
        (np.full((1, 20, 25, 3), np.inf), "infinite"),
        ({"keypoint": np.zeros((1, 20, 25, 3)), "total_frames": 3}, "total_frames is 3"),
        (np.ones((1, 20, 17, 3)), "17"),
    ],
)
def test_a_malformed_sample_is_refused(
    model: torch.nn.Module, malformed: dict[str, Any] | np.ndarray, found: str
) -> None:
    with pytest.raises(AnnotationError, match=found):
        inference_recognizer(model, malformed)


def test_the_pipeline_is_found_inside_other_data_sets(
    tiny_config: Callable[..., dict], model: torch.nn.Module, sample: dict[str, Any]
) -> None:
    expected = inference_recognizer(model, sample)
    test = tiny_config()["data"]["test"]
    for nested in (
        [test, test],
        dict(type="ConcatDataset", datasets=[test]),
        dict(type="RepeatDataset", times=2, dataset=test),
    ):
        model.cfg = Config(tiny_config(data__test=nested))
        assert inference_recognizer(model, sample) == expected


def test_clips_kept_apart_have_no_ranking(model: torch.nn.Module, sample: dict[str, Any]) -> None:
    model.average_clips = None
    with pytest.raises(InputError, match="average_clips"):
        inference_recognizer(model, sample)
