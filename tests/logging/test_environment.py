"""What a run says it ran on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import pyskl
from pyskl.logging.environment import environment, git_state, source_digest


def test_versions_and_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["tools/train.py", "a.py", "--seed", "1"])
    found = environment()
    assert found["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert found["numpy"] == np.__version__
    assert found["pyskl"] == pyskl.__version__
    assert found["command"] == "tools/train.py a.py --seed 1"
    assert all(isinstance(value, str) for value in found.values())
    assert ("gpus" in found) == torch.cuda.is_available()


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_state_of_a_checkout(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            [*command, *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init")
    (tmp_path / "file").write_text("a")
    git("add", "file")
    git("commit", "-m", "first")
    commit = git("rev-parse", "HEAD")
    assert git_state(tmp_path) == commit
    (tmp_path / "new").write_text("a")
    assert git_state(tmp_path) == commit  # files that git does not know are no change
    (tmp_path / "file").write_text("b")
    assert git_state(tmp_path) == f"{commit} with uncommitted changes"


def test_no_checkout_and_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path) == "not a git checkout"
    monkeypatch.setenv("PATH", "")
    assert git_state(tmp_path) == "not a git checkout"


def test_the_digest_of_the_code_tells_every_change(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.py").write_text("a = 1")
    found = {source_digest(tmp_path)}
    (tmp_path / "a.py").write_text("a = 2")
    found.add(source_digest(tmp_path))
    (tmp_path / "inner" / "b.py").write_text("")
    found.add(source_digest(tmp_path))
    (tmp_path / "inner" / "b.py").rename(tmp_path / "inner" / "c.py")
    found.add(source_digest(tmp_path))
    assert len(found) == 4
    (tmp_path / "notes.txt").write_text("of no importance")
    assert source_digest(tmp_path) in found
    assert source_digest() == source_digest()
