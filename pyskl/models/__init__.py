"""The models: backbones, heads, losses, and the recognizers that put them together."""

from __future__ import annotations

from pyskl.models.backbones import STGCN
from pyskl.models.builder import BACKBONES, HEADS, LOSSES, RECOGNIZERS, build_model
from pyskl.models.cpu import plain_path
from pyskl.models.heads import GCNHead
from pyskl.models.losses import CrossEntropyLoss
from pyskl.models.recognizers import RecognizerGCN

__all__ = [
    "BACKBONES",
    "HEADS",
    "LOSSES",
    "RECOGNIZERS",
    "STGCN",
    "GCNHead",
    "CrossEntropyLoss",
    "RecognizerGCN",
    "build_model",
    "plain_path",
]
