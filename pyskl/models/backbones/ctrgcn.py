"""CTR-GCN: a graph for each channel, refined for each sample.

Chen et al., "Channel-wise topology refinement graph convolution for skeleton-based action
recognition", ICCV 2021.

Shapes: N batch (persons folded in), T frames, T' = ⌈T / stride⌉, V joints, C channels, K subsets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyskl.models.backbones.base import GraphBackbone, block_stages
from pyskl.models.backbones.temporal import DilatedTCN, block_residual
from pyskl.models.layers import init_he_out, recomputed, weights_of
from pyskl.registry import BACKBONES
from pyskl.skeleton import Graph


class ChannelGraph(nn.Module):
    """The convolutions of one subset (section 3.2).

    Args:
        in_channels: Channels C of the input.
        out_channels: Channels C' of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        reduced = 8 if in_channels <= 16 else in_channels // 8  # r
        self.conv1 = nn.Conv2d(in_channels, reduced, 1)
        self.conv2 = nn.Conv2d(in_channels, reduced, 1)
        self.conv3 = nn.Conv2d(in_channels, out_channels, 1)
        self.conv4 = nn.Conv2d(reduced, out_channels, 1)

    def forward(self, x: Tensor, mean: Tensor, A: Tensor, alpha: Tensor) -> Tensor:
        """Return y_cw = Σ_v (W x)_cv · (A + alpha · Q)_cvw, (N, C', T, V).

        Args:
            x: The input (N, C, T, V).
            mean: Its mean over frames, (N, C, 1, V). As the convolutions are linear, they give the
                mean of what they would give for each frame, T times as fast.
            A: The shared adjacency (V, V).
            alpha: The weight of the refinement Q, (1,).
        """
        first, second = self.conv1(mean).squeeze(2), self.conv2(mean).squeeze(2)  # N, r, V
        difference = torch.tanh(first.unsqueeze(3) - second.unsqueeze(2))  # N, r, V, V
        (weight,), (bias,) = weights_of([self.conv4])
        adjacency = F.conv2d(difference, weight * alpha, bias * alpha) + A  # N, C', V, V
        return self.conv3(x) @ adjacency


