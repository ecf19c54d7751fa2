"""Temporal units: convolutions over frames.

Shapes: N batch (persons folded in), T frames, T' = ⌈T / stride⌉, V joints, C channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyskl.errors import ConfigError
from pyskl.models.layers import LayerConfig, build_activation, build_norm, weights_of


class UnitTCN(nn.Module):
    """A convolution over time, then normalisation and dropout.

    Yan et al., "Spatial temporal graph convolutional networks", AAAI 2018, section 3.2.

    Args:
        in_channels: Channels C of the input.
        out_channels: Channels C' of the output.
        kernel_size: Number of frames, odd.
        stride: Step in frames.
        dilation: Distance between the kernel's frames.
        norm: Normalisation, see :func:`pyskl.models.layers.build_norm`.
        dropout: Probability that a value is dropped in training.

    Raises:
        ConfigError: for an even kernel.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 9,
        stride: int = 1,
        dilation: int = 1,
        norm: LayerConfig = "BN",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        _check_kernel(kernel_size)
        self.conv = nn.Conv2d(
            in_channels,
            out_channels,
            (kernel_size, 1),
            stride=(stride, 1),
            padding=(dilation * (kernel_size - 1) // 2, 0),
            dilation=(dilation, 1),
        )
        self.bn = build_norm(norm, out_channels)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, T, V) to (N, C', T', V)."""
        return self.drop(self.bn(self.conv(x)))


class MultiScaleTCN(nn.Module):
    """Parallel branches: several dilations, a max-pool and a 1x1 convolution (ST-GCN++).

    Duan et al., "PYSKL: towards good practices for skeleton action recognition", ACM MM 2022,
    section 3.1.

    Each of B branches has C' // B channels, and the first one also the remainder. Every branch
    but ``'1x1'`` begins with a 1x1 convolution, norm and activation. The concatenated branches go
    through norm, activation, a 1x1 convolution, norm and dropout.

    Args:
        in_channels: Channels C of the input.
        out_channels: Channels C' of the output.
        stride: Step in frames.
        ms_cfg: The branches: ``(kernel size, dilation)``, ``('max', kernel size)`` or ``'1x1'``.
        norm: Normalisation, see :func:`pyskl.models.layers.build_norm`.
        act: Activation, see :func:`pyskl.models.layers.build_activation`.
        dropout: Probability that a value is dropped in training.

    Raises:
        ConfigError: for a branch that is none of these, an even kernel, or fewer channels than
            branches.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        ms_cfg: Sequence[Any] = ((3, 1), (3, 2), (3, 3), (3, 4), ("max", 3), "1x1"),
        norm: LayerConfig = "BN",
        act: LayerConfig = "ReLU",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not 1 <= len(ms_cfg) <= out_channels:
            raise ConfigError(
                "wrong number of branches",
                key="ms_cfg",
                found=len(ms_cfg),
                expected=f"1 to {out_channels}, the number of channels",
            )
        width = out_channels // len(ms_cfg)
        widths = [out_channels - width * (len(ms_cfg) - 1)] + [width] * (len(ms_cfg) - 1)

        # Names and order are those of published checkpoints.
        self.branches = nn.ModuleList(
            _branch(branch, in_channels, channels, stride, norm, act)
            for branch, channels in zip(ms_cfg, widths)
        )
        self.transform = nn.Sequential(
            build_norm(norm, out_channels),
            build_activation(act),
            nn.Conv2d(out_channels, out_channels, 1),
        )
        self.bn = build_norm(norm, out_channels)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, T, V) to (N, C', T', V)."""
        return self.drop(self.bn(self.transform(self.convolve(x))))

    def convolve(self, x: Tensor) -> Tensor:
        """Run the branches on (N, C, T, V); return (N, C', T', V)."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class DilatedTCN(nn.Module):
    """Parallel branches: one kernel at several dilations, a max-pool and a 1x1 convolution.

    The temporal unit of MS-G3D (Liu et al., "Disentangling and unifying graph convolutions for
    skeleton-based action recognition", CVPR 2020, section 3.4) and of CTR-GCN (Chen et al.,
    "Channel-wise topology refinement graph convolution for skeleton-based action recognition",
    ICCV 2021, section 3.4).

    Each of the B = len(dilations) + 2 branches has C' // B channels, and the last one also the
    remainder. The concatenated branches, plus the residual if there is one, go through the
    activation and dropout.

    Args:
        in_channels: Channels C of the input.
        out_channels: Channels C' of the output.
        kernel_size: Number of frames of the dilated branches, odd.
        stride: Step in frames.
        dilations: The distance between the kernel's frames, for each dilated branch.
        residual: Add the input, see :func:`block_residual`.
        act: Activation, see :func:`pyskl.models.layers.build_activation`.
        dropout: Probability that a value is dropped in training.

    Raises:
        ConfigError: for an even kernel, or fewer channels than branches.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        dilations: Sequence[int] = (1, 2, 3, 4),
        residual: bool = False,
        act: LayerConfig = "ReLU",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        width = out_channels // (len(dilations) + 2)
        if width == 0:
            raise ConfigError(
                "too few channels for the temporal branches",
                key="dilations",
                found=f"{len(dilations) + 2} branches",
                expected=f"at most {out_channels}, the number of channels",
            )
        last = out_channels - width * (len(dilations) + 1)

        def pointwise(channels: int, stride: int = 1) -> list[nn.Module]:
            conv = nn.Conv2d(in_channels, channels, 1, stride=(stride, 1))
            return [conv, nn.BatchNorm2d(channels)]

        # Names and order are those of published checkpoints.
        self.branches = nn.ModuleList(
            nn.Sequential(
                *pointwise(width),
                nn.ReLU(inplace=True),
                UnitTCN(width, width, kernel_size, stride, dilation),
            )
            for dilation in dilations
        )
        pool = nn.MaxPool2d((3, 1), stride=(stride, 1), padding=(1, 0))
        self.branches.append(
            nn.Sequential(*pointwise(width), nn.ReLU(inplace=True), pool, nn.BatchNorm2d(width))
        )
        self.branches.append(nn.Sequential(*pointwise(last, stride)))
        self.residual = block_residual(in_channels, out_channels, stride) if residual else None
        self.act = build_activation(act)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, T, V) to (N, C', T', V)."""
        # The 1x1 convolutions without a stride are computed as one, which reads x once: 1.2 to 1.7
        # times as fast in training.
        sequences = [list(branch) for branch in cast(Iterable[nn.Sequential], self.branches)]
        joint = [cast(nn.Conv2d, conv) for conv, *_ in sequences if conv.stride == (1, 1)]
        weights, biases = weights_of(joint)
        together = F.conv2d(x, torch.cat(weights), torch.cat(biases))
        outputs, start = [], 0
        for conv, *layers in sequences:
            if conv in joint:
                output = together.narrow(1, start, conv.out_channels)
                start += conv.out_channels
            else:
                output = conv(x)
            for layer in layers:
                output = layer(output)
            outputs.append(output)
        y = torch.cat(outputs, dim=1)  # N, C', T', V
        if self.residual is not None:
            y = y + self.residual(x)
        return self.drop(self.act(y))


