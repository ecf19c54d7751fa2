"""The small parts of the fast path: 1x1 convolution, normalisation, activation.

Shapes: N batch (persons folded in), T frames, V joints, C channels.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from pyskl.models.cpu.layout import features, frames_first
from pyskl.models.cpu.path import has_hooks

# Each of these treats a channel by itself, and all values in it alike.
_PER_CHANNEL = (nn.modules.batchnorm._BatchNorm.forward, nn.SyncBatchNorm.forward)


def pointwise_conv(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """Apply a 1x1 convolution, with its stride in frames, to (T, V, N, C)."""
    return F.linear(x[:: conv.stride[0]], conv.weight[:, :, 0, 0], conv.bias)


def normalise(x: Tensor, norm: nn.Module) -> Tensor:
    """Apply a norm to contiguous (T, V, N, C).

    Where each channel is normalised by itself, N and T may change places, and the result is an
    image in torch's channels-last order, for which its batch norm is quick.
    """
    if isinstance(norm, nn.Identity) and not has_hooks(norm):
        return x
    if type(norm).forward in _PER_CHANNEL and not has_hooks(norm):
        return norm(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    return frames_first(norm(features(x)))


def activate(x: Tensor, act: nn.Module) -> Tensor:
    """Apply an activation to (N, C, T, V) of any order in memory.

    Of a view, such as :func:`pyskl.models.cpu.layout.features` returns, autograd copies the
    gradient where a ReLU worked in place, which costs more than a new result.
    """
    if type(act) is nn.ReLU and x._is_view() and not has_hooks(act):
        return F.relu(x)
    return act(x)
