"""The graph convolution of ST-GCN.

Shapes: N batch (persons folded in), T frames, V joints, C channels, K subsets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from pyskl.errors import ConfigError, did_you_mean
from pyskl.models.cpu import takes_fast_path
from pyskl.models.cpu.graph import graph_conv
from pyskl.models.cpu.layout import features, frames_first
from pyskl.models.cpu.parts import activate, normalise, pointwise_conv
from pyskl.models.units.norm import build_activation, build_norm

_ADAPTIVE = ("init", "offset", "importance")
_CONV_POS = ("pre", "post")


class UnitGCN(nn.Module):
    """A 1x1 convolution for each subset, then a sum over neighbours: y_w = Σ_k Σ_v x_kv · A_kvw.

    Yan et al., "Spatial temporal graph convolutional networks", AAAI 2018, section 3.3; the learned
    edge weights are its section 3.5.

    Args:
        in_channels: Channels C of the input.
        out_channels: Channels C' of the output.
        A: The adjacency (K, V, V), from :attr:`pyskl.skeleton.Graph.A`.
        adaptive: What is learned of the adjacency. ``'importance'``: A · PA with PA starting at
            ones; ``'offset'``: A + PA with PA starting within 1e-6 of zero; ``'init'``: A itself;
            None: nothing.
        conv_pos: ``'pre'``: the 1x1 convolution C → K·C' comes before the adjacency; ``'post'``:
            the adjacency first, then K·C → C'.
        with_res: Add the input (through 1x1 convolution and norm where C differs from C').
        norm: Normalisation, see :func:`pyskl.models.units.norm.build_norm`.
        act: Activation, see :func:`pyskl.models.units.norm.build_activation`.

    Attributes:
        fast: Whether the unit may take the fast path (:mod:`pyskl.models.cpu`). It is of use only
            beside others that take it, as values change their order in memory.

    Raises:
        ConfigError: for an unknown ``adaptive`` or ``conv_pos``.
        ValueError: where A is not (K, V, V).
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
        norm: str | Mapping[str, Any] | None = "BN",
        act: str | Mapping[str, Any] | None = "ReLU",
    ) -> None:
        super().__init__()
        if adaptive is not None and adaptive not in _ADAPTIVE:
            raise ConfigError(
                f"adaptive of a graph convolution is None or one of {', '.join(_ADAPTIVE)}, found "
                f"{adaptive!r}{did_you_mean(str(adaptive), _ADAPTIVE)}"
            )
        if conv_pos not in _CONV_POS:
            raise ConfigError(
                f"conv_pos of a graph convolution is 'pre' or 'post', found {conv_pos!r}"
            )
        adjacency = torch.as_tensor(A, dtype=torch.float32).detach().clone()
        if adjacency.dim() != 3 or adjacency.shape[1] != adjacency.shape[2]:
            raise ValueError(
                f"an adjacency has the shape (K, V, V), found {tuple(adjacency.shape)}"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.num_subsets = adjacency.shape[0]
        self.adaptive = adaptive
        self.conv_pos = conv_pos
        self.with_res = with_res
        self.fast = True

        # Order and names of what follows are those of published checkpoints.
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
        """Return the adjacency with what was learned of it: (K, V, V)."""
        if self.adaptive == "importance":
            return self.A * self.PA
        if self.adaptive == "offset":
            return self.A + self.PA
        return self.A

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, T, V) to (N, C', T, V)."""
        A = self.adjacency()
        if self.fast and takes_fast_path(x, self.conv):
            return self._forward_fast(x, A)
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

    def _forward_fast(self, x: Tensor, A: Tensor) -> Tensor:
        """Compute :meth:`forward` in the order of :mod:`pyskl.models.cpu.graph`."""
        x = frames_first(x)
        weight, bias = self._per_subset(A)
        y = normalise(graph_conv(x, A, weight, bias), self.bn)
        if self.with_res:
            y = y + self._down(x)
        return activate(features(y), self.act)

    def _per_subset(self, A: Tensor) -> tuple[Tensor, Tensor]:
        """Return the convolution's weight as (K, C', C) and its bias at each joint, (V, C')."""
        K, D = self.num_subsets, self.out_channels
        weight, bias = self.conv.weight[:, :, 0, 0], cast(Tensor, self.conv.bias)
        if self.conv_pos == "post":
            return weight.view(D, K, -1).transpose(0, 1), bias.expand(A.shape[1], D)
        return weight.view(K, D, -1), A.sum(1).t() @ bias.view(K, D)

    def _down(self, x: Tensor) -> Tensor:
        """Return the residual of (T, V, N, C), in the same order."""
        if isinstance(self.down, nn.Identity):
            return x
        if isinstance(self.down, nn.Sequential) and takes_fast_path(x, self.down[0]):
            return normalise(pointwise_conv(x, cast(nn.Conv2d, self.down[0])), self.down[1])
        return frames_first(self.down(features(x)))

    def extra_repr(self) -> str:
        return f"adaptive={self.adaptive!r}, conv_pos={self.conv_pos!r}, with_res={self.with_res}"
