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
from pyskl.errors import CheckpointError, ConfigError, InputError
from pyskl.models import build_model
from pyskl.training.seeding import set_random_seed
from pyskl.training.trainer import Trainer

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


def test_a_run_that_goes_on_unasked_says_so_where_it_can_not(
    tiny_config: Callable[..., dict], tmp_path: Path
) -> None:
    train_from_config(tiny_config(total_epochs=1), work_dir=tmp_path / "work")
    other = tiny_config(model__cls_head__num_classes=5)
    with pytest.raises(ConfigError) as refused:
        train_from_config(other, work_dir=tmp_path / "work")
    assert "--work-dir" in str(refused.value.hint)
    named = TrainSettings(resume=tmp_path / "work" / "latest.pth")
    with pytest.raises(CheckpointError) as caught:
        train_from_config(other, named, work_dir=tmp_path / "elsewhere")
    assert "--work-dir" not in str(caught.value)


def test_the_best_checkpoint_is_known_when_the_last_epoch_was_the_best(
    tiny_config: Callable[..., dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(total_epochs=2)
    climbing = iter([0.25, 0.5, 0.5, 0.5])
    monkeypatch.setattr(Trainer, "validate", lambda _: {"top1_acc": next(climbing)})
    settings = TrainSettings(validate=True)
    train_from_config(config, settings, work_dir=tmp_path / "work")
    best = tmp_path / "work" / "best_top1_acc_epoch_2.pth"
    before = best.read_bytes()
    latest = tmp_path / "work" / "latest.pth"
    for work_dir in (tmp_path / "work", tmp_path / "elsewhere"):
        again = TrainSettings(validate=True, resume=latest)
        train_from_config(config, again, work_dir=work_dir)
        assert [path.name for path in work_dir.glob("best_*")] == [best.name]
        assert (work_dir / best.name).read_bytes() == before
        assert all("WARNING" not in log.read_text() for log in work_dir.glob("*.log"))


@pytest.mark.slow
def test_a_best_checkpoint_that_no_longer_exists_is_reported(
    tiny_config: Callable[..., dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    climbing = iter([0.25, 0.5, 0.75, 0.5])
    monkeypatch.setattr(Trainer, "validate", lambda _: {"top1_acc": next(climbing)})
    settings = TrainSettings(validate=True)
    config = tiny_config(total_epochs=3)
    train_from_config(config, settings, work_dir=tmp_path / "work")
    # At epoch 2 the best checkpoint was another file, which the one of epoch 3 replaced.
    again = TrainSettings(validate=True, resume=tmp_path / "work" / "epoch_2.pth")
    with pytest.raises(StopIteration):
        train_from_config(config, again, work_dir=tmp_path / "elsewhere")
    (log,) = (tmp_path / "elsewhere").glob("*.log")
    (warning,) = (line for line in log.read_text().splitlines() if "WARNING" in line)
    assert "best_top1_acc_epoch_1.pth" in warning


def test_problems_are_errors_of_their_own(tiny_config: Callable[..., dict], tmp_path: Path) -> None:
    with pytest.raises(InputError):
        TrainSettings(test_best=True)
    with pytest.raises(ConfigError) as caught:
        train_from_config(tiny_config(total_epochs=0), work_dir=tmp_path / "work")
    assert [error.key for error in caught.value.errors] == ["total_epochs"]
    with pytest.raises(InputError):
        train_from_config(tiny_config(), TrainSettings(seed=-1), work_dir=tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_a_set_of_one_class_is_refused(
    tiny_config: Callable[..., dict],
    tiny_samples: Callable[[], list[dict]],
    write_tiny_annotations: Callable[..., Path],
    tmp_path: Path,
) -> None:
    samples = tiny_samples()
    ids = [sample["frame_dir"] for sample in samples]
    alike = [sample["frame_dir"] for sample in samples if sample["label"] == 1]
    splits = {"train": alike, "val": ids[-4:]}
    ann_file = write_tiny_annotations(tmp_path / "a.pkl", samples, splits)
    with pytest.raises(InputError) as caught:
        train_from_config(tiny_config(ann_file), work_dir=tmp_path / "work")
    assert [error.key for error in caught.value.errors] == ["data.train"]
    assert not (tmp_path / "work").exists()


def test_samples_to_measure_on_that_are_trained_on_are_counted(
    tiny_config: Callable[..., dict], tmp_path: Path
) -> None:
    config = tiny_config(total_epochs=1)
    data = config["data"]
    repeated = dict(type="RepeatDataset", times=2, dataset=data["train"])
    data["train"] = [repeated, dict(data["val"])]
    train_from_config(config, TrainSettings(validate=True), work_dir=tmp_path / "work")
    (log,) = (tmp_path / "work").glob("*.log")
    assert "10 of the 10 samples of data.val are in data.train" in log.read_text()


def test_more_samples_than_one_batch_are_needed_where_the_rest_is_left_out(
    tiny_config: Callable[..., dict], tmp_path: Path
) -> None:
    config = tiny_config(data__videos_per_gpu=100, data__train_dataloader=dict(drop_last=True))
    with pytest.raises(InputError, match="24 samples"):
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


def test_a_run_without_a_seed_keeps_the_drawn_one_when_resumed(
    tiny_config: Callable[..., dict], tmp_path: Path
) -> None:
    flat = {"policy": "fixed"}
    whole = tiny_config(total_epochs=2, seed=None, lr_config=flat)
    half = tiny_config(total_epochs=1, seed=None, lr_config=flat)
    train_from_config(half, work_dir=tmp_path / "resumed")
    drawn = _checkpoint(tmp_path / "resumed/epoch_1.pth")["meta"]["seed"]
    train_from_config(whole, TrainSettings(resume=True), work_dir=tmp_path / "resumed")
    train_from_config(whole, TrainSettings(seed=drawn), work_dir=tmp_path / "whole")
    resumed, uninterrupted = (
        _checkpoint(tmp_path / name / "epoch_2.pth") for name in ("resumed", "whole")
    )
    assert resumed["meta"]["seed"] == drawn
    for name, value in uninterrupted["state_dict"].items():
        assert torch.equal(resumed["state_dict"][name], value), name


@pytest.mark.slow
def test_a_checkpoint_of_the_family_resumes_with_another_batch_size(
    tiny_config: Callable[..., dict], tmp_path: Path
) -> None:
    train_from_config(tiny_config(total_epochs=1), work_dir=tmp_path / "theirs")
    checkpoint = _checkpoint(tmp_path / "theirs/epoch_1.pth")
    checkpoint["meta"] = {key: checkpoint["meta"][key] for key in ("epoch", "iter")}
    torch.save(checkpoint, tmp_path / "theirs.pth")
    for videos_per_gpu in (2, 8):
        work_dir = tmp_path / str(videos_per_gpu)
        train_from_config(
            tiny_config(total_epochs=2),
            TrainSettings(resume=tmp_path / "theirs.pth"),
            cfg_options=[f"data.videos_per_gpu={videos_per_gpu}"],
            work_dir=work_dir,
        )
        meta = _checkpoint(work_dir / "epoch_2.pth")["meta"]
        assert meta["iter"] == 2 * meta["iters_per_epoch"] != 2 * checkpoint["meta"]["iter"]


def _checkpoint(path: Path) -> dict:
    return torch.load(path, weights_only=True)
