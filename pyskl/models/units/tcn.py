"""Temporal convolutions.

Shapes: N batch (persons folded in), T frames, T' = ⌈T / stride⌉, V joints, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pyskl.errors import ConfigError
from pyskl.models.cpu import takes_fast_path
from pyskl.models.cpu.layout import features, frames_first
from pyskl.models.cpu.parts import normalise, pointwise_conv
from pyskl.models.cpu.temporal import takes_taps, temporal_conv
from pyskl.models.units.norm import build_activation, build_norm


class UnitTCN(nn.Module):
    """A convolution over time, then normalisation and dropout.

    Yan et al., "Spatial temporal graph convolutional networks", AAAI 2018, section 3.2.

    Args:
        in_channels: Channels C of the input.
        out_channels: Channels C' of the output.
        kernel_size: Number of frames, odd.
        stride: Step in frames.
        dilation: Distance between the kernel's frames.
        norm: Normalisation, see :func:`pyskl.models.units.norm.build_norm`.
        dropout: Probability that a value is dropped in training.

    Attributes:
        fast: Whether the unit may take the fast path, see :class:`pyskl.models.units.UnitGCN`.

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
        norm: str | Mapping[str, Any] | None = "BN",
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
        self.fast = True

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, T, V) to (N, C', T', V)."""
        if self.fast and takes_fast_path(x, self.conv) and self._is_short:
            return self._forward_fast(x)
        return self.drop(self.bn(self.conv(x)))

    @property
    def _is_short(self) -> bool:
        conv = self.conv
        return conv.dilation[0] == 1 and takes_taps(conv.kernel_size[0], conv.stride[0])

    def _forward_fast(self, x: Tensor) -> Tensor:
        """Compute :meth:`forward` as :mod:`pyskl.models.cpu.temporal` does."""
        conv = self.conv
        x = frames_first(x)
        if conv.kernel_size[0] == 1:
            y = pointwise_conv(x, conv)
        else:
            padding = (conv.kernel_size[0] - 1) // 2
            y = temporal_conv(x, conv.weight, conv.bias, conv.stride[0], padding)
        return self.drop(features(normalise(y, self.bn)))


class MultiScaleTCN(nn.Module):
    """Branches of several dilations, a max-pool and a 1x1 convolution side by side (ST-GCN++).

    Duan et al., "PYSKL: towards good practices for skeleton action recognition", ACM MM 2022,
    section 3.1.

    Each branch is C' // B wide, B the number of branches, and the first takes the remainder. Every
    branch but a ``'1x1'`` begins with a 1x1 convolution, norm and activation. The branches are
    joined by norm, activation, a 1x1 convolution, norm and dropout.

    Args:
        in_channels: Channels C of the input.
        out_channels: Channels C' of the output.
        stride: Step in frames.
        ms_cfg: The branches: ``(kernel size, dilation)``, ``('max', kernel size)`` or ``'1x1'``.
        norm: Normalisation, see :func:`pyskl.models.units.norm.build_norm`.
        act: Activation, see :func:`pyskl.models.units.norm.build_activation`.
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
        norm: str | Mapping[str, Any] | None = "BN",
        act: str | Mapping[str, Any] | None = "ReLU",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        width = out_channels // max(len(ms_cfg), 1)
        if width < 1 or not ms_cfg:
            raise ConfigError(
                f"ms_cfg has {len(ms_cfg)} branches, expected 1 to {out_channels}, the number of "
                "channels"
            )
        first = out_channels - width * (len(ms_cfg) - 1)

        # Names and order are those of published checkpoints.
        self.branches = nn.ModuleList(
            _branch(cfg, in_channels, first if number == 0 else width, stride, norm, act)
            for number, cfg in enumerate(ms_cfg)
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
        y = torch.cat([branch(x) for branch in self.branches], dim=1)  # N, C', T', V
        return self.drop(self.bn(self.transform(y)))


def _branch(
    cfg: Any,
    in_channels: int,
    channels: int,
    stride: int,
    norm: str | Mapping[str, Any] | None,
    act: str | Mapping[str, Any] | None,
) -> nn.Module:
    """Return one branch of :class:`MultiScaleTCN`: (N, C, T, V) → (N, ``channels``, T', V)."""
    if cfg == "1x1":
        return nn.Conv2d(in_channels, channels, 1, stride=(stride, 1))
    if isinstance(cfg, str) or not isinstance(cfg, Sequence) or len(cfg) != 2:
        raise ConfigError(
            "a branch of ms_cfg is (kernel size, dilation), ('max', kernel size) or '1x1', found "
            f"{cfg!r}"
        )
    head = (
        nn.Conv2d(in_channels, channels, 1),
        build_norm(norm, channels),
        build_activation(act),
    )
    if cfg[0] == "max":
        size = _check_kernel(cfg[1])
        pool = nn.MaxPool2d((size, 1), stride=(stride, 1), padding=(size // 2, 0))
        return nn.Sequential(*head, pool)
    size, dilation = _check_kernel(cfg[0]), cfg[1]
    conv = UnitTCN(channels, channels, size, stride=stride, dilation=dilation, norm=None)
    conv.fast = False  # narrow, and beside branches that are not
    return nn.Sequential(*head, conv)


def _check_kernel(size: Any) -> int:
    if not isinstance(size, int) or size < 1 or size % 2 == 0:
        raise ConfigError(f"a kernel over time has an odd number of frames, found {size!r}")
    return size
