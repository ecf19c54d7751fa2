"""The part of a recognizer that is exported: from the keypoints of clips to their logits.

Shapes: N clips, M persons, T frames, V joints, C channels, L classes.
"""

from __future__ import annotations

import copy
import itertools
from typing import Any

import torch
from torch import Tensor, nn

from pyskl.errors import InputError
from pyskl.models.convert import fuse_conv_bn


class ClipModel(nn.Module):
    """Maps keypoints (N, M, T, V, C) to logits (N, L), both float32.

    It holds a copy of the recognizer's parts. Averaging over the clips of a sample is left to
    whoever runs it, as is the softmax: the logits are what everything else can be made of.

    Args:
        recognizer: A :class:`pyskl.models.RecognizerGCN` in evaluation mode.
        fuse: Fold BatchNorm into convolutions; see :func:`pyskl.models.convert.fuse_conv_bn`.
        half: Keep weights in float16, and compute in it. The normalisation of the keypoints and
            the head stay in float32: keypoints come in any unit, millimetres too, and a sum over
            all frames and joints is where float16 would lose most.

    Raises:
        InputError: if the recognizer has other parts, or weights beyond the range of float16.
    """

    def __init__(self, recognizer: nn.Module, *, fuse: bool = True, half: bool = False) -> None:
        super().__init__()
        if not hasattr(recognizer, "backbone") or not hasattr(recognizer, "cls_head"):
            raise InputError(
                f"{type(recognizer).__name__} can't be exported: it takes a recognizer with a "
                "backbone and a cls_head, as RecognizerGCN"
            )
        parts: Any = copy.deepcopy(recognizer)
        self.backbone = parts.backbone
        self.head = parts.cls_head
        self.cast_first = False
        self.eval().requires_grad_(False)
        if fuse:
            fuse_conv_bn(self.backbone)
        if half:
            self._halve()

    def forward(self, keypoint: Tensor) -> Tensor:
        """Score clips."""
        if self.cast_first:
            keypoint = keypoint.half()
        return self.head(self.backbone(keypoint).float())

    def _halve(self) -> None:
        data_bn = getattr(self.backbone, "data_bn", None)
        self.backbone.half()
        if isinstance(data_bn, nn.modules.batchnorm._BatchNorm):
            self.backbone.data_bn = _ThenHalf(data_bn.float())
        else:
            self.cast_first = True
        for name, value in itertools.chain(
            self.backbone.named_parameters(), self.backbone.named_buffers()
        ):
            if not torch.isfinite(value).all():
                raise InputError(
                    f"backbone.{name} has values beyond {torch.finfo(torch.float16).max:g}, the "
                    "range of float16: export with --precision fp32"
                )


class _ThenHalf(nn.Module):
    """A layer in float32 whose result goes on in float16."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).half()
