"""Checkpoints in ``.safetensors`` files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from pyskl.checkpoints.checkpoint import load_checkpoint
from pyskl.errors import CheckpointError

save_file = pytest.importorskip("safetensors.torch", reason="needs the extra 'export'").save_file


def test_tensors_are_read_as_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"module.a": torch.arange(3), "b": torch.ones(2).half()}, path)
    checkpoint = load_checkpoint(path)
    assert list(checkpoint["state_dict"]) == ["a", "b"]
    assert torch.equal(checkpoint["state_dict"]["a"], torch.arange(3))
    assert checkpoint["state_dict"]["b"].dtype == torch.float16
    assert checkpoint["meta"] == {}


def test_damage_and_absence_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        load_checkpoint(path)
    for content in (b"", b"x" * 100, b"\xff" * 8 + b"{}"):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"weights\.safetensors: damaged"):
            load_checkpoint(path)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(CheckpointError, match="pip install safetensors"):
        load_checkpoint(path)
