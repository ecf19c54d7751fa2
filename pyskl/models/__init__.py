"""The models: backbones, heads, losses, and the recognizers that combine them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from pyskl.models.backbones import AAGCN, CTRGCN, DGSTGCN, MSG3D, STGCN
from pyskl.models.heads import GCNHead
from pyskl.models.losses import BCELossWithLogits, CrossEntropyLoss
from pyskl.models.recognizers import RecognizerGCN
from pyskl.registry import BACKBONES, HEADS, LOSSES, RECOGNIZERS

__all__ = [
    "AAGCN",
    "BACKBONES",
    "BCELossWithLogits",
    "CTRGCN",
    "HEADS",
    "LOSSES",
    "RECOGNIZERS",
    "DGSTGCN",
    "MSG3D",
    "STGCN",
    "CrossEntropyLoss",
    "GCNHead",
    "RecognizerGCN",
    "build_model",
]


def build_model(cfg: Mapping[str, Any] | nn.Module) -> nn.Module:
    """Build the recognizer that a config's ``model`` describes.

    Args:
        cfg: ``dict(type='RecognizerGCN', backbone=dict(...), cls_head=dict(...))``. A module is
            returned as it is.

    Raises:
        ConfigError: for unknown names and arguments.
    """
    return RECOGNIZERS.build(cfg)
