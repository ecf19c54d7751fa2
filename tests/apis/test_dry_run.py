"""Dry runs: what they find is what a training would do, and nothing stays behind."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from pyskl.apis import TrainSettings, train_from_config
from pyskl.apis.dry_run import dry_run, dry_run_from_config
from pyskl.apis.dry_run_report import DryRunReport, SplitCounts
from pyskl.apis.rehearsal import BatchFacts
from pyskl.datasets import build_dataset
from pyskl.errors import ConfigError, DeviceError, InputError
from pyskl.models import build_model
from pyskl.models.cost import step_cost
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
    model = build_model(tiny_config()["model"])
    assert report.parameters == report.trained == sum(p.numel() for p in model.parameters())
    assert report.cost == step_cost(model, frames=8, persons=1)
    assert (report.batch, report.per_epoch, report.epochs, report.epochs_left) == (4, 6, 2, 2)
    assert report.validations_left == 2
    rate = LearningRate(0.05, 2, 6, **COSINE)
    assert report.rates == (rate.at(0), rate.at(5), rate.at(11))
    assert report.start == "a new run"
    assert report.seed == 1


def test_the_samples_are_counted_by_class(report: DryRunReport) -> None:
    train, val, test = report.splits
    assert train == SplitCounts("train", [8, 8, 8], 24)
    assert val == SplitCounts("val", [4, 3, 3], 10)
    assert test == replace(val, use="test")


def test_the_first_batch_is_that_of_the_training(
    report: DryRunReport, tiny_config: Callable[..., dict]
) -> None:
    batch = report.steps.batch
    assert batch.shape == (4, 1, 1, 8, 25, 3)
    assert batch.dtype == "float32"
    assert batch.low < 0 < batch.high
    assert 0 <= batch.zeros < 0.5
    dataset = build_dataset(tiny_config()["data"]["train"])
    labels = dict(zip(dataset.sample_ids, dataset.labels))
    assert [[labels[name]] for name in batch.sample_ids] == batch.labels
    again = dry_run_from_config(tiny_config(lr_config=COSINE), work_dir=report.work_dir)
    assert again.steps.batch == batch
    assert again.steps.losses == pytest.approx(report.steps.losses)


def test_what_was_measured_is_added_up(report: DryRunReport) -> None:
    steps = report.steps
    assert steps.later is not None
    assert min(steps.first, steps.later, steps.until_batch) > 0
    assert report.epoch_seconds == 6 * steps.later
    val = report.scored["val"]
    assert val.batches == 3
    assert report.scored["test"].batches == 4
    assert report.validation_seconds == 3 * val.seconds > 0
    assert report.run_seconds == 2 * (report.epoch_seconds + report.validation_seconds)
    if steps.peak is not None and steps.growth is not None:
        assert 0 <= steps.growth < steps.peak


def test_the_text_says_all_of_it(report: DryRunReport) -> None:
    text = report.text()
    for part in (
        f"nothing is written to {report.work_dir}",
        f"{report.parameters:,} parameters",
        "for a clip of 1 person x 8 frames",
        "24 samples in 6 steps of 4",
        "2 epochs, 12 steps",
        "0.05 in the first step, 0.0315 half-way",
        "(4, 1, 1, 8, 25, 3) (N, clips, M, T, V, C), float32",
        "loss_cls 1.",
        "a validation",
        "a test",
        "the run",
        "\n  class  train  val  test\n",
        "\n      2      8    3     3\n",
        "\n    all     24   10    10",
    ):
        assert part in text
    assert all(len(line) < 200 for line in text.splitlines())


def test_objects_are_tried_as_the_config_is(
    tiny_config: Callable[..., dict], tmp_path: Path
) -> None:
    cfg = Config(tiny_config(work_dir=str(tmp_path / "work")))
    found = dry_run(build_model(cfg.model), build_dataset(cfg.data.train), cfg)
    assert found.work_dir == tmp_path / "work"
    assert cfg.work_dir == str(tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_repeated_data_is_counted_once(tiny_config: Callable[..., dict], tmp_path: Path) -> None:
    config = tiny_config()
    config["data"]["train"] = dict(type="RepeatDataset", times=3, dataset=config["data"]["train"])
    found = dry_run_from_config(config, work_dir=tmp_path / "work")
    assert found.splits == [SplitCounts("train", [8, 8, 8], 24, times=3)]
    assert found.per_epoch == 18
    assert "72 samples (3 passes) in 18 steps of 4" in found.text()


def test_classes_are_named_as_the_annotations_name_them(
    tiny_config: Callable[..., dict], tiny_ann_file: Path, tmp_path: Path
) -> None:
    content = pickle.loads(tiny_ann_file.read_bytes())
    path = tmp_path / "named.pkl"
    path.write_bytes(pickle.dumps({**content, "label_names": ["bow", "kick", "squat"]}))
    text = dry_run_from_config(tiny_config(ann_file=path), work_dir=tmp_path / "work").text()
    assert "\n   1 (kick)      8" in text
    assert re.search(r"clip\d+ is 2 \(squat\)", text)


def test_what_a_run_would_go_on_from(
    tiny_config: Callable[..., dict], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    work_dir = tmp_path / "work"
    train_from_config(tiny_config(), EVERYTHING, cfg_options=["total_epochs=1"], work_dir=work_dir)
    before = contents(tmp_path)
    found = dry_run_from_config(tiny_config(), EVERYTHING, work_dir=work_dir)
    assert found.start == f"goes on from {work_dir}/epoch_1.pth: 1 of 2 epochs and 6 steps are done"
    assert (found.epochs_left, found.validations_left) == (1, 1)
    assert "\n  1 epoch left" in found.text()
    finished = dry_run_from_config(tiny_config(), cfg_options=["total_epochs=1"], work_dir=work_dir)
    assert finished.start.endswith("1 of 1 epochs and 6 steps are done, so it is finished")
    fresh = dry_run_from_config(tiny_config(auto_resume=False), work_dir=work_dir)
    assert fresh.start == f"a new run; --resume would go on from {work_dir}/latest.pth"
    # The best checkpoint of a run that goes on elsewhere is copied there; not so by a dry run.
    elsewhere = dry_run_from_config(
        tiny_config(),
        replace(EVERYTHING, resume=work_dir / "latest.pth"),
        work_dir=tmp_path / "elsewhere",
    )
    assert elsewhere.start.startswith(f"goes on from {work_dir}/epoch_1.pth")
    weights = dry_run_from_config(
        tiny_config(load_from=str(work_dir / "latest.pth")), work_dir=tmp_path / "elsewhere"
    )
    assert weights.start == f"a new run with the weights of {work_dir}/latest.pth"
    capfd.readouterr()
    dry_run_from_config(tiny_config(load_from="gone.pth"), work_dir=work_dir)
    assert (
        f"load_from=gone.pth is not used: the run in {work_dir} goes on" in capfd.readouterr().err
    )
    assert contents(tmp_path) == before
    assert not (tmp_path / "elsewhere").exists()


def test_a_step_that_would_end_the_run_is_told_with_its_samples(
    tiny_config: Callable[..., dict], tmp_path: Path
) -> None:
    config = tiny_config(optimizer=dict(type="SGD", lr=1e30))
    with pytest.raises(TrainingError, match=r"iteration 2 of epoch 1 .*samples 'clip\d+'"):
        dry_run_from_config(config, work_dir=tmp_path / "work")
    assert list(tmp_path.iterdir()) == []
    found = dry_run_from_config({**config, "on_nonfinite": "skip"}, work_dir=tmp_path / "work")
    assert found.steps.later is not None


def test_too_little_memory_is_told(
    tiny_config: Callable[..., dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB. GPU 0 has ...")

    monkeypatch.setattr(RecognizerGCN, "forward", full)
    with pytest.raises(
        DeviceError, match=r"4 clips a process does not fit .*\(CUDA out of memory\)"
    ):
        dry_run_from_config(tiny_config(), work_dir=tmp_path / "work")


def test_a_work_dir_that_can_not_be_written_is_told(
    tiny_config: Callable[..., dict], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"file/work: the work dir can't be written .*--work-dir"):
        dry_run_from_config(tiny_config(), work_dir=tmp_path / "file" / "work")


def test_what_a_training_refuses_is_refused(
    tiny_config: Callable[..., dict],
    tiny_samples: Callable[[], list],
    write_tiny_annotations: Callable[..., Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(ConfigError, match="totl_epochs"):
        dry_run_from_config(tiny_config(totl_epochs=3), work_dir=tmp_path / "work")
    one_class = tiny_samples()
    for sample in one_class:
        sample["label"] = 1
    ann_file = write_tiny_annotations(tmp_path / "one.pkl", one_class)
    with pytest.raises(InputError, match="there is nothing to tell apart"):
        dry_run_from_config(tiny_config(ann_file=ann_file), work_dir=tmp_path / "work")
    with pytest.raises(InputError, match="save_best=None keeps none"):
        dry_run_from_config(
            tiny_config(evaluation__save_best=None), EVERYTHING, work_dir=tmp_path / "work"
        )


def test_shared_samples_and_missing_classes_are_told(
    tiny_config: Callable[..., dict],
    tiny_samples: Callable[[], list],
    write_tiny_annotations: Callable[..., Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    samples = [sample for sample in tiny_samples() if sample["label"] != 2]
    ids = [sample["frame_dir"] for sample in samples]
    zeros = [sample["frame_dir"] for sample in samples if sample["label"] == 0]
    splits = {"train": ids, "val": zeros[:4]}
    ann_file = write_tiny_annotations(tmp_path / "shared.pkl", samples, splits)
    found = dry_run_from_config(
        tiny_config(ann_file=ann_file), TrainSettings(validate=True), work_dir=tmp_path / "work"
    )
    assert "4 of the 4 samples of data.val are in data.train, too" in capfd.readouterr().err
    text = found.text()
    assert "no training sample of class 2" in text
    assert "no sample of class 1 in val" in text


# --- the text -------------------------------------------------------------------------------------


def test_many_classes_stand_side_by_side(report: DryRunReport) -> None:
    counts = list(range(100, 161))
    splits = [SplitCounts("train", counts, sum(counts)), SplitCounts("val", [7] * 61, 427)]
    lines = replace(report, splits=splits).text().split("samples of each class\n")[1].splitlines()
    assert len(lines) == 1 + 21 + 1
    assert lines[0].split() == ["class", "train", "val"] * 3
    found = {}
    for line in lines[1:-1]:
        words = line.split()
        found |= {int(words[i]): int(words[i + 1]) for i in range(0, len(words), 3)}
    assert found == dict(enumerate(counts))
    assert lines[-1].split() == ["all", f"{sum(counts):,}", "427"]


def test_classes_have_their_names_where_they_are_known(report: DryRunReport) -> None:
    named = replace(report, label_names=["rise", "swing", "rest"]).text()
    assert "is 1 (swing)" in named
    assert "2 (rest)      8" in named


def test_of_an_unknown_model_the_operations_are_not_counted(report: DryRunReport) -> None:
    assert "not counted" in replace(report, cost=None).text()


def test_where_the_system_does_not_tell_the_memory(report: DryRunReport) -> None:
    steps = replace(report.steps, peak=None, growth=None, later=None)
    text = replace(report, steps=steps, memory=None).text()
    assert "this system does not tell" in text
    assert "a later step" not in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.25, "0.25 s"), (59.6, "1 min"), (3600, "1 h"), (3725, "1 h 2 min"), (90_000, "1 d 1 h")],
)
def test_durations(report: DryRunReport, seconds: float, words: str) -> None:
    steps = replace(report.steps, later=seconds / report.per_epoch)
    assert f"  an epoch      {words}\n" in replace(report, steps=steps).text()


def test_a_batch_of_samples_with_several_labels() -> None:
    batch = {
        "keypoint": torch.tensor([[1.0, 0.0], [-2.0, 0.5]]),
        "label": torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]),
    }
    facts = BatchFacts.of(batch, ["a", "b"])
    assert facts.labels == [[0, 2], [1]]
    assert (facts.low, facts.high, facts.zeros) == (-2, 1, 0.25)
    single = BatchFacts.of({**batch, "label": torch.tensor([[2], [0]])}, ["a", "b"])
    assert single.labels == [[2], [0]]
