"""Existing and synthetic data, devices and shapes of a benchmark."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pyskl.apis.data import build_data
from pyskl.apis.prepare import prepare
from pyskl.benchmark.workload import BenchmarkSettings, find_device, open_workload
from pyskl.errors import ConfigError, DeviceError, InputError

TinyConfig = Callable[..., dict[str, Any]]


def test_files_that_exist_are_read(tiny_config: TinyConfig) -> None:
    with open_workload(tiny_config(), BenchmarkSettings(), uses=["train"]) as workload:
        assert len(build_data(workload.cfg, "train")) == 24
        assert workload.data == "the config's annotation files"


@pytest.mark.slow
def test_missing_files_are_replaced(tiny_config: TinyConfig, tmp_path: Path) -> None:
    gone = tiny_config(ann_file=tmp_path / "gone.pkl")
    before = copy.deepcopy(gone)
    with open_workload(gone, BenchmarkSettings(), uses=["train", "val"]) as workload:
        prepare(workload.cfg, ["train", "val"])
        found = [len(build_data(workload.cfg, use)) for use in ("train", "val")]
        assert found == [1400, 600]
        assert "synthetic samples" in workload.data
    assert not workload.folder.exists()
    assert gone == before
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["PoseDataset", "ToyDataset"])
def test_synthetic_data_on_request(tiny_config: TinyConfig, kind: str) -> None:
    settings = BenchmarkSettings(synthetic=10)
    cfg = tiny_config(data__train__type=kind)
    with open_workload(cfg, settings, uses=["train"]) as workload:
        assert len(build_data(workload.cfg, "train")) == 10
        assert workload.data == "10 synthetic samples in the shape of NTU RGB+D"


def test_there_are_enough_samples_for_a_large_batch(
    tiny_config: TinyConfig, tmp_path: Path
) -> None:
    settings = BenchmarkSettings(batch=[16, 700])
    cfg = tiny_config(ann_file=tmp_path / "gone.pkl")
    with open_workload(cfg, settings, uses=["train"]) as workload:
        assert len(build_data(workload.cfg, "train")) >= 700


def test_batches_have_the_shape_that_the_pipeline_yields(tiny_config: TinyConfig) -> None:
    with open_workload(tiny_config(), BenchmarkSettings(), uses=["train"]) as workload:
        keypoint, label = workload.random_batch(5, "train")
        assert keypoint.shape == (5, 1, 1, 8, 25, 3)
        assert label.shape == (5,)
        assert 0 <= int(label.min()) <= int(label.max()) < 3
        assert workload.random_batch(2, "test")[0].shape == (2, 2, 1, 8, 25, 3)


def test_models_are_built_alike(tiny_config: TinyConfig) -> None:
    with open_workload(tiny_config(), BenchmarkSettings(), uses=["train"]) as workload:
        first, second = (workload.build_model().state_dict() for _ in range(2))
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_batches_and_workers_are_the_configs_unless_given(tiny_config: TinyConfig) -> None:
    settings = BenchmarkSettings(use="test")
    with open_workload(tiny_config(), settings, uses=["test"]) as workload:
        assert (workload.batch_sizes, workload.workers) == ([3], 0)
    settings = BenchmarkSettings(use="test", batch=[5, 6], workers=4)
    with open_workload(tiny_config(), settings, uses=["test"]) as workload:
        assert (workload.batch_sizes, workload.workers) == ([5, 6], 4)


def test_a_config_without_the_data_set_is_refused(tiny_config: TinyConfig) -> None:
    with (
        pytest.raises(ConfigError) as error,
        open_workload(tiny_config(data__train=None), BenchmarkSettings(), uses=["train"]),
    ):
        pass
    assert error.value.key == "data.train"


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "mps"])
def test_a_missing_device_is_refused(name: str) -> None:
    with pytest.raises(DeviceError) as error:
        find_device(name)
    assert error.value.found == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("repeats", 0),
        ("batch", [4, 0]),
        ("ranks", [0]),
        ("synthetic", 0),
        ("workers", -1),
        ("seconds", 0.0),
        ("seconds", float("nan")),
    ],
)
def test_numbers_out_of_range_are_refused(name: str, value: Any) -> None:
    with pytest.raises(InputError) as error:
        BenchmarkSettings(**{name: value})
    assert error.value.key == f"--{name}"
