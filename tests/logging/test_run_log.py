"""The ``.log.json`` of a run, also of a resumed one, and what trackers receive of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyskl.logging.run_log import RunLog, truncate_log

PER_EPOCH, INTERVAL, EPOCHS = 6, 4, 4


def _run(first_iteration: int, last_iteration: int) -> list[dict[str, Any]]:
    """Return the lines of a run from one iteration to another, as the trainer writes them.

    Validation comes with an epoch's end, and again where a run starts at one.
    """
    lines: list[dict[str, Any]] = [{"env": {}, "seed": 1}]
    for iteration in range(max(1, first_iteration), last_iteration + 1):
        epoch, step = divmod(iteration - 1, PER_EPOCH)
        started_here = iteration == first_iteration
        due = (step + 1) % INTERVAL == 0 or step + 1 == PER_EPOCH
        if due and not started_here:
            lines.append({"mode": "train", "epoch": epoch + 1, "iter": step + 1, "loss": 1.0})
        if step + 1 == PER_EPOCH:
            lines.append({"mode": "val", "epoch": epoch + 1, "iter": 2, "top1_acc": 0.5})
    if last_iteration == PER_EPOCH * EPOCHS:
        lines.append({"mode": "test", "weights": "last", "top1_acc": 0.5})
    return lines


def _figures(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if "mode" in line]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    kills=st.lists(st.tuples(st.integers(0, PER_EPOCH * EPOCHS), st.integers(0, 30)), max_size=4),
    cut=st.integers(0, 20),
)
def test_every_line_is_there_once_whatever_was_interrupted(
    tmp_path: Path, kills: list[tuple[int, int]], cut: int
) -> None:
    path = tmp_path / "run.log.json"
    path.write_text("")
    saved = 0
    for died_at, lost in [*kills, (PER_EPOCH * EPOCHS, 0)]:
        died_at = max(died_at, saved)
        truncate_log(path, iteration=saved, steps_per_epoch=PER_EPOCH)
        with path.open("a") as file:
            for line in _run(saved, died_at):
                file.write(json.dumps(line) + "\n")
            if died_at < PER_EPOCH * EPOCHS:
                file.write(json.dumps({"mode": "train", "epoch": 1})[:cut])
        saved = max(saved, died_at - lost)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert _figures(lines) == _figures(_run(0, PER_EPOCH * EPOCHS))


def test_a_file_without_later_lines_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "run.log.json"
    path.write_text("".join(json.dumps(line) + "\n" for line in _run(0, 10)))
    before = path.stat().st_mtime_ns
    assert truncate_log(path, iteration=11, steps_per_epoch=PER_EPOCH) == []
    assert path.stat().st_mtime_ns == before


def test_the_metrics_of_the_last_step_are_returned(tmp_path: Path) -> None:
    path = tmp_path / "run.log.json"
    lines = [
        {"env": {}},
        {"mode": "train", "epoch": 1, "iter": 4, "loss": 3.0},
        {"mode": "val", "epoch": 1, "iter": 2, "top1_acc": 0.5},
        {"mode": "train", "epoch": 2, "iter": 2, "loss": 2.0},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    expected = [{"train/epoch": 2.0, "train/loss": 2.0}]
    assert truncate_log(path, iteration=6, steps_per_epoch=4) == expected
    assert truncate_log(path, iteration=5, steps_per_epoch=4) == []


def test_every_line_is_json_and_there_at_once(tmp_path: Path) -> None:
    path = tmp_path / "run.log.json"
    log = RunLog(path)
    rows: list[dict[str, Any]] = [
        {"env": {"python": "3"}, "config": "a = 1\nb = 'é'\n"},
        {"mode": "train", "epoch": 1, "iter": 10, "lr": 0.1, "loss": 4.0943},
        {"mode": "val", "epoch": 1, "top1_acc": 0.5},
    ]
    for count, row in enumerate(rows, start=1):
        log.write(row, step=10)
        lines = path.read_text(encoding="utf-8").splitlines()
        assert [json.loads(line) for line in lines] == rows[:count]
    log.close()


class Heard:
    """A tracker that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def log(self, figures: Mapping[str, float], step: int) -> None:
        self.told.append((dict(figures), step))

    def image(self, name: str, array: np.ndarray, step: int) -> None:
        self.told.append((name, array.shape, step))

    def close(self) -> None:
        self.told.append(("closed",))


def test_trackers_get_the_numbers_of_steps_and_pictures(tmp_path: Path) -> None:
    heard = Heard()
    log = RunLog(tmp_path / "run.log.json", [heard])
    log.write({"env": "no step", "seed": 1})
    log.write({"mode": "train", "epoch": 1, "iter": 3, "lr": 0.1, "memory": 7}, step=3)
    log.write({"mode": "test", "weights": "best", "top1_acc": 0.5}, step=6)
    log.image("test/best/confusion", lambda: np.zeros((2, 3, 3), np.uint8), 6)
    log.close()
    assert heard.told == [
        ({"train/epoch": 1.0, "train/lr": 0.1, "train/memory": 7.0}, 3),
        ({"test/best/top1_acc": 0.5}, 6),
        ("test/best/confusion", (2, 3, 3), 6),
        ("closed",),
    ]
    assert len((tmp_path / "run.log.json").read_text().splitlines()) == 3


def test_no_file_no_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    log = RunLog(None)
    log.write({"mode": "train"}, step=1)
    log.image("a", lambda: pytest.fail("nobody sees it"), 1)
    log.close()
    assert list(tmp_path.iterdir()) == []


def test_without_a_tracker_no_picture_is_drawn(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "run.log.json")
    log.image("a", lambda: pytest.fail("nobody sees it"), 1)
    log.close()


def test_lines_that_a_full_disk_kept_out_come_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "run.log.json"
    log = RunLog(path)
    file = log._file

    class Full:
        """Takes five bytes of a line, and then nothing."""

        taken = False

        def write(self, data: bytes) -> int:
            if self.taken:
                raise OSError(28, "No space left on device")
            self.taken = True
            assert file is not None
            return file.write(data[:5])

    log.write({"a": 1})
    log._file = Full()  # type: ignore[assignment]
    for value in (2, 3):
        log.write({"a": value})
    assert caplog.text.count("No space left") == 1
    log._file = file
    log.write({"a": 4})
    log.close()
    assert [json.loads(line)["a"] for line in path.read_text().splitlines()] == [1, 2, 3, 4]
