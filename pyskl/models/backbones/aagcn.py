"""AAGCN: graph convolutions with a learned graph, a graph of each sample, and attention.

Shi et al., "Two-stream adaptive graph convolutional networks for skeleton-based action
recognition", CVPR 2019; "Skeleton-based action recognition with multi-stream adaptive graph
convolutional networks", TIP 2020.

Shapes: N batch (persons folded in), T frames, V joints, C channels, K subsets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from math import sqrt
from typing import Any, ClassVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyskl.models.backbones.base import check_positive
from pyskl.models.backbones.blocks import BlockBackbone, GraphBlock
from pyskl.models.backbones.temporal import MultiScaleTCN, UnitTCN
from pyskl.models.layers import init_he_out, weights_of
from pyskl.registry import BACKBONES
from pyskl.skeleton import Graph


class UnitAAGCN(nn.Module):
    """y_w = Σ_k W_k Σ_v x_v · B_kvw, where B is learned, and adapts to each sample.

    B_k = A_k + alpha · tanh(Q_kᵀ K_k / (c · T)), where A starts as the graph, alpha as 0, and Q and
    K are 1x1 convolutions of the input with c channels (TIP 2020, section 4.1). Attention over
    joints, frames and channels follows (section 4.2).

    Args:
        in_channels: Channels C of the input.
        out_channels: Channels C' of the output.
        A: The adjacency (K, V, V), from :attr:`pyskl.skeleton.Graph.A`.
        coff_embedding: Q and K have c = C' // coff_embedding channels.
        adaptive: Learn the adjacency and add the samples' own; False: A is fixed.
        attention: Use the attention.

    Raises:
        ConfigError: if ``coff_embedding`` is not between 1 and C'.
    """

    A: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        A: Tensor | np.ndarray,
        coff_embedding: int = 4,
        adaptive: bool = True,
        attention: bool = True,
    ) -> None:
        super().__init__()
        check_positive(coff_embedding=coff_embedding)
        adjacency = torch.as_tensor(A, dtype=torch.float32).detach().clone()
        K, V, _ = adjacency.shape
        self.width = max(1, out_channels // coff_embedding)  # c
        self.adaptive = adaptive
        self.attention = attention

        # Names and order are those of published checkpoints.
        if adaptive:
            self.A = nn.Parameter(adjacency)
            self.alpha = nn.Parameter(torch.zeros(1))
        else:
            self.register_buffer("A", adjacency)

        def convolutions(channels: int) -> nn.ModuleList:
            return nn.ModuleList(nn.Conv2d(in_channels, channels, 1) for _ in range(K))

        self.conv_d = convolutions(out_channels)
        if adaptive:
            self.conv_a = convolutions(self.width)
            self.conv_b = convolutions(self.width)
        if attention:
            self.conv_ta = nn.Conv1d(out_channels, 1, 9, padding=4)
            size = V if V % 2 else V - 1
            self.conv_sa = nn.Conv1d(out_channels, 1, size, padding=size // 2)
            self.fc1c = nn.Linear(out_channels, out_channels // 2)
            self.fc2c = nn.Linear(out_channels // 2, out_channels)
        self.down: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.down = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels)
            )
        self.bn = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)

        # It starts by passing on the residual, ungated.
        init_he_out(self)
        nn.init.constant_(self.bn.weight, 1e-6)
        weights, _ = weights_of(self.conv_d)
        for weight in weights:
            nn.init.normal_(weight, std=sqrt(2 / (weight.numel() * len(weights))))
        if self.attention:
            nn.init.zeros_(self.conv_ta.weight)
            nn.init.xavier_normal_(self.conv_sa.weight)
            nn.init.kaiming_normal_(self.fc1c.weight)
            nn.init.zeros_(self.fc2c.weight)
            nn.init.zeros_(self.fc1c.bias)
            nn.init.zeros_(self.fc2c.bias)

    def adjacency(self, x: Tensor) -> Tensor:
        """Return the adjacency of each sample, (N, K, V, V), for the input (N, C, T, V)."""
        N, _, T, V = x.shape
        K = len(self.A)
        if not self.adaptive:
            return self.A.expand(N, K, V, V)
        weights, biases = weights_of(chain.from_iterable(zip(self.conv_a, self.conv_b)))
        embedded = F.conv2d(x, torch.cat(weights), torch.cat(biases))
        embedded = embedded.view(N, K, 2, self.width * T, V)
        query, key = embedded.unbind(2)  # N, K, c·T, V
        similarity = query.transpose(2, 3) @ key  # N, K, V, V
        return self.A + self.alpha * torch.tanh(similarity / (self.width * T))

    def attend(self, y: Tensor) -> Tensor:
        """Apply the gates over joints, frames and channels, y ← y + y · gate, to (N, C, T, V).

        The means that the second and third gate start from follow from the first one's weights, so
        y is scaled once, by all three.
        """
        joints = 1 + torch.sigmoid(self.conv_sa(y.mean(2)))  # N, 1, V
        means = (y @ joints.transpose(1, 2).unsqueeze(1)).squeeze(3) / y.shape[3]  # N, C, T
        frames = 1 + torch.sigmoid(self.conv_ta(means))  # N, 1, T
        means = (means * frames).mean(2)  # N, C
        channels = 1 + torch.sigmoid(self.fc2c(F.relu(self.fc1c(means))))  # N, C
        gates = joints.unsqueeze(2) * frames.unsqueeze(3)  # N, 1, T, V
        return y * (channels[:, :, None, None] * gates)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, T, V) to (N, C', T, V)."""
        N, C, T, V = x.shape
        flat = x.reshape(N, C * T, V)
        # Neighbours first, then one convolution from all K·C channels: on a CPU faster than a
        # convolution for each subset, and than the channels first, by a tenth to a half.
        neighbours = [flat @ A for A in self.adjacency(x).unbind(1)]  # K times (N, C·T, V)
        y = torch.cat(neighbours, 1).view(N, -1, T, V)  # N, K·C, T, V
        weights, biases = weights_of(self.conv_d)
        y = F.conv2d(y, torch.cat(weights, 1), torch.stack(biases).sum(0))
        y = self.relu(self.bn(y) + self.down(x))
        return self.attend(y) if self.attention else y


