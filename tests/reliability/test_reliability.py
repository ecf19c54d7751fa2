"""Short forms of the kill matrix and of the faults; the long ones are run by hand."""

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
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name(script)), *arguments],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_killed_runs_end_like_undisturbed_ones(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    _run("kill_matrix.py", "--cases", "3", "--kills", "6", "--report", str(report))
    assert "6 kills in 3 combinations; 0 ended different" in report.read_text()


def test_faults_end_runs_with_their_status_and_a_restart_repairs_them() -> None:
    expected = {
        "sigterm": "75",
        "sigusr1_to_one_of_two": "75, 75",
        "sigterm_in_validation": "75, 75",
        "sigterm_to_everything": "75",
        "process_killed": "69, -9",
        "worker_killed": "69",
        "started_differently": "2, 2",
        "disk_error_for_a_while": "0",
        "saving_more_often": "0, 0",
    }
    rows = _run("faults.py", "--only", *expected).stdout.splitlines()
    assert [row.split("|")[2].strip() for row in rows] == list(expected.values()), rows
