"""Testing from Python, with objects instead of files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from pyskl import apis  # whose test_... functions pytest would take for tests
from pyskl.apis import TestSettings, inference_recognizer, init_recognizer
from pyskl.apis.data import build_data
from pyskl.datasets import build_dataset
from pyskl.errors import CheckpointError, InputError
from pyskl.evaluation.metrics import NonFiniteScoresError


@pytest.fixture
def checkpoint(tiny_config: Callable[..., dict], tmp_path: Path) -> Path:
    """Random weights."""
    torch.manual_seed(0)
    path = tmp_path / "weights.pth"
    torch.save(init_recognizer(tiny_config()).state_dict(), path)
    return path


def test_a_test_returns_its_figures_and_writes_its_scores(
    tiny_config: Callable[..., dict], checkpoint: Path, tmp_path: Path
) -> None:
    settings = TestSettings(metrics="mean_class_accuracy", out=tmp_path / "scores.json")
    found = apis.test_from_config(tiny_config(), checkpoint, settings)
    assert set(found) == {"mean_class_accuracy"}
    scores = np.array(json.loads((tmp_path / "scores.json").read_text()))
    assert scores.shape == (10, 3)
    assert set(apis.test_from_config(tiny_config(), checkpoint)) == {"top1_acc", "top5_acc"}
    chosen = tiny_config(evaluation=dict(topk=2))
    assert set(apis.test_from_config(chosen, checkpoint)) == {"top2_acc"}


def test_objects_score_as_the_config_does(
    tiny_config: Callable[..., dict], checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores.json"
    apis.test_from_config(tiny_config(), checkpoint, TestSettings(metrics=[], out=out))
    expected = np.array(json.loads(out.read_text()), np.float32)
    model = init_recognizer(tiny_config(), checkpoint)
    dataset = build_dataset(tiny_config()["data"]["test"], {"test_mode": True})
    np.testing.assert_array_equal(apis.test_model(model, dataset, videos_per_gpu=3), expected)
    np.testing.assert_allclose(apis.test_model(model, dataset), expected, atol=1e-6)
    assert not model.training


def test_what_can_not_be_measured_is_refused_before_scoring(
    tiny_config: Callable[..., dict], checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyskl.apis.test.collect_scores", lambda *_, **__: pytest.fail("scored"))
    several = tiny_config(data__test__multi_class=True, data__test__num_classes=3)
    for config, settings in (
        (several, TestSettings()),
        (tiny_config(), TestSettings(average_clips="none")),
        (tiny_config(), TestSettings(metrics=["accuracy"])),
        (tiny_config(), TestSettings(out="scores.npy")),
    ):
        with pytest.raises(InputError):
            apis.test_from_config(config, checkpoint, settings)
    with pytest.raises(CheckpointError):
        apis.test_from_config(tiny_config(), "missing.pth")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("metrics", [["top_k_accuracy"], ["mean_average_precision"], []])
def test_weights_that_are_not_finite_give_no_result(
    tiny_config: Callable[..., dict], tmp_path: Path, value: float, metrics: list[str]
) -> None:
    broken = {
        name: torch.full_like(weight, value) if weight.is_floating_point() else weight
        for name, weight in init_recognizer(tiny_config()).state_dict().items()
    }
    torch.save(broken, tmp_path / "broken.pth")
    out = tmp_path / "scores.pkl"
    settings = TestSettings(metrics=metrics, out=out)
    with pytest.raises(NonFiniteScoresError) as error:
        apis.test_from_config(tiny_config(), tmp_path / "broken.pth", settings)
    assert error.value.sample == "clip24"
    assert "10 of 10" in error.value.found
    assert not out.exists()
    model = init_recognizer(tiny_config(), tmp_path / "broken.pth")
    with pytest.raises(NonFiniteScoresError):
        inference_recognizer(model, np.random.default_rng(0).normal(size=(1, 20, 25, 3)))


def test_several_labels_a_sample_are_measured_by_precision(
    tiny_config: Callable[..., dict], checkpoint: Path
) -> None:
    several = tiny_config(data__test__multi_class=True, data__test__num_classes=3)
    settings = TestSettings(metrics=["mean_average_precision"])
    one = apis.test_from_config(tiny_config(), checkpoint, settings)
    assert apis.test_from_config(several, checkpoint, settings) == pytest.approx(one)


def test_trust_reaches_the_files_inside_other_data_sets(tiny_config: Callable[..., dict]) -> None:
    data = tiny_config()["data"]
    nested = dict(
        type="ConcatDataset",
        datasets=[data["test"], dict(type="RepeatDataset", times=2, dataset=data["test"])],
    )
    for trusted in (False, True):
        dataset = build_data({"data": {"test": [nested]}}, "test", trusted=trusted)
        assert len(dataset) == 30
        inner = dataset.datasets[0].datasets
        assert inner[0].test_mode
        assert inner[1].dataset.test_mode
    assert "trusted" not in data["test"]