@BACKBONES.register_module()
class AAGCN(BlockBackbone):
    """The adaptive graph convolutional network.

    Published with the graph mode ``'spatial'``. The arguments are those of
    :class:`~pyskl.models.backbones.blocks.BlockBackbone`, except for the default of
    ``data_bn_type``; the units and their options are:

    - ``tcn_type`` ('unit_tcn' or 'mstcn') selects the temporal unit;
    - ``gcn_NAME`` is the argument NAME of :class:`UnitAAGCN`, for example ``gcn_attention``;
    - ``tcn_NAME`` is the argument NAME of :class:`~pyskl.models.backbones.temporal.UnitTCN` or
      :class:`~pyskl.models.backbones.temporal.MultiScaleTCN`, for example ``tcn_dropout``.

    Attributes:
        out_channels: Channels C' of the features.

    Example:
        >>> import torch
        >>> model = AAGCN(dict(layout='coco', mode='spatial'), base_channels=8, num_person=1)
        >>> model(torch.zeros(2, 1, 16, 17, 3)).shape  # N, M, T, V, C → N, M, C', T', V
        torch.Size([2, 1, 32, 4, 17])
    """

    A: Tensor
    units: ClassVar = {
        "gcn": {"unit_aagcn": UnitAAGCN},
        "tcn": {"unit_tcn": UnitTCN, "mstcn": MultiScaleTCN},
    }

    def __init__(
        self,
        graph_cfg: Mapping[str, Any] | Graph,
        in_channels: int = 3,
        base_channels: int = 64,
        data_bn_type: str | None = "MVC",
        ch_ratio: float = 2,
        num_person: int = 2,
        num_stages: int = 10,
        inflate_stages: Sequence[int] = (5, 8),
        down_stages: Sequence[int] = (5, 8),
        pretrained: str | None = None,
        with_cp: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            graph_cfg,
            in_channels,
            base_channels,
            data_bn_type,
            ch_ratio,
            num_person,
            num_stages,
            inflate_stages,
            down_stages,
            pretrained,
            with_cp,
            **kwargs,
        )
        # Not used; published checkpoints hold it.
        self.register_buffer("A", torch.as_tensor(self.graph.A, dtype=torch.float32))
        for block in self.gcn:
            init_he_out(cast(GraphBlock, block).tcn)
