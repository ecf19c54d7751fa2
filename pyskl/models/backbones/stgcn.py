"""ST-GCN and, by its options, ST-GCN++.

Yan et al., "Spatial temporal graph convolutional networks for skeleton-based action recognition",
AAAI 2018; Duan et al., "PYSKL: towards good practices for skeleton action recognition", ACM MM
2022.

Shapes: N batch (persons folded in), T frames, T' = ⌈T / stride⌉, V joints, C channels, K subsets.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from pyskl.errors import ConfigError, did_you_mean
from pyskl.models.backbones.blocks import BlockBackbone
from pyskl.models.backbones.temporal import MultiScaleTCN, UnitTCN
from pyskl.models.layers import LayerConfig, build_activation, build_norm
from pyskl.registry import BACKBONES

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

    def forward(self, x: Tensor, _: Tensor | None = None) -> Tensor:
        """Convolve (N, C, T, V) to (N, C', T, V). Networks of the family pass a second argument."""
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


@BACKBONES.register_module()
class STGCN(BlockBackbone):
    """The spatial temporal graph convolutional network.

    With ``gcn_adaptive='init', gcn_with_res=True, tcn_type='mstcn'`` and the graph mode
    ``'spatial'`` it is ST-GCN++.

    The arguments are those of :class:`~pyskl.models.backbones.blocks.BlockBackbone`; the units and
    their options are:

    - ``gcn_type`` ('unit_gcn') and ``tcn_type`` ('unit_tcn' or 'mstcn') select the units;
    - ``gcn_NAME`` is the argument NAME of :class:`UnitGCN`, for example ``gcn_adaptive``;
    - ``tcn_NAME`` is the argument NAME of :class:`~pyskl.models.backbones.temporal.UnitTCN` or
      :class:`~pyskl.models.backbones.temporal.MultiScaleTCN`, for example ``tcn_dropout``.

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
