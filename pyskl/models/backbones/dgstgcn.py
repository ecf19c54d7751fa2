"""DG-STGCN: graph convolutions whose adjacency is learned and depends on the sample.

Duan et al., "DG-STGCN: dynamic spatial-temporal modeling for skeleton-based action recognition",
2022.

Shapes: N batch (persons folded in), T frames, T' = ⌈T / stride⌉, V joints, C channels, K subsets,
R channels of each subset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from pyskl.errors import ConfigError, did_you_mean
from pyskl.models.backbones.base import check_positive
from pyskl.models.backbones.blocks import BlockBackbone
from pyskl.models.backbones.temporal import MultiScaleTCN
from pyskl.models.layers import LayerConfig, build_activation, build_norm, recomputed
from pyskl.registry import BACKBONES

_PER = ("T", "NA")
_ACTS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "softmax": lambda scores: scores.softmax(dim=-2),  # over u, the joints that are summed
}
# Numbers of the pairwise differences that exist at a time: 4 MiB, which stay in a CPU's cache.
_PIECE = 2**20


class DynamicGCN(nn.Module):
    """Graph convolution with a dynamic adjacency: y_v = relu(bn(W Σ_u pre_u · Adj_uv) + res).

    Duan et al., section 3.2. ``pre``, K subsets of R = ratio · C' channels, is a 1x1 convolution of
    the input x with norm and activation. The adjacency of a subset is the sum of

    - A, which is learned and starts as that of the graph;
    - alpha · act(x1_u - x2_v) for each channel, if ``ctr`` is set;
    - beta · act(Σ_c x1_cu · x2_cv), shared by the channels, if ``ada`` is set.

    x1 and x2 are 1x1 convolutions of x, R channels per subset. alpha and beta are learned and start
    at zero.

    Args:
        in_channels: Channels C of the input.
        out_channels: Channels C' of the output.
        A: The adjacency (K, V, V), from :attr:`pyskl.skeleton.Graph.A`.
        ratio: Channels R per channel of the output.
        ctr: ``'T'``: the term is computed from the mean of x over the frames; ``'NA'``: for each
            frame; None: it is left out.
        ada: Likewise.
        subset_wise: Whether each subset has its own alpha and beta; else the first ones apply to
            all.
        ctr_act: ``'tanh'``, ``'relu'``, ``'sigmoid'`` or ``'softmax'`` (over u).
        ada_act: Likewise.
        norm: Normalisation, see :func:`pyskl.models.layers.build_norm`.
        act: Activation, see :func:`pyskl.models.layers.build_activation`.

    Raises:
        ConfigError: for an unknown choice, or a ``ratio`` that leaves no channel.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        A: Tensor | np.ndarray,
        ratio: float = 0.25,
        ctr: str | None = "T",
        ada: str | None = "T",
        subset_wise: bool = False,
        ctr_act: str = "tanh",
        ada_act: str = "softmax",
        norm: LayerConfig = "BN",
        act: LayerConfig = "ReLU",
    ) -> None:
        super().__init__()
        for key, value, choices in (
            ("ctr", ctr, (*_PER, None)),
            ("ada", ada, (*_PER, None)),
            ("ctr_act", ctr_act, tuple(_ACTS)),
            ("ada_act", ada_act, tuple(_ACTS)),
        ):
            if value not in choices:
                hint = did_you_mean(str(value), [c for c in choices if c]).removeprefix("; ")
                raise ConfigError("unknown choice", key=key, found=value, hint=hint)
        width = int(ratio * out_channels)
        if width < 1:
            raise ConfigError(
                "a ratio that leaves no channel",
                key="ratio",
                found=ratio,
                expected=f"at least 1 / {out_channels}",
            )
        adjacency = torch.as_tensor(A, dtype=torch.float32).detach().clone()
        K = adjacency.shape[0]
        self.ctr, self.ada, self.subset_wise = ctr, ada, subset_wise
        self.ctr_act, self.ada_act = _ACTS[ctr_act], _ACTS[ada_act]
        # Names and order are those of published checkpoints.
        self.A = nn.Parameter(adjacency)
        # The factor of a term that is left out stands in checkpoints, but is not trained.
        self.alpha = nn.Parameter(torch.zeros(K), requires_grad=ctr is not None)
        self.beta = nn.Parameter(torch.zeros(K), requires_grad=ada is not None)
        self.pre = nn.Sequential(
            nn.Conv2d(in_channels, K * width, 1), build_norm(norm, K * width), build_activation(act)
        )
        self.post = nn.Conv2d(K * width, out_channels, 1)
        if ctr or ada:
            self.conv1 = nn.Conv2d(in_channels, K * width, 1)
            self.conv2 = nn.Conv2d(in_channels, K * width, 1)
        self.down: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.down = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1), build_norm(norm, out_channels)
            )
        self.bn = build_norm(norm, out_channels)
        self.act = build_activation(act)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, T, V) to (N, C', T, V)."""
        pre = self._split(self.pre, x)
        A = self.A[None, :, None, None]  # 1, K, 1, 1, V, V
        if "T" in (self.ctr, self.ada):
            mean = x.mean(dim=2, keepdim=True)  # N, C, 1, V
            x1, x2 = self._split(self.conv1, mean), self._split(self.conv2, mean)
            A = self._dynamic("T", A, x1, x2)
        if "NA" in (self.ctr, self.ada):
            y = self._product_by_frames(
                pre, self._split(self.conv1, x), self._split(self.conv2, x), A
            )
        else:
            y = _product(pre, A)
        return self.act(self.bn(self.post(y.flatten(1, 2))) + self.down(x))

    def _split(self, layer: nn.Module, x: Tensor) -> Tensor:
        """Return the output of a layer by subset: (N, K, R, T, V)."""
        return layer(x).unflatten(1, (self.A.shape[0], -1))

    def _dynamic(self, per: str, A: Tensor, x1: Tensor, x2: Tensor) -> Tensor:
        """Add the terms of the kind ``per`` to an adjacency: (N, K, R or 1, T or 1, V, V)."""
        alpha, beta = (
            (factor if self.subset_wise else factor[:1]).view(-1, 1, 1, 1, 1)
            for factor in (self.alpha, self.beta)
        )
        if self.ctr == per:
            A = A + alpha * self.ctr_act(x1.unsqueeze(-1) - x2.unsqueeze(-2))
        if self.ada == per:
            scores = torch.einsum("nkrtu,nkrtv->nktuv", x1, x2).unsqueeze(2)
            A = A + beta * self.ada_act(scores)
        return A

    def _product_by_frames(self, pre: Tensor, x1: Tensor, x2: Tensor, A: Tensor) -> Tensor:
        """Return the product of ``pre`` with an adjacency for each frame: (N, K, R, T, V).

        The adjacencies are V times as many numbers as the result. So they exist for a few frames at
        a time, and are computed again in the backward pass.
        """

        def piece(pre: Tensor, x1: Tensor, x2: Tensor, A: Tensor) -> Tensor:
            return _product(pre, self._dynamic("NA", A, x1, x2))

        if torch.compiler.is_compiling() or torch.jit.is_tracing():  # T may be free
            return piece(pre, x1, x2, A)
        frames = max(1, _PIECE * pre.shape[3] // (pre.numel() * pre.shape[4]))
        pieces = zip(*(value.split(frames, dim=3) for value in (pre, x1, x2)))
        return torch.cat([recomputed(piece, *one, A) for one in pieces], dim=3)


def _product(x: Tensor, A: Tensor) -> Tensor:
    """Return Σ_u x_u · A_uv, (N, K, R, T, V). A may have 1 for N, R and T."""
    return torch.einsum("nkrtu,nkrtuv->nkrtv", x, A)


class DynamicTCN(MultiScaleTCN):
    """:class:`MultiScaleTCN` on the joints and their mean, which is added to each joint.

    Duan et al., section 3.3. The branches run on V + 1 joints; the last one is the mean of the
    others. Its result, times a learned factor for each joint that starts at zero, is added to the
    joints.

    Args:
        in_channels: Channels C of the input.
        out_channels: Channels C' of the output.
        stride: Step in frames.
        num_joints: Number of factors, V or more. The first V are used.
        ms_cfg, norm, act, dropout: See :class:`MultiScaleTCN`.

    Raises:
        ConfigError: see :class:`MultiScaleTCN`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        num_joints: int = 25,
        ms_cfg: Any = ((3, 1), (3, 2), (3, 3), (3, 4), ("max", 3), "1x1"),
        norm: LayerConfig = "BN",
        act: LayerConfig = "ReLU",
        dropout: float = 0.0,
    ) -> None:
        super().__init__(in_channels, out_channels, stride, ms_cfg, norm, act, dropout)
        check_positive(num_joints=num_joints)
        self.add_coeff = nn.Parameter(torch.zeros(num_joints))

    def convolve(self, x: Tensor) -> Tensor:
        """Run the branches on (N, C, T, V); return (N, C', T', V)."""
        V = x.shape[3]
        y = super().convolve(torch.cat([x, x.mean(dim=3, keepdim=True)], dim=3))
        return y[..., :V] + y[..., V:] * self.add_coeff[:V]


@BACKBONES.register_module()
class DGSTGCN(BlockBackbone):
    """The dynamic spatial temporal graph convolutional network.

    The published graph is ``dict(mode='random', num_filter=8, init_off=.04, init_std=.02)``.

    The arguments are those of :class:`~pyskl.models.backbones.blocks.BlockBackbone`. ``gcn_NAME``
    is the argument NAME of :class:`DynamicGCN`, ``tcn_NAME`` that of :class:`DynamicTCN`;
    ``tcn_num_joints`` is the number of joints of the layout unless it is given.

    Example:
        >>> import torch
        >>> model = DGSTGCN(dict(layout='coco', mode='random', num_filter=8), base_channels=8)
        >>> model(torch.zeros(2, 1, 16, 17, 3)).shape  # N, M, T, V, C → N, M, C', T', V
        torch.Size([2, 1, 32, 4, 17])
    """

    units: ClassVar = {"gcn": {"dggcn": DynamicGCN}, "tcn": {"dgmstcn": DynamicTCN}}

    def unit_options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        V = self.graph.num_node
        numbers = given.get("tcn_num_joints", V)
        for number in numbers if isinstance(numbers, tuple) else (numbers,):
            if isinstance(number, int) and number < V:
                raise ConfigError(
                    "fewer factors than joints",
                    key="tcn_num_joints",
                    found=number,
                    expected=f"at least {V}, the number of joints",
                )
        return {"tcn_num_joints": V, **given}
