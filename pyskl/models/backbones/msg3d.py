"""MS-G3D: multi-scale graph convolutions on single frames and on windows of frames.

Liu et al., "Disentangling and unifying graph convolutions for skeleton-based action recognition",
CVPR 2020.

Shapes: N batch (persons folded in), T frames, T' = ⌈T / stride⌉, V joints, C channels, K scales,
w frames per window.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyskl.errors import ConfigError
from pyskl.models.backbones.base import GraphBackbone, check_positive
from pyskl.models.backbones.temporal import DilatedTCN
from pyskl.models.layers import recomputed
from pyskl.registry import BACKBONES
from pyskl.skeleton import Graph
from pyskl.skeleton.graph import normalize_columns

WINDOWS = (3, 5)  # frames


def scale_adjacency(links: np.ndarray, num_scales: int) -> np.ndarray:
    """Return one adjacency for each distance: the nodes at that distance, and the node itself.

    Liu et al., section 3.2.

    Args:
        links: 1 where two of V nodes are linked, else 0: (V, V).
        num_scales: Number K of distances, from 0 on.

    Returns:
        float64 (K, V, V). Each column is divided by its sum.
    """
    itself = np.eye(len(links))
    step = links + itself > 0
    near, rings = itself, [itself]
    for _ in range(num_scales - 1):
        far = (near @ step > 0).astype(np.float64)  # nodes at most one step farther
        rings.append(far - near + itself)
        near = far
    return np.stack([normalize_columns(ring) for ring in rings])


class MultiScaleGCN(nn.Module):
    """Graph convolution at several scales: y_v = relu(bn(b + Σ_k W_k Σ_u (A + PA)_kuv x_u)).

    Liu et al., section 3.2. PA is learned and starts within 1e-6 of zero.

    Args:
        in_channels: Channels C of the input.
        out_channels: Channels C' of the output.
        links: 1 where two of V nodes are linked, else 0: (V, V).
        num_scales: Number of scales K.
    """

    A: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, links: np.ndarray, num_scales: int
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.num_scales = num_scales
        # Names and order are those of published checkpoints.
        self.register_buffer("A", torch.from_numpy(scale_adjacency(links, num_scales)).float())
        self.PA = nn.Parameter(torch.empty_like(self.A).uniform_(-1e-6, 1e-6))
        self.mlp = _ConvNormAct(num_scales * in_channels, out_channels)

    def adjacency(self) -> Tensor:
        """Return the adjacency (K, V, V) with its learned part."""
        return self.A + self.PA

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, T, V) to (N, C', T, V)."""
        A = self.adjacency()
        if self.in_channels < self.out_channels:
            y = torch.cat([x @ one for one in A.unbind()], dim=1)  # N, K·C, T, V
            return self.mlp.layers(y)
        # One scale after the other: V + C' multiply-adds for each of N·C·T·V numbers. All K·C
        # channels never exist at a time, and for the backward pass x·A_k is computed again.
        conv, norm, act = self.mlp.layers
        weights = conv.weight.unflatten(1, (self.num_scales, self.in_channels))  # C', K, C, 1, 1
        y = conv.bias.view(-1, 1, 1)
        for one, weight in zip(A.unbind(), weights.unbind(1)):
            y = y + recomputed(_graph_then_conv, x, one, weight)
        return act(norm(y))


