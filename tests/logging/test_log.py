"""Messages to the console and to files."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from pyskl.files.terminal import shows_bars
from pyskl.logging.log import get_logger, setup_logging


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


@pytest.mark.parametrize(("columns", "bars"), [(80, True), (0, False)])
def test_a_terminal_without_columns_gets_lines_instead_of_a_bar(
    monkeypatch: pytest.MonkeyPatch, columns: int, bars: bool
) -> None:
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    master, slave = pty.openpty()
    size = struct.pack("HHHH", 24, columns, 0, 0)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
    with os.fdopen(slave, "w") as stream:
        monkeypatch.setattr("sys.stderr", stream)
        setup_logging()
        get_logger().info("epoch 1", extra={"shown_by_bar": True})
        assert shows_bars() == bars
        get_logger().info("the end")
        stream.flush()
        shown = os.read(master, 1000).decode()
    os.close(master)
    assert ("epoch 1" in shown) != bars
    assert "the end" in shown


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
