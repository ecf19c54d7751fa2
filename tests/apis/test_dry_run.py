"""Dry runs: they find what a training would find, and nothing stays behind."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pyskl.apis import TrainSettings, train_from_config
from pyskl.apis.dry_run import DryRunReport, dry_run_from_config
from pyskl.datasets import build_dataset
from pyskl.errors import ConfigError, DeviceError, InputError
from pyskl.models import build_model
from pyskl.models.cost import model_cost
from pyskl.models.recognizers import RecognizerGCN
from pyskl.training.nonfinite import TrainingError
from pyskl.training.schedule import LearningRate

EVERYTHING = TrainSettings(validate=True, test_last=True, test_best=True)
COSINE = dict(policy="CosineAnnealing", min_lr=0, by_epoch=False)


def contents(folder: Path) -> dict[Path, bytes]:
    """Return all files below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def report(
    tiny_config: Callable[..., dict], tmp_path_factory: pytest.TempPathFactory
) -> DryRunReport:
    """A dry run of the tiny training with all its tests."""
    folder = tmp_path_factory.mktemp("dry")
    config = tiny_config(lr_config=COSINE)
    with pytest.MonkeyPatch.context() as patch:  # as for the tests themselves
        patch.setattr(torch.cuda, "is_available", lambda: False)
        found = dry_run_from_config(config, EVERYTHING, work_dir=folder / "work")
    assert list(folder.iterdir()) == []
    return found


def test_the_plan_is_that_of_the_training(
    report: DryRunReport, tiny_config: Callable[..., dict]
) -> None:
    assert (report.epochs_left, report.validations_left, report.start) == (2, 2, "a new run")
    counts = {use: found.tolist() for use, found in report.class_counts.items()}
    assert counts == {"train": [8, 8, 8], "val": [4, 3, 3], "test": [4, 3, 3]}
    model = build_model(tiny_config()["model"])
    rate = LearningRate(0.05, 2, 6, **COSINE)
    text = report.text()
    for part in (
        f"nothing is written to {report.run.work_dir}\n",
        "a new run; seed 1\n",
        f"RecognizerGCN with STGCN, {sum(p.numel() for p in model.parameters()):,} parameters\n",
        f"{model_cost(model, (1, 8, 25, 3)).flops / 1e9:.3g} GFLOP forward",
        "for a clip of 1 person x 8 frames\n",
        "24 samples in 6 steps of 4\n",
        "2 epochs, 12 steps\n",
        f"0.05 in the first step, {rate.at(5):.3g} half-way, {rate.at(11):.3g} in the last\n",
        "(4, 1, 1, 8, 25, 3) (N, clips, M, T, V, C), float32\n",
        "loss_cls 1.",
        "\n  a validation ",
        "\n  a test ",
        "\n  the run ",
        "\n  class  train  val  test\n",
        "\n      2      8    3     3\n",
        "\n    all     24   10    10",
    ):
        assert part in text
    assert all(len(line) < 200 for line in text.splitlines())


def test_the_first_batch_is_that_of_the_training(
    report: DryRunReport, tiny_config: Callable[..., dict]
) -> None:
    found = report.measured
    assert found.batch["keypoint"].shape == (4, 1, 1, 8, 25, 3)
    dataset = build_dataset(tiny_config()["data"]["train"])
    labels = dict(zip(dataset.sample_ids, dataset.labels))
    assert [labels[name] for name in found.sample_ids] == found.batch["label"].flatten().tolist()
    again = dry_run_from_config(
        tiny_config(lr_config=COSINE), work_dir=report.run.work_dir
    ).measured
    assert torch.equal(again.batch["keypoint"], found.batch["keypoint"])
    assert again.losses == pytest.approx(found.losses)


def test_measured_times_are_added_up(report: DryRunReport) -> None:
    found = report.measured
    assert found.later_step is not None
    assert min(found.first_step, found.later_step, found.first_batch) > 0
    assert report.epoch_seconds == 6 * found.later_step
    assert found.batches == {"val": 3, "test": 4}
    assert report.test_seconds("val") == 3 * found.scoring["val"] > 0
    assert report.run_seconds == 2 * (report.epoch_seconds + report.test_seconds("val"))
    if found.peak is not None and found.growth is not None:
        assert 0 <= found.growth < found.peak


