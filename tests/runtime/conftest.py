"""A tiny model in an ``.onnx`` file, and the recognizer that it was made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pyskl.apis import init_recognizer


@dataclass(frozen=True)
class Exported:
    """An exported model; nobody may write to its file.

    Attributes:
        path: The file.
        model: What it was made of.
    """

    path: Path
    model: nn.Module


@pytest.fixture(scope="session")
def exported(
    tiny_config: Callable[..., dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    """A tiny recognizer, exported with names for its three classes."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason="needs the extra 'export'")
    from pyskl.export import ExportSettings, export_model

    folder = tmp_path_factory.mktemp("exported")
    torch.manual_seed(0)
    config = tiny_config(model__test_cfg=dict(average_clips="prob"))
    model = init_recognizer(config)
    nn.init.normal_(model.cls_head.fc_cls.weight, std=2)
    torch.save({"state_dict": model.state_dict()}, folder / "tiny.pth")
    (folder / "names.txt").write_text("rise\nswing\nrest\n", encoding="utf-8")
    path = folder / "tiny.onnx"
    settings = ExportSettings(labels=folder / "names.txt")
    export_model(config, folder / "tiny.pth", path, settings)
    return Exported(path, model)
