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
        ("train", ["--validate", "--test-last", "--test-best", "--seed", "--resume", "--dry-run"]),
        ("test", ["--eval", "--out", "--average-clips", "--fuse-conv-bn", "--compile"]),
        ("print_config", ["--cfg-options"]),
        ("fuse", ["--scores", "--weights", "--search"]),
        ("zoo", ["--weights", "--out"]),
        ("report", ["--out", "--format", "--scores", "--gallery", "--importance"]),
        ("compare", ["--config", "--ann"]),
        ("visualize", ["--out", "--sample", "--stream", "--pipeline", "--video", "--layout"]),
        ("infer", ["--model", "--also", "--window", "--live", "--out"]),
        ("export", ["--format", "--precision", "--out", "--labels", "--eval"]),
        ("analysis/flops", ["--clip-len", "--persons"]),
        ("data/pack", ["--config", "--out"]),
        ("data/example_recordings", ["folder"]),
        ("data/layout", ["--svg", "--html", "--out"]),
        ("data/convert", ["--labels", "--split", "--layout-out", "--persons"]),
        ("data/check", ["--config", "--json", "--html", "--fix", "--fail-on"]),
        ("data/ntu_preproc", ["--root", "--out", "--only", "--workers", "--strict"]),
        ("data/download", ["--list", "--check", "--out", "--base-url"]),
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


@pytest.mark.parametrize(("policy", "spins"), [(None, "1000"), ("active", "None")])
def test_waiting_threads_sleep_soon_unless_the_user_decides(
    repo_root: Path, policy: str | None, spins: str
) -> None:
    code = (
        f"import os, sys; sys.path.insert(0, {str(repo_root / 'tools')!r}); import _command; "
        "_command.end_with(lambda _: print(os.environ.get('GOMP_SPINCOUNT')), None)"
    )
    env = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_"))}
    if policy is not None:
        env["OMP_WAIT_POLICY"] = policy
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.stdout == f"{spins}\n", done.stderr
