"""Networks of blocks that are a graph convolution, a temporal convolution and a residual.

ST-GCN, AAGCN and DG-STGCN are such networks and differ in their units.

Shapes: N batch (persons folded in), T frames, T' = ⌈T / stride⌉, V joints, C channels, K subsets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from pyskl.models.backbones.base import GraphBackbone, block_stages
from pyskl.models.backbones.temporal import UnitTCN, block_residual
from pyskl.skeleton import Graph


class GraphBlock(nn.Module):
    """A graph convolution, a temporal convolution and a residual: relu(tcn(gcn(x)) + res(x)).

    Args:
        in_channels: Channels C of the input.
        out_channels: Channels C' of the output.
        A: The adjacency (K, V, V).
        gcn: Builds the graph convolution from C, C' and A.
        stride: Step in frames.
        residual: Whether there is a residual, see
            :func:`pyskl.models.backbones.temporal.block_residual`.
        tcn: Builds the temporal convolution from C', C' and the stride.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        A: Tensor | np.ndarray,
        gcn: Callable[..., nn.Module],
        stride: int = 1,
        residual: bool = True,
        tcn: Callable[..., nn.Module] = UnitTCN,
    ) -> None:
        super().__init__()
        self.gcn = gcn(in_channels, out_channels, A)
        self.tcn = tcn(out_channels, out_channels, stride=stride)
        self.relu = nn.ReLU(inplace=True)
        self.residual = block_residual(in_channels, out_channels, stride) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, T, V) to (N, C', T', V)."""
        y = self.tcn(self.gcn(x))
        if self.residual is not None:
            y = y + self.residual(x)
        return self.relu(y)


class BlockBackbone(GraphBackbone):
    """A stack of :class:`GraphBlock`; a subclass sets :attr:`GraphBackbone.units`.

    Further keyword arguments are passed to the units of the blocks by prefix
    (:meth:`GraphBackbone.block_units`). A tuple of exactly ``num_stages`` values holds one value
    per block.

    Args:
        graph_cfg: The arguments of :class:`pyskl.skeleton.Graph`, or a graph.
        in_channels: Channels C of the keypoints.
        base_channels: Channels of the first blocks.
        data_bn_type: How the keypoints are normalised, see :class:`GraphBackbone`.
        ch_ratio: Factor of the channels at each of ``inflate_stages``.
        num_person: Number of persons M, used by ``data_bn_type='MVC'``.
        num_stages: Number of blocks. The first one maps C to ``base_channels``, and is left out if
            they are equal.
        inflate_stages: Blocks, counted from 1, that widen the channels.
        down_stages: Blocks, counted from 1, that halve the number of frames.
        pretrained: Not supported, see :class:`GraphBackbone`.
        with_cp: Save memory in training, see :class:`GraphBackbone`.
        **kwargs: The prefixed options.

    Attributes:
        out_channels: Channels C' of the features.

    Raises:
        ConfigError: for unknown options and values out of range.
    """

    def __init__(
        self,
        graph_cfg: Mapping[str, Any] | Graph,
        in_channels: int = 3,
        base_channels: int = 64,
        data_bn_type: str | None = "VC",
        ch_ratio: float = 2,
        num_person: int = 2,
        num_stages: int = 10,
        inflate_stages: Sequence[int] = (5, 8),
        down_stages: Sequence[int] = (5, 8),
        pretrained: str | None = None,
        with_cp: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(graph_cfg, in_channels, data_bn_type, num_person, pretrained, with_cp)
        stages = block_stages(
            in_channels, base_channels, ch_ratio, num_stages, inflate_stages, down_stages
        )
        units = self.block_units(self.unit_options(kwargs), num_stages)
        self.out_channels = stages[-1].out_channels if stages else in_channels
        self.gcn = nn.ModuleList(
            GraphBlock(
                stage.in_channels,
                stage.out_channels,
                self.graph.A,
                stride=stage.stride,
                residual=stage.number > 1,
                **units[stage.number - 1],
            )
            for stage in stages
        )

    def unit_options(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the prefixed options of a config, with those that follow from the graph."""
        return given

    def features(self, x: Tensor) -> Tensor:
        """Map the normalised keypoints (N·M, C, T, V) to the features (N·M, C', T', V)."""
        for block in self.gcn:
            x = self.run(block, x)
        return x