class UnitCTRGCN(nn.Module):
    """y_cw = Σ_k Σ_v (W_k x)_cv · (A_k + alpha · Q_k)_cvw, then norm, residual and activation.

    Chen et al., section 3.2. A starts as the graph and is learned; alpha starts as 0.

    Args:
        in_channels: Channels C of the input.
        out_channels: Channels C' of the output.
        A: The adjacency (K, V, V), from :attr:`pyskl.skeleton.Graph.A`.
    """

    def __init__(self, in_channels: int, out_channels: int, A: Tensor | np.ndarray) -> None:
        super().__init__()
        # Names and order are those of published checkpoints.
        self.A = nn.Parameter(torch.as_tensor(A, dtype=torch.float32).detach().clone())
        self.alpha = nn.Parameter(torch.zeros(1))
        self.convs = nn.ModuleList(ChannelGraph(in_channels, out_channels) for _ in range(len(A)))
        self.down: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.down = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels)
            )
        self.bn = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        init_he_out(self)
        nn.init.constant_(self.bn.weight, 1e-6)  # starts by passing on the residual

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, T, V) to (N, C', T, V)."""
        mean = x.mean(2, keepdim=True)
        # For the backward pass each subset would keep W x and its adjacency, in all 45 % of the
        # network's memory; to compute them again takes 10 % of the operations.
        terms = [
            recomputed(subset, x, mean, A, self.alpha) for subset, A in zip(self.convs, self.A)
        ]
        y = sum(terms[1:], terms[0])
        return self.relu(self.bn(y) + self.down(x))


class CTRGCNBlock(nn.Module):
    """A graph convolution, a temporal convolution and a residual: relu(tcn(gcn(x)) + res(x)).

    Args:
        in_channels: Channels C of the input.
        out_channels: Channels C' of the output.
        A: The adjacency (K, V, V).
        stride: Step in frames.
        residual: Whether there is a residual.
        kernel_size, dilations, tcn_dropout: Of the temporal convolution,
            :class:`~pyskl.models.backbones.temporal.DilatedTCN`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        A: Tensor | np.ndarray,
        stride: int = 1,
        residual: bool = True,
        kernel_size: int = 5,
        dilations: Sequence[int] = (1, 2),
        tcn_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.gcn1 = UnitCTRGCN(in_channels, out_channels, A)
        self.tcn1 = DilatedTCN(
            out_channels, out_channels, kernel_size, stride, dilations, dropout=tcn_dropout
        )
        init_he_out(self.tcn1)
        self.relu = nn.ReLU(inplace=True)
        self.residual = block_residual(in_channels, out_channels, stride) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, T, V) to (N, C', T', V)."""
        y = self.tcn1(self.gcn1(x))
        if self.residual is None:
            return y  # the temporal unit ends with the activation
        return self.relu(y + self.residual(x))


@BACKBONES.register_module()
class CTRGCN(GraphBackbone):
    """The channel-wise topology refinement graph convolutional network.

    Published with the graph mode ``'spatial'``. The keypoints are normalised by the batch
    statistics of each person, joint and channel.

    Args:
        graph_cfg: The arguments of :class:`pyskl.skeleton.Graph`, or a graph.
        in_channels: Channels C of the keypoints.
        base_channels: Channels of the first blocks.
        num_stages: Number of blocks. The first one maps C to ``base_channels``, and is left out if
            they are equal.
        inflate_stages: Blocks, counted from 1, that double the channels.
        down_stages: Blocks, counted from 1, that halve the number of frames.
        pretrained: Not supported, see :class:`GraphBackbone`.
        num_person: Number of persons M.
        kernel_size: Frames of the temporal kernels.
        dilations: One temporal branch for each.
        tcn_dropout: Dropout of the temporal units, except for the first block's.
        with_cp: Save memory in training, see :class:`GraphBackbone`.

    Attributes:
        out_channels: Channels C' of the features.

    Raises:
        ConfigError: for values out of range.

    Example:
        >>> import torch
        >>> model = CTRGCN(dict(layout='coco', mode='spatial'), base_channels=8, num_person=1)
        >>> model(torch.zeros(2, 1, 16, 17, 3)).shape  # N, M, T, V, C → N, M, C', T', V
        torch.Size([2, 1, 32, 4, 17])
    """

    A: Tensor

    def __init__(
        self,
        graph_cfg: Mapping[str, Any] | Graph,
        in_channels: int = 3,
        base_channels: int = 64,
        num_stages: int = 10,
        inflate_stages: Sequence[int] = (5, 8),
        down_stages: Sequence[int] = (5, 8),
        pretrained: str | None = None,
        num_person: int = 2,
        kernel_size: int = 5,
        dilations: Sequence[int] = (1, 2),
        tcn_dropout: float = 0.0,
        with_cp: bool = False,
    ) -> None:
        super().__init__(graph_cfg, in_channels, "MVC", num_person, pretrained, with_cp)
        stages = block_stages(
            in_channels, base_channels, 2, num_stages, inflate_stages, down_stages
        )
        self.out_channels = stages[-1].out_channels if stages else in_channels
        # Not used; published checkpoints hold it.
        self.register_buffer("A", torch.as_tensor(self.graph.A, dtype=torch.float32))
        self.net = nn.ModuleList(
            CTRGCNBlock(
                stage.in_channels,
                stage.out_channels,
                self.graph.A,
                stage.stride,
                residual=stage.number > 1,
                kernel_size=kernel_size,
                dilations=dilations,
                tcn_dropout=tcn_dropout if stage.number > 1 else 0.0,
            )
            for stage in stages
        )

    def features(self, x: Tensor) -> Tensor:
        """Map the normalised keypoints (N·M, C, T, V) to the features (N·M, C', T', V)."""
        for block in self.net:
            x = self.run(block, x)
        return x