def test_repeated_data_is_counted_once(tiny_config: Callable[..., dict], tmp_path: Path) -> None:
    config = tiny_config()
    config["data"]["train"] = dict(type="RepeatDataset", times=3, dataset=config["data"]["train"])
    found = dry_run_from_config(config, work_dir=tmp_path / "work")
    assert "72 samples (3 passes) in 18 steps of 4\n" in found.text()
    assert found.class_counts["train"].tolist() == [8, 8, 8]


def test_classes_are_named_as_the_annotations_name_them(
    tiny_config: Callable[..., dict], tiny_ann_file: Path, tmp_path: Path
) -> None:
    content = pickle.loads(tiny_ann_file.read_bytes())
    path = tmp_path / "named.pkl"
    path.write_bytes(pickle.dumps({**content, "label_names": ["bow", "kick", "squat"]}))
    text = dry_run_from_config(tiny_config(ann_file=path), work_dir=tmp_path / "work").text()
    assert "\n   1 (kick)      8" in text
    assert re.search(r"clip\d+ is 2 \(squat\)", text)


@pytest.mark.slow
def test_where_the_run_would_start(
    tiny_config: Callable[..., dict], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    work_dir = tmp_path / "work"
    train_from_config(tiny_config(), EVERYTHING, cfg_options=["total_epochs=1"], work_dir=work_dir)
    before = contents(tmp_path)

    def dry(settings: TrainSettings | None = None, folder: Path = work_dir, **changes: Any) -> Any:
        return dry_run_from_config(tiny_config(**changes), settings, work_dir=folder)

    with pytest.raises(ConfigError, match="total_epochs"):
        dry(EVERYTHING)
    found = dry(replace(EVERYTHING, resume=True))
    assert re.search(rf"{work_dir}/epoch_1\.pth: 1 of 2 epochs and 6 steps", found.start)
    assert (found.epochs_left, found.validations_left) == (1, 1)
    assert "\n  1 epoch left" in found.text()
    assert "finished" in dry(total_epochs=1).start
    assert f"{work_dir}/latest.pth" in dry(auto_resume=False).start
    # A run that continues elsewhere takes its best checkpoint along; a dry run does not.
    elsewhere = replace(EVERYTHING, resume=work_dir / "latest.pth")
    assert f"{work_dir}/epoch_1.pth" in dry(elsewhere, tmp_path / "elsewhere").start
    weights = dry(folder=tmp_path / "elsewhere", load_from=str(work_dir / "latest.pth"))
    assert weights.start == f"a new run with the weights of {work_dir}/latest.pth"
    capfd.readouterr()
    dry(load_from="gone.pth", total_epochs=1)
    assert "load_from=gone.pth is not used" in capfd.readouterr().err
    assert contents(tmp_path) == before
    assert not (tmp_path / "elsewhere").exists()


def test_a_step_that_would_end_the_run_is_reported_with_its_samples(
    tiny_config: Callable[..., dict], tmp_path: Path
) -> None:
    config = tiny_config(optimizer=dict(type="SGD", lr=1e30))
    with pytest.raises(TrainingError, match=r"iteration 2 of epoch 1 .*'clip\d+'"):
        dry_run_from_config(config, work_dir=tmp_path / "work")
    assert list(tmp_path.iterdir()) == []
    found = dry_run_from_config({**config, "on_nonfinite": "skip"}, work_dir=tmp_path / "work")
    assert found.measured.later_step is not None


def test_too_little_memory(
    tiny_config: Callable[..., dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB. GPU 0 has ...")

    monkeypatch.setattr(RecognizerGCN, "forward", full)
    with pytest.raises(DeviceError) as caught:
        dry_run_from_config(tiny_config(), work_dir=tmp_path / "work")
    assert (caught.value.key, caught.value.found) == ("data.videos_per_gpu", 4)


def test_what_a_training_refuses_is_refused(
    tiny_config: Callable[..., dict], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError) as caught:
        dry_run_from_config(tiny_config(), work_dir=tmp_path / "file" / "work")
    assert caught.value.file == str(tmp_path / "file" / "work")
    with pytest.raises(ConfigError):
        dry_run_from_config(tiny_config(totl_epochs=3), work_dir=tmp_path / "work")
    no_best = tiny_config(evaluation__save_best=None)
    with pytest.raises(InputError, match="save_best"):
        dry_run_from_config(no_best, EVERYTHING, work_dir=tmp_path / "work")


# --- the text -------------------------------------------------------------------------------------


def test_many_classes_are_printed_side_by_side(
    report: DryRunReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = np.arange(100, 161)
    per_class = {"train": counts, "val": np.full(61, 7)}
    monkeypatch.setattr(DryRunReport, "class_counts", per_class)
    lines = report.text().split("samples of each class\n")[1].splitlines()
    assert len(lines) == 1 + 21 + 1
    assert lines[0].split() == ["class", "train", "val"] * 3
    found = {}
    for line in lines[1:-1]:
        words = line.split()
        found |= {int(words[i]): int(words[i + 1]) for i in range(0, len(words), 3)}
    assert found == dict(enumerate(counts))


def test_classes_without_samples_are_listed(
    report: DryRunReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    per_class = {"train": np.array([4, 4, 0]), "val": np.array([1, 0, 0])}
    monkeypatch.setattr(DryRunReport, "class_counts", per_class)
    remarks = "train has no sample of class 2\n  val has no sample of class 1"
    assert report.text().endswith(remarks)


def test_what_is_not_known_is_left_out(
    report: DryRunReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise ValueError("unknown layer")

    monkeypatch.setattr("pyskl.apis.dry_run.model_cost", unknown)
    measured = replace(report.measured, peak=None, growth=None, later_step=None)
    text = replace(report, measured=measured).text()
    assert "not counted" in text
    assert "not reported" in text
    assert "a later step" not in text


def test_a_batch_of_samples_with_several_labels(report: DryRunReport) -> None:
    batch = {
        "keypoint": report.measured.batch["keypoint"][:2],
        "label": torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]),
    }
    measured = replace(report.measured, batch=batch, sample_ids=["a", "b"])
    assert "  a is 0+2, b is 1\n" in replace(report, measured=measured).text()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.25, "0.25 s"), (59.6, "1 min"), (3600, "1 h"), (3725, "1 h 2 min"), (90_000, "1 d 1 h")],
)
def test_durations(report: DryRunReport, seconds: float, words: str) -> None:
    measured = replace(report.measured, later_step=seconds / 6)
    assert f"  an epoch      {words}\n" in replace(report, measured=measured).text()


def test_what_is_assumed_of_the_data_is_said_once(
    tiny_config: Callable[..., dict], tiny_ann_file: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    content = pickle.loads(tiny_ann_file.read_bytes())
    for sample in content["annotations"]:
        rng = np.random.default_rng(0)
        sample["keypoint"] = rng.uniform(9, 99, (*sample["keypoint"].shape[:3], 2)).astype("f4")
    path = tmp_path / "flat.pkl"
    path.write_bytes(pickle.dumps(content))
    flat = dict(base="nturgb+d", dim=2)

    def config(**options: Any) -> dict[str, Any]:
        cfg = tiny_config(
            ann_file=path, model__backbone__in_channels=2, model__cls_head__num_classes=6
        )
        for use in ("train", "val", "test"):
            pipeline = list(cfg["data"][use]["pipeline"])
            pipeline[:2] = [
                dict(type="PreNormalize2D", **options),
                dict(type="GenSkeFeat", dataset=flat, feats=["j"]),
            ]
            cfg["data"][use] = {**cfg["data"][use], "pipeline": pipeline}
        return cfg

    dry_run_from_config(config(), TrainSettings(validate=True), work_dir=tmp_path / "work")
    said = capsys.readouterr().err
    assert said.count("1080 x 1920") == 2  # train and val are two data sets
    assert said.count("6 classes") == 1
    assert "3, 4, 5" in said
    dry_run_from_config(config(img_shape=(99, 99)), work_dir=tmp_path / "work")
    assert "1080" not in capsys.readouterr().err
