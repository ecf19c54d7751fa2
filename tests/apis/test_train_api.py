"""Training from Python, with objects instead of files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from pyskl.apis import (
    TrainSettings,
    init_random_seed,
    init_recognizer,
    train_from_config,
    train_model,
)
from pyskl.datasets import build_dataset
from pyskl.engine.seeding import set_random_seed
from pyskl.errors import ConfigError, InputError
from pyskl.models import build_model

EVERYTHING = TrainSettings(validate=True, test_last=True, test_best=True)


def test_training_needs_no_file_of_a_config(
    tiny_config: Callable[..., dict], tmp_path: Path
) -> None:
    config = tiny_config()
    found = train_from_config(
        config, EVERYTHING, cfg_options=["total_epochs=1"], work_dir=tmp_path / "work"
    )
    assert set(found) == {"last", "best"}
    for figures in found.values():
        assert set(figures) == {"top1_acc", "top5_acc", "mean_class_accuracy"}
    assert (tmp_path / "work/best_pred.pkl").is_file()
    assert not (tmp_path / "work/epoch_2.pth").exists()
    init_recognizer(tmp_path / "work/config.py", tmp_path / "work/latest.pth")
    assert config == tiny_config()  # the caller's stays as it was


def test_a_config_object_stays_as_it_was(tiny_config: Callable[..., dict], tmp_path: Path) -> None:
    config = Config(tiny_config(total_epochs=1, seed=None))
    train_from_config(config, work_dir=tmp_path / "work")
    assert config.to_dict() == tiny_config(total_epochs=1, seed=None)


def test_objects_train_as_the_config_does(tiny_config: Callable[..., dict], tmp_path: Path) -> None:
    train_from_config(tiny_config(total_epochs=1), work_dir=tmp_path / "config")
    cfg = Config(tiny_config(total_epochs=1, work_dir=str(tmp_path / "objects")))
    set_random_seed(cfg.seed)
    model = build_model(cfg.model)
    dataset = build_dataset(cfg.data.train)
    assert train_model(model, dataset, cfg) == {}
    first, second = (
        torch.load(tmp_path / name / "latest.pth", weights_only=True)["state_dict"]
        for name in ("config", "objects")
    )
    for name, value in first.items():
        assert torch.equal(second[name], value), name
        assert torch.equal(model.state_dict()[name], value), name  # it is this model that trained


def test_without_a_chosen_best_the_end_says_so(
    tiny_config: Callable[..., dict], tmp_path: Path
) -> None:
    found = train_from_config(
        tiny_config(total_epochs=1, evaluation__interval=5), EVERYTHING, work_dir=tmp_path
    )
    assert set(found) == {"last"}
    (log,) = tmp_path.glob("*.log")
    assert "no validation was due" in log.read_text()


def test_resume_false_starts_anew(tiny_config: Callable[..., dict], tmp_path: Path) -> None:
    for settings in (TrainSettings(), TrainSettings(resume=False)):
        train_from_config(tiny_config(total_epochs=1), settings, work_dir=tmp_path)
    assert all("resumed" not in log.read_text() for log in tmp_path.glob("*.log"))


def test_faults_are_errors_of_their_own(tiny_config: Callable[..., dict], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--validate"):
        TrainSettings(test_best=True)
    with pytest.raises(ConfigError, match="total_epochs"):
        train_from_config(tiny_config(total_epochs=0), work_dir=tmp_path / "work")
    with pytest.raises(InputError, match="seed"):
        train_from_config(tiny_config(), TrainSettings(seed=-1), work_dir=tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_more_samples_than_one_batch_are_needed_where_the_rest_is_left_out(
    tiny_config: Callable[..., dict], tmp_path: Path
) -> None:
    config = tiny_config(data__videos_per_gpu=100, data__train_dataloader=dict(drop_last=True))
    with pytest.raises(InputError, match="24 samples do not fill one batch"):
        train_from_config(config, work_dir=tmp_path)


def test_a_drawn_seed_is_one_that_everything_takes() -> None:
    drawn = {init_random_seed() for _ in range(5)}
    assert len(drawn) > 1
    for seed in drawn:
        set_random_seed(seed)
    assert init_random_seed(7) == 7
    set_random_seed(7)
    first = torch.rand(3), np.random.rand(3)
    set_random_seed(7)
    assert torch.equal(torch.rand(3), first[0])
    np.testing.assert_array_equal(np.random.rand(3), first[1])
