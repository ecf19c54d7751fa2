"""ST-GCN and, by its options, ST-GCN++.

Yan et al., "Spatial temporal graph convolutional networks for skeleton-based action recognition",
AAAI 2018; Duan et al., "PYSKL: towards good practices for skeleton action recognition", ACM MM
2022.

Shapes: N batch (persons folded in), T frames, T' = ⌈T / stride⌉, V joints, C channels, K subsets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from pyskl.errors import ConfigError, did_you_mean
from pyskl.models.backbones.base import GraphBackbone, block_stages
from pyskl.models.backbones.temporal import MultiScaleTCN, UnitTCN, block_residual
from pyskl.models.layers import LayerConfig, build_activation, build_norm
from pyskl.registry import BACKBONES
from pyskl.skeleton import Graph

_ADAPTIVE = ("init", "offset", "importance")


class UnitGCN(nn.Module):
    """A 1x1 convolution for each subset, then a sum over neighbours: y_w = Σ_k Σ_v x_kv · A_kvw.

    Yan et al., section 3.3; the learned edge weights are section 3.5.

    Args:
        in_channels: Channels C of the input.
        out_channels: Channels C' of the output.
        A: The adjacency (K, V, V), from :attr:`pyskl.skeleton.Graph.A`.
        adaptive: The learned part of the adjacency. ``'importance'``: A · PA with PA starting at
            ones; ``'offset'``: A + PA with PA starting within 1e-6 of zero; ``'init'``: A itself;
            None: nothing.
        conv_pos: ``'pre'``: the 1x1 convolution C → K·C' comes before the adjacency; ``'post'``:
            the adjacency first, then K·C → C'.
        with_res: Add the input (through 1x1 convolution and norm if C differs from C').
        norm: Normalisation, see :func:`pyskl.models.layers.build_norm`.
        act: Activation, see :func:`pyskl.models.layers.build_activation`.

    Raises:
        ConfigError: for an unknown ``adaptive`` or ``conv_pos``.
        ValueError: if A is not (K, V, V).
    """

    A: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        A: Tensor | np.ndarray,
        adaptive: str | None = "importance",
        conv_pos: str = "pre",
        with_res: bool = False,
        norm: LayerConfig = "BN",
        act: LayerConfig = "ReLU",
    ) -> None:
        super().__init__()
        if adaptive is not None and adaptive not in _ADAPTIVE:
            hint = did_you_mean(str(adaptive), _ADAPTIVE).removeprefix("; ")
            raise ConfigError("unknown choice", key="adaptive", found=adaptive, hint=hint)
        if conv_pos not in ("pre", "post"):
            raise ConfigError(
                "unknown choice", key="conv_pos", found=conv_pos, expected="'pre' or 'post'"
            )
        adjacency = torch.as_tensor(A, dtype=torch.float32).detach().clone()
        if adjacency.dim() != 3 or adjacency.shape[1] != adjacency.shape[2]:
            raise ValueError(f"an adjacency is (K, V, V), found the shape {tuple(adjacency.shape)}")
        self.out_channels = out_channels
        self.num_subsets = adjacency.shape[0]
        self.adaptive = adaptive
        self.conv_pos = conv_pos
        self.with_res = with_res

        # Names and order of the parameters are those of published checkpoints.
        if adaptive == "init":
            self.A = nn.Parameter(adjacency)
        else:
            self.register_buffer("A", adjacency)
        if adaptive == "importance":
            self.PA = nn.Parameter(torch.ones_like(adjacency))
        elif adaptive == "offset":
            self.PA = nn.Parameter(torch.empty_like(adjacency).uniform_(-1e-6, 1e-6))

        self.bn = build_norm(norm, out_channels)
        self.act = build_activation(act)
        if conv_pos == "pre":
            self.conv = nn.Conv2d(in_channels, out_channels * self.num_subsets, 1)
        else:
            self.conv = nn.Conv2d(in_channels * self.num_subsets, out_channels, 1)
        if with_res:
            self.down: nn.Module = nn.Identity()
            if in_channels != out_channels:
                self.down = nn.Sequential(
                    nn.Conv2d(in_channels, out_channels, 1), build_norm(norm, out_channels)
                )

    def adjacency(self) -> Tensor:
        """Return the adjacency (K, V, V) with its learned part."""
        if self.adaptive == "importance":
            return self.A * self.PA
        if self.adaptive == "offset":
            return self.A + self.PA
        return self.A

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, T, V) to (N, C', T, V)."""
        A = self.adjacency()
        if self.conv_pos == "pre":
            y = self.conv(x).unflatten(1, (self.num_subsets, self.out_channels))  # N, K, C', T, V
            y = torch.einsum("nkctv,kvw->nctw", y, A)  # N, C', T, V
        else:
            y = torch.einsum("nctv,kvw->nkctw", x, A).flatten(1, 2)  # N, K·C, T, V
            y = self.conv(y)  # N, C', T, V
        y = self.bn(y)
        if self.with_res:
            y = y + self.down(x)
        return self.act(y)

    def extra_repr(self) -> str:
        return f"adaptive={self.adaptive!r}, conv_pos={self.conv_pos!r}, with_res={self.with_res}"


class STGCNBlock(nn.Module):
    """A graph convolution, a temporal convolution and a residual: relu(tcn(gcn(x)) + res(x)).

    Args:
        in_channels: Channels C of the input.
        out_channels: Channels C' of the output.
        A: The adjacency (K, V, V).
        stride: Step in frames.
        residual: Whether there is a residual, see
            :func:`pyskl.models.backbones.temporal.block_residual`.
        gcn: Builds the graph convolution from C, C' and A.
        tcn: Builds the temporal convolution from C', C' and the stride.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        A: Tensor | np.ndarray,
        stride: int = 1,
        residual: bool = True,
        gcn: Callable[..., nn.Module] = UnitGCN,
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


@BACKBONES.register_module()
class STGCN(GraphBackbone):
    """The spatial temporal graph convolutional network.

    With ``gcn_adaptive='init', gcn_with_res=True, tcn_type='mstcn'`` and the graph mode
    ``'spatial'`` it is ST-GCN++.

    Further keyword arguments are passed to the units of the blocks by prefix
    (:meth:`GraphBackbone.block_units`):

    - ``gcn_type`` ('unit_gcn') and ``tcn_type`` ('unit_tcn' or 'mstcn') select the units;
    - ``gcn_NAME`` is the argument NAME of :class:`UnitGCN`, for example ``gcn_adaptive``;
    - ``tcn_NAME`` is the argument NAME of :class:`~pyskl.models.backbones.temporal.UnitTCN` or
      :class:`~pyskl.models.backbones.temporal.MultiScaleTCN`, for example ``tcn_dropout``.

    A tuple of exactly ``num_stages`` values holds one value per block.

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
        **kwargs: The prefixed options.

    Attributes:
        out_channels: Channels C' of the features.

    Raises:
        ConfigError: for unknown options and values out of range.

    Example:
        >>> import torch
        >>> model = STGCN(dict(layout='coco', mode='stgcn_spatial'), base_channels=8)
        >>> model(torch.zeros(2, 1, 16, 17, 3)).shape  # N, M, T, V, C → N, M, C', T', V
        torch.Size([2, 1, 32, 4, 17])
    """

    units: ClassVar = {
        "gcn": {"unit_gcn": UnitGCN},
        "tcn": {"unit_tcn": UnitTCN, "mstcn": MultiScaleTCN},
    }

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
        **kwargs: Any,
    ) -> None:
        super().__init__(graph_cfg, in_channels, data_bn_type, num_person, pretrained)
        stages = block_stages(
            in_channels, base_channels, ch_ratio, num_stages, inflate_stages, down_stages
        )
        units = self.block_units(kwargs, num_stages)
        self.out_channels = stages[-1].out_channels if stages else in_channels
        self.gcn = nn.ModuleList(
            STGCNBlock(
                stage.in_channels,
                stage.out_channels,
                self.graph.A,
                stage.stride,
                residual=stage.number > 1,
                **units[stage.number - 1],
            )
            for stage in stages
        )

    def features(self, x: Tensor) -> Tensor:
        """Map the normalised keypoints (N·M, C, T, V) to the features (N·M, C', T', V)."""
        for block in self.gcn:
            x = block(x)
        return x
