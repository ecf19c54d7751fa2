"""What a recognizer computes and moves for one clip, counted from its modules.

A multiplication and the addition that follows are two operations (FLOP). Counted are the products
of matrices; norms, activations and sums are less than 2 % of ST-GCN's operations, but each reads
and writes its features, so they are a part of the bytes.

Shapes: M persons, T frames, V joints, C channels, K subsets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from torch import nn

from pyskl.models.backbones import STGCN, STGCNBlock
from pyskl.models.heads import GCNHead
from pyskl.models.recognizers import RecognizerGCN
from pyskl.models.units import UnitGCN, UnitTCN


@dataclass(frozen=True)
class PartCost:
    """What a part computes for one clip.

    Attributes:
        part: 'graph conv', 'adjacency', 'temporal conv', 'residual' or 'head'.
        forward: FLOP of the forward pass.
        backward: FLOP of the backward pass: the gradients of both factors of each product.
    """

    part: str
    forward: int
    backward: int


@dataclass(frozen=True)
class StepCost:
    """What a step computes and moves for one clip.

    Attributes:
        parts: The operations, by part, in the order of the model.
        activations: Values that a training step reads and writes at least, however well its parts
            are fused: times the size of a value they are the bytes. See :func:`step_cost`.
    """

    parts: tuple[PartCost, ...]
    activations: int

    @property
    def forward(self) -> int:
        """FLOP of the forward pass."""
        return sum(part.forward for part in self.parts)

    @property
    def step(self) -> int:
        """FLOP of forward and backward pass."""
        return self.forward + sum(part.backward for part in self.parts)

    def seconds(self, flop_per_second: float, bytes_per_second: float, itemsize: int = 4) -> float:
        """Return the least time of a training step for one clip on a machine.

        Args:
            flop_per_second: What its matrix products reach.
            bytes_per_second: What reading and writing memory reaches.
            itemsize: Bytes of a value.
        """
        return max(self.step / flop_per_second, self.activations * itemsize / bytes_per_second)


def step_cost(
    model: nn.Module, frames: int, persons: int = 2, *, adjacency_first: bool = False
) -> StepCost:
    """Count a step of ST-GCN or ST-GCN++ for one clip.

    The bytes are those of a network whose units are each one kernel forward and one backward: the
    forward pass reads each unit's input and writes its output; the backward pass reads both again
    with the output's gradient, and writes the input's. Weights, which a batch shares, are left out.

    Args:
        model: The recognizer.
        frames: Frames T of a clip.
        persons: Persons M.
        adjacency_first: Whether graph convolutions multiply by the adjacency before the 1x1
            convolution, on C channels, as the fast path does; else as their ``conv_pos`` says.

    Raises:
        TypeError: for a model of other parts.
    """
    if (
        not isinstance(model, RecognizerGCN)
        or not isinstance(model.backbone, STGCN)
        or not isinstance(model.cls_head, GCNHead)
    ):
        raise TypeError(
            "the cost is known of RecognizerGCN with STGCN and GCNHead, found "
            f"{type(model).__name__} with {[type(part).__name__ for part in model.children()]}"
        )
    joints = model.backbone.graph.num_node
    flop: dict[str, int] = {}
    activations = 0
    for block in cast("Iterable[STGCNBlock]", model.backbone.gcn):
        gcn, stride = cast(UnitGCN, block.gcn), _stride(block.tcn)
        after = -(-frames // stride)
        columns, columns_after = persons * frames * joints, persons * after * joints
        for part, count in _graph_conv(gcn, columns, joints, adjacency_first):
            flop[part] = flop.get(part, 0) + count
        for part, unit in (("temporal conv", block.tcn), ("residual", block.residual)):
            flop[part] = flop.get(part, 0) + sum(
                2 * conv.weight.numel() * (columns if _is_before_stride(name) else columns_after)
                for name, conv in _convs(unit)
            )
        C, D = gcn.in_channels, gcn.out_channels
        # Input and output of the graph convolution, then of the temporal one with the residual.
        activations += columns * (C + D) + columns * D + columns_after * D
        activations += columns * C if block.residual is not None else 0
        frames = after
    flop["head"] = 2 * model.cls_head.fc_cls.weight.numel()
    return StepCost(
        tuple(PartCost(part, count, 2 * count) for part, count in flop.items()),
        # Backward: each value is read once more, and its gradient read or written once.
        3 * activations,
    )


def _graph_conv(
    unit: UnitGCN, columns: int, joints: int, adjacency_first: bool
) -> Iterator[tuple[str, int]]:
    yield "graph conv", 2 * unit.conv.weight.numel() * columns
    first = adjacency_first or unit.conv_pos == "post"
    channels = unit.in_channels if first else unit.out_channels
    yield "adjacency", 2 * unit.num_subsets * joints * channels * columns
    if unit.with_res:
        yield "residual", sum(2 * c.weight.numel() * columns for _, c in _convs(unit.down))


def _convs(unit: nn.Module | None) -> list[tuple[str, nn.Conv2d]]:
    modules = unit.named_modules() if unit is not None else ()
    return [(name, module) for name, module in modules if isinstance(module, nn.Conv2d)]


def _is_before_stride(name: str) -> bool:
    """Return whether a convolution is the 1x1 that begins a branch of a ``MultiScaleTCN``."""
    return name.startswith("branches.") and name.endswith(".0")


def _stride(unit: nn.Module) -> int:
    if isinstance(unit, UnitTCN):
        return unit.conv.stride[0]
    return max(conv.stride[0] for _, conv in _convs(unit))
