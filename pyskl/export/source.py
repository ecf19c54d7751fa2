"""What a format's writer is given.

Shapes: N clips, M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from pyskl.export.clip_model import ClipModel
from pyskl.runtime.metadata import ModelMetadata

# Sizes of the clips that a model is traced with. They differ from each other and from 1, as equal
# ones would be taken for one axis, and 1 for a constant.
_TRACED = {"N": 3, "M": 2, "T": 40}


@dataclass(frozen=True)
class Source:
    """A recognizer on its way into a file.

    Attributes:
        recognizer: The recognizer, in evaluation mode on the CPU; it stays as it is.
        metadata: What the file says of it.
        fuse: Whether to fold BatchNorm into convolutions.
        calibration: Clips (N, M, T, V, C) that int8 weights and activations are scaled by.
    """

    recognizer: nn.Module
    metadata: ModelMetadata
    fuse: bool = True
    calibration: tuple[Tensor, ...] = ()

    @cached_property
    def clip_model(self) -> ClipModel:
        """What maps clips to logits, in the precision of the file."""
        return ClipModel(self.recognizer, fuse=self.fuse, half=self.metadata.precision == "fp16")

    @property
    def example(self) -> Tensor:
        """Keypoints to trace the model with."""
        generator = torch.Generator().manual_seed(0)
        shape = [_TRACED.get(str(size), size) for size in self.metadata.input_shape]
        return torch.randn([int(size) for size in shape], generator=generator)

    @property
    def dynamic(self) -> dict[int, str]:
        """The axes of the input that may have any size, with their letters."""
        return {
            axis: size
            for axis, size in enumerate(self.metadata.input_shape)
            if isinstance(size, str)
        }


@contextmanager
def exporting() -> Iterator[None]:
    """Compute inside as exporters need it: torch's own operations, no gradients, and quietly.

    Exporters warn of what is deprecated, of packages that they would also know, of shape checks
    that become constants (those of V and C, as is meant). What fails is raised anyway.
    """
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
