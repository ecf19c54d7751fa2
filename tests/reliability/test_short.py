"""The short forms of the kill matrix and of the scenarios; the long ones are run by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks"),
]


def _run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(Path(__file__).with_name(script)), *arguments],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_runs_that_are_killed_end_as_if_nothing_was(tmp_path: Path) -> None:
    done = _run(
        "kill_matrix.py", "--cases", "4", "--kills", "8", "--report", str(tmp_path / "r.md")
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 kills in 4 combinations; 0 ended different" in (tmp_path / "r.md").read_text()


def test_what_happens_to_runs_is_told_and_costs_nothing() -> None:
    names = [
        "sigterm",
        "sigusr1_to_one_of_two",
        "sigterm_in_validation",
        "sigterm_to_everything",
        "process_killed",
        "killed_before_the_meeting",
        "worker_killed",
        "disk_error_for_a_while",
        "started_differently",
        "saving_more_often",
        "clock_set_back",
    ]
    done = _run("faults.py", "--only", *names)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = done.stdout.splitlines()
    assert len(rows) == len(names), done.stdout + done.stderr
    expected = ("75", "75, 75", "75, 75", "75", "69", "69", "69", "2, 2", "0", "0, 0", "-9")
    for row, status in zip(rows, expected):
        assert f"| {status}" in row, row
