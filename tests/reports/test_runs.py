"""Reading work dirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyskl.errors import InputError
from pyskl.reports.runs import Scored, find_runs, read_run


def write_log(path: Path, lines: list[dict[str, Any]]) -> None:
    """Write a ``.log.json``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def train(epoch: int, step: int, loss: float) -> dict[str, Any]:
    """Return a line of training."""
    return {"mode": "train", "epoch": epoch, "iter": step, "loss": loss}


def val(epoch: int, accuracy: float) -> dict[str, Any]:
    """Return a line of validation."""
    return {"mode": "val", "epoch": epoch, "iter": 2, "top1_acc": accuracy}


HEAD = {"env": {"gpus": "x"}, "seed": 3, "processes": 8, "config": "total_epochs = 2\n"}


def test_a_finished_run(tmp_path: Path) -> None:
    test = {"mode": "test", "weights": "best", "top1_acc": 0.75}
    lines = [HEAD, train(1, 2, 3.0), train(1, 4, 1.0), val(1, 0.5), train(2, 4, 0.5), val(2, 0.75)]
    write_log(tmp_path / "20260101_000000.log.json", [*lines, test])
    for name in ("epoch_1.pth", "epoch_2.pth", "best_top1_acc_epoch_2.pth", "best_pred.pkl"):
        (tmp_path / name).touch()
    (tmp_path / "j.py").write_text("total_epochs = 2\nseed = 3\n")
    run = read_run(tmp_path)
    assert run.is_finished
    assert (run.epochs, run.total_epochs, run.seed, run.processes) == (2, 2, 3, 8)
    assert run.curves() == {
        ("train", "loss"): [(0.5, 3.0), (1, 1.0), (2, 0.5)],
        ("val", "top1_acc"): [(1, 0.5), (2, 0.75)],
    }
    assert run.tested("best") == {"top1_acc": 0.75}
    assert run.outdated_top1("best", {"top1_acc": 0.75}) is None
    assert run.outdated_top1("best", {"top1_acc": 0.5}) == 0.75
    assert run.tested("last") == {}
    assert run.scores("last") is None
    assert run.scores("best") == tmp_path / "best_pred.pkl"
    assert run.scored("last") == Scored(tmp_path / "best_pred.pkl", "best")  # no metadata
    assert run.checkpoint("last") == tmp_path / "epoch_2.pth"


def test_a_run_is_finished_after_its_last_epoch(tmp_path: Path) -> None:
    path = tmp_path / "20260101_000000.log.json"
    write_log(path, [HEAD, train(1, 4, 1.0), val(1, 0.5), train(2, 2, 0.5)])
    assert not read_run(tmp_path).is_finished
    write_log(path, [HEAD, train(1, 4, 1.0), train(2, 4, 0.5), val(2, 0.5)])
    assert read_run(tmp_path).is_finished
    write_log(path, [HEAD, train(1, 4, 1.0), train(2, 4, 0.5)])  # without validation
    assert not read_run(tmp_path).is_finished
    (tmp_path / "epoch_2.pth").touch()
    assert read_run(tmp_path).is_finished


def test_logs_of_a_resumed_run_are_joined(tmp_path: Path) -> None:
    first = [HEAD, train(1, 4, 3.0), val(1, 0.1), train(2, 2, 2.0), train(2, 4, 9.0)]
    write_log(tmp_path / "20260101_000000.log.json", first)
    with (tmp_path / "20260101_000000.log.json").open("a") as file:
        file.write('{"mode": "val", "ep')  # killed
    second = [{**HEAD, "seed": 4}, train(2, 4, 1.0), val(2, 0.2)]
    write_log(tmp_path / "20260102_000000.log.json", second)
    run = read_run(tmp_path)
    assert [(line["mode"], line["epoch"], line["iter"]) for line in run.lines] == [
        ("train", 1, 4),
        ("val", 1, 2),
        ("train", 2, 2),
        ("train", 2, 4),
        ("val", 2, 2),
    ]
    assert run.curves()["train", "loss"] == [(1, 3.0), (1.5, 2.0), (2, 1.0)]
    assert run.seed == 4
    # A log that starts at the first step belongs to another run: the earlier logs do not count.
    write_log(tmp_path / "20260103_000000.log.json", [HEAD, train(1, 4, 5.0)])
    assert read_run(tmp_path).curves()["train", "loss"] == [(1, 5.0)]


def test_logs_of_pyskl_are_read(tmp_path: Path) -> None:
    head = {"env_info": "sys.platform: linux", "seed": 0, "exp_name": "j.py"}
    lines = [
        head,
        {"mode": "train", "epoch": 1, "iter": 100, "lr": 0.1, "memory": 100, "loss": 2.0},
        {"mode": "val", "epoch": 1, "iter": 50, "lr": 0.1, "top1_acc": 0.5},
    ]
    write_log(tmp_path / "20220101_000000.log.json", lines)
    (tmp_path / "j.py").write_text("model = dict(\n    type='RecognizerGCN')\ntotal_epochs = 1\n")
    run = read_run(tmp_path)
    assert run.is_finished
    assert run.processes is None
    assert run.config["model"] == {"type": "RecognizerGCN"}


def test_work_dirs_are_found_at_any_depth(tmp_path: Path) -> None:
    for name in ("b/j", "a", "b/c/d"):
        write_log(tmp_path / name / "20260101_000000.log.json", [HEAD])
    assert find_runs(tmp_path) == [tmp_path / name for name in ("a", "b/c/d", "b/j")]
    assert find_runs(tmp_path / "a") == [tmp_path / "a"]
    for folder in ("b", "none"):
        with pytest.raises(InputError) as error:
            read_run(tmp_path / folder)
        assert error.value.file == str(tmp_path / folder)
