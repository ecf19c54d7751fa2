"""Small recognizers to export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pyskl.apis import init_recognizer


def unsettle(model: nn.Module) -> nn.Module:
    """Move weights and statistics off their starting values, so that nothing is the identity."""
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5, generator=generator)
        elif value.is_floating_point():
            value += 0.1 * torch.randn(value.shape, generator=generator)
    return model


@pytest.fixture(scope="session")
def tiny_recognizer(
    tiny_config: Callable[..., dict[str, Any]],
) -> Callable[..., tuple[dict[str, Any], nn.Module]]:
    """A function that makes a tiny recognizer: changes of the backbone → config, model."""

    def make(**backbone: Any) -> tuple[dict[str, Any], nn.Module]:
        torch.manual_seed(0)
        config = tiny_config()
        config["model"]["backbone"].update(backbone)
        width = 2 * config["model"]["backbone"]["base_channels"]
        config["model"]["cls_head"].update(in_channels=width, dropout=0.5)
        return config, unsettle(init_recognizer(config))

    return make


@pytest.fixture(scope="session")
def tiny_checkpoint(
    tiny_recognizer: Callable[..., tuple[dict[str, Any], nn.Module]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., tuple[dict[str, Any], Path]]:
    """A function that saves such a recognizer: changes of the backbone → config, checkpoint."""

    def save(**backbone: Any) -> tuple[dict[str, Any], Path]:
        config, model = tiny_recognizer(**backbone)
        path = tmp_path_factory.mktemp("checkpoint") / "weights.pth"
        torch.save({"state_dict": model.state_dict(), "meta": {}}, path)
        return config, path

    return save