def block_residual(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """Return the residual connection of a block, (N, C, T, V) to (N, C', T', V).

    It is the identity if shapes agree, else a 1x1 convolution with the stride and a BatchNorm.
    """
    if in_channels == out_channels and stride == 1:
        return nn.Identity()
    return UnitTCN(in_channels, out_channels, kernel_size=1, stride=stride)


def _branch(
    branch: Any,
    in_channels: int,
    out_channels: int,
    stride: int,
    norm: LayerConfig,
    act: LayerConfig,
) -> nn.Module:
    """Build one branch of :class:`MultiScaleTCN`."""
    if branch == "1x1":
        return nn.Conv2d(in_channels, out_channels, 1, stride=(stride, 1))
    if isinstance(branch, str) or not isinstance(branch, Sequence) or len(branch) != 2:
        raise ConfigError(
            "unknown branch",
            key="ms_cfg",
            found=branch,
            expected="(kernel size, dilation), ('max', kernel size) or '1x1'",
        )
    conv = nn.Conv2d(in_channels, out_channels, 1)
    pointwise = (conv, build_norm(norm, out_channels), build_activation(act))
    if branch[0] == "max":
        size = _check_kernel(branch[1])
        pool = nn.MaxPool2d((size, 1), stride=(stride, 1), padding=(size // 2, 0))
        return nn.Sequential(*pointwise, pool)
    size, dilation = branch
    return nn.Sequential(
        *pointwise, UnitTCN(out_channels, out_channels, size, stride, dilation, norm=None)
    )


def _check_kernel(size: Any) -> int:
    if not isinstance(size, int) or size < 1 or size % 2 == 0:
        raise ConfigError(
            "wrong size of a temporal kernel",
            key="kernel_size",
            found=size,
            expected="an odd number of frames",
        )
    return size
