"""The part of a recognizer that is exported: from the keypoints of clips to their logits.

Shapes: N clips, M persons, T frames, V joints, C channels, L classes.
"""

from __future__ import annotations

import copy
import itertools
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from pyskl.errors import InputError
from pyskl.models.convert import fuse_conv_bn
from pyskl.runtime.metadata import ModelMetadata

# Sizes of the clips that a model is traced with. They differ from each other and from 1, as the
# exporter would take equal sizes for one axis, and 1 for a constant.
_TRACED = {"N": 3, "M": 2, "T": 40}


class ClipModel(nn.Module):
    """Maps keypoints (N, M, T, V, C) to logits (N, L), both float32.

    It holds a copy of the recognizer's modules. Averaging the clips of a sample and the softmax are
    left to the program that runs the model.

    Args:
        recognizer: A :class:`pyskl.models.RecognizerGCN` in evaluation mode.
        fuse: Fold BatchNorm into convolutions; see :func:`pyskl.models.convert.fuse_conv_bn`.
        half: Store weights and compute in float16. The normalisation of the keypoints and the head
            stay in float32: keypoints may be in millimetres, and the head sums over all frames and
            joints, which is where float16 would lose most.

    Raises:
        InputError: if it has no backbone or head, or weights beyond the range of float16.
    """

    def __init__(self, recognizer: nn.Module, *, fuse: bool = True, half: bool = False) -> None:
        super().__init__()
        if not hasattr(recognizer, "backbone") or not hasattr(recognizer, "cls_head"):
            raise InputError(
                "this recognizer can't be exported",
                found=type(recognizer).__name__,
                expected="one with a backbone and a cls_head, such as RecognizerGCN",
            )
        copied: Any = copy.deepcopy(recognizer)
        self.backbone, self.head = copied.backbone, copied.cls_head
        self.half_input = False
        self.eval().requires_grad_(False)
        if fuse:
            fuse_conv_bn(self.backbone)
        if half:
            self._convert_to_half()

    def forward(self, keypoint: Tensor) -> Tensor:
        """Score clips."""
        if self.half_input:
            keypoint = keypoint.half()
        return self.head(self.backbone(keypoint).float())

    def _convert_to_half(self) -> None:
        data_bn = getattr(self.backbone, "data_bn", None)
        self.backbone.half()
        if isinstance(data_bn, nn.modules.batchnorm._BatchNorm):
            self.backbone.data_bn = _OutputToHalf(data_bn.float())
        else:
            self.half_input = True
        tensors = (self.backbone.named_parameters(), self.backbone.named_buffers())
        for name, value in itertools.chain(*tensors):
            if not torch.isfinite(value).all():
                raise InputError(
                    f"values beyond {torch.finfo(torch.float16).max:g}, the range of float16",
                    key=f"backbone.{name}",
                    hint="export with --precision fp32",
                )


class _OutputToHalf(nn.Module):
    """A float32 layer whose output is converted to float16."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).half()


def example_input(metadata: ModelMetadata) -> Tensor:
    """Return keypoints (N, M, T, V, C) to trace a model with."""
    shape = [size if isinstance(size, int) else _TRACED[size] for size in metadata.input_shape]
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def free_axes(metadata: ModelMetadata) -> dict[int, str]:
    """Return the axes of the input that may have any size, with their letters."""
    return {axis: size for axis, size in enumerate(metadata.input_shape) if isinstance(size, str)}


@contextmanager
def exporting() -> Iterator[None]:
    """Set up torch for its exporters: plain operations, no gradients, no warnings.

    Exporters warn about deprecations, optional packages, and checks of V and C that become
    constants, which is intended.
    """
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
