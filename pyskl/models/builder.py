"""From the ``model`` of a config to the model, and the registries that its names refer to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from pyskl.registry import BACKBONES, HEADS, LOSSES, RECOGNIZERS

__all__ = ["BACKBONES", "HEADS", "LOSSES", "RECOGNIZERS", "build_model"]


def build_model(cfg: Mapping[str, Any] | nn.Module) -> nn.Module:
    """Build the recognizer that a config's ``model`` describes.

    Args:
        cfg: ``dict(type='RecognizerGCN', backbone=dict(...), cls_head=dict(...))``, or a model,
            which is returned.

    Raises:
        ConfigError: for unknown names and arguments.
    """
    return RECOGNIZERS.build(cfg)