class WindowGCN(MultiScaleGCN):
    """:class:`MultiScaleGCN` on windows of frames, whose nodes are the joints of w frames.

    Liu et al., section 3.3. A joint is linked with itself and its neighbours in each frame of the
    window. The windows are centred on every ``stride``-th frame.

    The 1x1 convolution W and the sum over nodes with Ã = A + PA commute. Which one comes first
    depends on the channels C and E = C'. The steps, for each window: multiply-adds → numbers that
    they return.

    - C < E: Ã, K·C·(w·V)² → K·C·w·V; then W, w·V·K·C·E → w·V·E.
    - else: W on each frame once, stride·V·K·C·E → stride·V·K·E; then Ã, K·E·(w·V)² → w·V·E. For the
      backward pass W is computed again, so that its K·E channels are not kept.

    Ã is a convolution over frames whose channels are joints and scales. So the windows are not
    copied out, which would take C·w·V numbers for each window.

    Args:
        in_channels: Channels C of the input.
        out_channels: Channels C' of the output.
        links: 1 where two of V joints are linked, else 0: (V, V).
        num_scales: Number of scales K.
        window: Number of frames w, odd.
        stride: Step in frames.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        links: np.ndarray,
        num_scales: int,
        window: int,
        stride: int = 1,
    ) -> None:
        links = np.tile(links + np.eye(len(links)), (window, window))  # w·V, w·V
        super().__init__(in_channels, out_channels, links, num_scales)
        self.window = window
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, V, T) to (N, C', w·V, T')."""
        C, E, K, w = self.in_channels, self.out_channels, self.num_scales, self.window
        conv, norm, act = self.mlp.layers
        A = self.adjacency().unflatten(1, (w, -1))  # K, w, V, w·V
        W = conv.weight.view(E, K, C)
        over_frames = partial(F.conv1d, stride=self.stride, padding=w // 2)
        if C < E:
            A = A.permute(0, 3, 2, 1).flatten(0, 1)  # K·w·V, V, w
            y = over_frames(x.flatten(0, 1), A)  # N·C, K·w·V, T'
            y = y.unflatten(0, (-1, C)).unflatten(2, (K, -1)).flatten(1, 2)  # N, C·K, w·V, T'
            y = F.conv2d(y, W.transpose(1, 2).reshape(E, C * K, 1, 1), conv.bias)
        else:

            def convolve(x: Tensor, W: Tensor, A: Tensor) -> Tensor:
                z = F.conv2d(x, W)  # N, E·K, V, T
                z = z.unflatten(1, (E, K)).flatten(2, 3).flatten(0, 1)  # N·E, K·V, T
                return over_frames(z, A)  # N·E, w·V, T'

            A = A.permute(3, 0, 2, 1).flatten(1, 2)  # w·V, K·V, w
            y = recomputed(convolve, x, W.reshape(E * K, C, 1, 1), A)
            y = y.unflatten(0, (-1, E)) + conv.bias.view(E, 1, 1)
        return act(norm(y))


class WindowUnit(nn.Module):
    """A graph convolution on windows of frames, then a sum over the frames of each window.

    Liu et al., section 3.3, "G3D".

    Args:
        in_channels: Channels C of the input.
        width: Channels between the two convolutions.
        out_channels: Channels C' of the output.
        links, num_scales, window, stride: See :class:`WindowGCN`.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        out_channels: int,
        links: np.ndarray,
        num_scales: int,
        window: int,
        stride: int,
    ) -> None:
        super().__init__()
        # Names and order are those of published checkpoints.
        self.gcn3d = nn.ModuleDict(
            {"1": WindowGCN(in_channels, width, links, num_scales, window, stride)}
        )
        self.out_conv = nn.Conv3d(width, out_channels, (1, window, 1))
        self.out_bn = nn.BatchNorm3d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, V, T) to (N, C', V, T')."""
        y = self.gcn3d["1"](x).unflatten(2, (-1, x.shape[2]))  # N, width, w, V, T'
        # The kernel spans all w frames: a 1x1 convolution of width·w channels, which is faster.
        weight = self.out_conv.weight.flatten(1)[:, :, None, None]
        y = F.conv2d(y.flatten(1, 2), weight, self.out_conv.bias)
        return self.out_bn(y.unsqueeze(2)).squeeze(2)


class MultiWindowUnit(nn.Module):
    """The sum of a :class:`WindowUnit` for each of :data:`WINDOWS`.

    Args:
        in_channels: Channels C of the input.
        width: Channels between the convolutions of each unit.
        out_channels: Channels C' of the output.
        links, num_scales, stride: See :class:`WindowGCN`.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        out_channels: int,
        links: np.ndarray,
        num_scales: int,
        stride: int,
    ) -> None:
        super().__init__()
        self.gcn3d = nn.ModuleList(
            WindowUnit(in_channels, width, out_channels, links, num_scales, window, stride)
            for window in WINDOWS
        )

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, T, V) to (N, C', T', V)."""
        x = x.transpose(2, 3).contiguous()  # N, C, V, T
        y = torch.stack([unit(x) for unit in self.gcn3d]).sum(0)  # N, C', V, T'
        return y.transpose(2, 3)


@BACKBONES.register_module()
class MSG3D(GraphBackbone):
    """The network of three stages, each of two parallel paths and a temporal unit.

    x → relu(sgcn(x) + gcn3d(x)) → tcn. ``sgcn`` is a :class:`MultiScaleGCN` and two temporal units,
    ``gcn3d`` a :class:`MultiWindowUnit`. The stages have ``base_channels`` times 1, 2 and 4
    channels; the second and the third halve the number of frames.

    Args:
        graph_cfg: The arguments of :class:`pyskl.skeleton.Graph`, or a graph; its mode is
            ``'binary_adj'``.
        in_channels: Channels C of the keypoints.
        base_channels: Channels of the first stage, 6 or more.
        num_gcn_scales: Number of scales K of the graph convolutions of single frames.
        num_g3d_scales: Number of scales K of those of windows.
        num_person: Number of persons M. The keypoints are normalised for each of them.
        tcn_dropout: Dropout of the temporal units, except those of the first stage.
        pretrained: Not supported, see :class:`GraphBackbone`.
        with_cp: Save memory in training, see :class:`GraphBackbone`.

    Attributes:
        out_channels: Channels C' of the features.

    Raises:
        ConfigError: for another mode of the graph, or values out of range.

    Example:
        >>> import torch
        >>> model = MSG3D(dict(layout='coco', mode='binary_adj'), base_channels=6, num_person=1)
        >>> model(torch.zeros(2, 1, 16, 17, 3)).shape  # N, M, T, V, C → N, M, C', T', V
        torch.Size([2, 1, 24, 4, 17])
    """

    A: Tensor

    def __init__(
        self,
        graph_cfg: Mapping[str, Any] | Graph,
        in_channels: int = 3,
        base_channels: int = 96,
        num_gcn_scales: int = 13,
        num_g3d_scales: int = 6,
        num_person: int = 2,
        tcn_dropout: float = 0.0,
        pretrained: str | None = None,
        with_cp: bool = False,
    ) -> None:
        super().__init__(graph_cfg, in_channels, "MVC", num_person, pretrained, with_cp)
        check_positive(
            base_channels=base_channels,
            num_gcn_scales=num_gcn_scales,
            num_g3d_scales=num_g3d_scales,
        )
        if base_channels < 6:
            raise ConfigError(
                "too few channels for the six temporal branches",
                key="base_channels",
                found=base_channels,
                expected="6 or more",
            )
        if self.graph.mode != "binary_adj":
            raise ConfigError(
                "MS-G3D makes its scales from the edges",
                key="graph_cfg.mode",
                found=self.graph.mode,
                expected="'binary_adj'",
            )
        links = self.graph.A[0]  # V, V
        self.register_buffer("A", torch.from_numpy(links).float())
        self.out_channels = 4 * base_channels
        channels = in_channels
        for stage in range(3):
            # The first stage widens at its graph convolution, the others after it.
            width = channels if stage else base_channels
            out_channels = 2**stage * base_channels
            stride, dropout = (2, tcn_dropout) if stage else (1, 0.0)

            windows = MultiWindowUnit(channels, width, out_channels, links, num_g3d_scales, stride)
            frames = nn.Sequential(
                MultiScaleGCN(channels, width, links, num_gcn_scales),
                DilatedTCN(width, out_channels, stride=stride, residual=True, dropout=dropout),
                DilatedTCN(out_channels, out_channels, residual=True, act=None, dropout=dropout),
            )
            # Names and order are those of published checkpoints.
            self.add_module(f"gcn3d{stage + 1}", windows)
            self.add_module(f"sgcn{stage + 1}", frames)
            self.add_module(
                f"tcn{stage + 1}",
                DilatedTCN(out_channels, out_channels, residual=True, dropout=dropout),
            )
            channels = out_channels

    def features(self, x: Tensor) -> Tensor:
        """Map the normalised keypoints (N·M, C, T, V) to the features (N·M, C', T', V)."""
        for stage in (1, 2, 3):
            sgcn, gcn3d, tcn = (
                self.get_submodule(f"{name}{stage}") for name in ("sgcn", "gcn3d", "tcn")
            )
            x = self.run(tcn, F.relu(self.run(sgcn, x) + self.run(gcn3d, x), inplace=True))
        return x


class _ConvNormAct(nn.Module):
    """1x1 convolution, norm and relu, with the names of published checkpoints."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.layers: Any = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


def _graph_then_conv(x: Tensor, A: Tensor, weight: Tensor) -> Tensor:
    return F.conv2d(x @ A, weight)
