"""What a training sends to trackers, and writes next to its scores."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pyskl import apis  # whose test_... functions pytest would take for tests
from pyskl.apis import TestSettings, TrainSettings, train_from_config
from pyskl.evaluation.scores import digest_of_ids, read_scores
from pyskl.files.hashing import sha256_of

EVERYTHING = TrainSettings(validate=True, test_last=True, test_best=True)
CSV = [dict(type="TextLoggerHook"), dict(type="CSVLoggerHook")]
CLOCKS = ("time", "data_time")


def tables(work_dir: Path) -> dict[str, list[dict[str, str]]]:
    """Return the tables of a run by kind, without what a clock says."""
    found = {}
    for path in work_dir.glob("*.csv"):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        found[path.name.split(".")[1]] = [
            {key: value for key, value in row.items() if key not in CLOCKS} for row in rows
        ]
    return found


@pytest.mark.slow
def test_a_run_that_goes_on_tells_trackers_what_a_whole_one_does(
    tiny_config: Callable[..., dict], tmp_path: Path
) -> None:
    config = tiny_config(total_epochs=2, log_config__hooks=CSV)
    train_from_config(config, EVERYTHING, work_dir=tmp_path / "whole")
    parts = tmp_path / "parts"
    train_from_config(config, EVERYTHING, cfg_options=["total_epochs=1"], work_dir=parts)
    for resume in (True, None):  # the second time it is finished, and only tested again
        train_from_config(config, replace(EVERYTHING, resume=resume), work_dir=parts)
    whole = tables(tmp_path / "whole")
    assert tables(parts) == whole
    assert {kind: len(rows) for kind, rows in whole.items()} == {"train": 4, "val": 2, "test": 1}
    assert [row["step"] for row in whole["train"]] == ["3", "6", "9", "12"]
    assert {"last/top1_acc", "best/mean_class_accuracy"} <= whole["test"][0].keys()
    for name in ("last", "best"):
        (picture,) = parts.glob(f"*.test.{name}.confusion.png")
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_scores_say_what_they_are_of(
    tiny_config: Callable[..., dict], tiny_ann_file: Path, tmp_path: Path
) -> None:
    config = tiny_config(total_epochs=1)
    train_from_config(config, EVERYTHING, work_dir=tmp_path)
    (best,) = tmp_path.glob("best_top1_acc_epoch_*.pth")
    for name, checkpoint in (("last", "epoch_1.pth"), ("best", best.name)):
        origin = read_scores(tmp_path / f"{name}_pred.pkl").origin
        assert origin is not None
        assert origin.checkpoint == checkpoint
        assert (origin.epoch, origin.stream) == (1, "j")
        assert origin.checkpoint_sha256 == sha256_of(tmp_path / checkpoint)
        assert (origin.samples, origin.classes, origin.num_clips) == (10, 3, 2)
        assert origin.average_clips == "prob"
        assert origin.sample_ids_sha256 == digest_of_ids([f"clip{n}" for n in range(24, 34)])
        assert list(origin.data) == [{"ann_file": str(tiny_ann_file), "split": "val"}]
    out = tmp_path / "scores.json"
    settings = TestSettings(metrics=[], out=out, average_clips="score")
    apis.test_from_config(config, best, settings)
    origin = read_scores(out).origin
    assert origin is not None
    assert (origin.checkpoint, origin.average_clips) == (str(best), "score")
    assert (origin.epoch, origin.checkpoint_sha256) == (1, sha256_of(best))


def test_the_log_says_how_many_processes_there_are(
    tiny_config: Callable[..., dict], tmp_path: Path
) -> None:
    train_from_config(tiny_config(total_epochs=1), work_dir=tmp_path)
    (log,) = tmp_path.glob("*.log.json")
    head = json.loads(log.read_text().splitlines()[0])
    assert (head["processes"], head["seed"]) == (1, 1)


@pytest.mark.slow
def test_tensorboard_shows_the_final_tests(
    tiny_config: Callable[..., dict], tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    hooks = [dict(type="TensorboardLoggerHook")]
    config = tiny_config(total_epochs=1, log_config__hooks=hooks)
    train_from_config(config, EVERYTHING, work_dir=tmp_path)
    (events,) = (tmp_path / "tf_logs").iterdir()
    content = events.read_bytes()
    for name in (b"train/loss", b"val/top1_acc", b"test/last/top1_acc", b"test/best/confusion"):
        assert name in content
