"""Messages and figures: to the console, to files, to trackers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyskl.logging.log import RunLog, get_logger, setup_logging


def test_set_up_twice_nothing_comes_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.log"
    for _ in range(2):
        setup_logging(path)
    get_logger().info("once")
    assert len(get_logger().handlers) == 2
    assert path.read_text().count("once") == 1
    assert capsys.readouterr().err.count("once") == 1


def test_another_run_writes_to_its_own_file_only(tmp_path: Path) -> None:
    for name in ("first", "second"):
        setup_logging(tmp_path / name)
        get_logger().info("in the %s", name)
    assert "second" not in (tmp_path / "first").read_text()
    assert "first" not in (tmp_path / "second").read_text()


def test_an_old_file_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    path.write_text("before\n")
    setup_logging(path)
    get_logger().info("after")
    lines = path.read_text().splitlines()
    assert lines[0] == "before"
    assert lines[1].endswith(" - INFO - after")


def test_levels(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    setup_logging(path, "WARNING")
    get_logger().info("quiet")
    get_logger().warning("loud")
    assert "quiet" not in path.read_text()
    assert "loud" in path.read_text()


def test_other_processes_show_errors_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.log"
    setup_logging(path, is_main=False)
    get_logger().warning("of no interest")
    get_logger().error("of interest")
    assert not path.exists()
    assert "of no interest" not in (shown := capsys.readouterr().err)
    assert "of interest" in shown


def test_training_lines_leave_a_progress_bar_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    setup_logging()
    get_logger().info("to a file", extra={"shown_by_bar": True})
    assert "to a file" in capsys.readouterr().err
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    get_logger().info("to a terminal", extra={"shown_by_bar": True})
    get_logger().info("a message")
    shown = capsys.readouterr().err
    assert "to a terminal" not in shown
    assert "a message" in shown


# --- figures --------------------------------------------------------------------------------------


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
