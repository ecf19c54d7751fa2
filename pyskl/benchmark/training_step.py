"""A training step that can be taken again and again.

Shapes: N batch, M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pyskl.benchmark.precision import amp_of
from pyskl.benchmark.variants import Variant
from pyskl.models.precision import autocast
from pyskl.training.optimizer import build_optimizer

# So small that weights stay as they are, whatever the data and the number of steps.
RATE = 1e-7

# Steps before a CUDA graph is recorded: torch sets up what a recorded step may not.
_STEPS_BEFORE_GRAPH = 3


class TrainingStep:
    """Forward pass, backward pass and optimizer on one batch that stays where it is.

    Args:
        model: The recognizer, on its device. It is put into training mode and, where the variant
            says so, compiled.
        optimizer_cfg: The config of its optimizer; the rate is :data:`RATE` instead.
        keypoint: (N, 1, M, T, V, C) float32, on the device.
        label: (N,) int64, on the device.
        variant: How to compute.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer_cfg: Mapping[str, Any],
        keypoint: Tensor,
        label: Tensor,
        variant: Variant,
    ) -> None:
        self.model = model.train()
        self.optimizer = build_optimizer(model, {**optimizer_cfg, "lr": RATE})
        self.keypoint = keypoint
        self.label = label
        self.variant = variant
        if variant.compiled:
            model.get_submodule("backbone").compile(dynamic=False)
        self._take: Callable[[], None] = self._record() if variant.graphed else self._step

    def __call__(self) -> int:
        """Take a step; return the number of clips N in it."""
        self._take()
        return len(self.keypoint)

    def _step(self) -> None:
        with self.variant.switched_on():
            with autocast(self.keypoint.device, amp_of(self.variant.precision)):
                losses = self.model(keypoint=self.keypoint, label=self.label, return_loss=True)
            self.optimizer.zero_grad(set_to_none=True)
            losses["loss"].backward()
            self.optimizer.step()

    def _record(self) -> Callable[[], None]:
        """Record a step as a CUDA graph; return what replays it."""
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(_STEPS_BEFORE_GRAPH):
                self._step()
        torch.cuda.current_stream().wait_stream(beside)
        # Gradients have to be allocated within the graph.
        self.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._step()
        return graph.replay
