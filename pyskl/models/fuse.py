"""Fold BatchNorm into convolutions, for testing."""

from __future__ import annotations

import itertools

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pyskl.models.units.tcn import UnitTCN


def fuse_conv_bn(model: nn.Module) -> int:
    """Fold each BatchNorm that directly follows a convolution into it, in place.

    In evaluation mode a BatchNorm is a scale and a shift per channel, which a convolution can
    absorb. Those after a graph product stay, as the shift does not commute with the product.

    Args:
        model: A model in evaluation mode; it can't be trained, or loaded into, afterwards.

    Returns:
        How many were folded.
    """
    folded = 0
    for module in list(model.modules()):
        children = list(module.named_children())
        if not isinstance(module, (UnitTCN, nn.Sequential)):
            continue
        for (conv_name, conv), (norm_name, norm) in itertools.pairwise(children):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.modules.batchnorm._BatchNorm):
                setattr(module, conv_name, fuse_conv_bn_eval(conv, norm))
                setattr(module, norm_name, nn.Identity())
                folded += 1
    return folded
