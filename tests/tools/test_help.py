"""``--help`` answers at once: it is what one types while thinking."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Seconds of this process's and the system's work; a bare Python takes some 0.03.
CPU_LIMIT = 0.5


@pytest.mark.parametrize(
    ("tool", "options"),
    [
        ("train", ["--validate", "--test-last", "--test-best", "--seed", "--resume", "--amp"]),
        ("test", ["--eval", "--out", "--average-clips", "--fuse-conv-bn", "--compile"]),
        ("print_config", ["--cfg-options"]),
        ("data/pack", ["--config", "--out"]),
    ],
)
def test_help_needs_no_torch(
    repo_root: Path, tmp_path: Path, tool: str, options: list[str]
) -> None:
    command = [sys.executable, "-X", "importtime", str(repo_root / f"tools/{tool}.py"), "--help"]
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("w") as stdout, err.open("w") as stderr:
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert usage.ru_utime + usage.ru_stime < CPU_LIMIT
    for option in options:
        assert option in out.read_text()
    imported = {line.rpartition("|")[2].strip() for line in err.read_text().splitlines()}
    assert "argparse" in imported
    assert not imported & {"torch", "mmengine", "numpy", "pyskl.apis"}
