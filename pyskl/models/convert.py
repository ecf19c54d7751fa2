"""Change the layers of a model that is already built.

Layers that remain keep their names in the state dict.
"""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pyskl.models.backbones.temporal import UnitTCN

_BatchNorm = nn.modules.batchnorm._BatchNorm


def replace_sync_batchnorm(model: nn.Module) -> nn.Module:
    """Replace each SyncBatchNorm of ``model`` by a local batch norm with the same parameters.

    SyncBatchNorm can't train in several processes on the CPU. Names in the state dict stay the
    same. In a single process both layers compute the same.

    Returns:
        ``model``, changed in place; or the new layer if ``model`` itself is a SyncBatchNorm.
    """
    if isinstance(model, nn.SyncBatchNorm):
        layer = _LocalBatchNorm(
            model.num_features, model.eps, model.momentum, model.affine, model.track_running_stats
        )
        layer._parameters.update(model._parameters)
        layer._buffers.update(model._buffers)
        return layer.train(model.training)
    for name, child in model.named_children():
        setattr(model, name, replace_sync_batchnorm(child))
    return model


class _LocalBatchNorm(_BatchNorm):
    """A batch norm that takes inputs of any rank, as SyncBatchNorm does."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"batch norm takes (N, C, ...), found the shape {tuple(input.shape)}")


def fuse_conv_bn(model: nn.Module) -> int:
    """Fold each BatchNorm that directly follows a convolution into it, in place.

    In evaluation mode a BatchNorm is a scale and a shift per channel, which a convolution can
    absorb. A BatchNorm after a graph product stays: the shift does not commute with the product.

    Args:
        model: A model in evaluation mode. It can neither be trained nor load weights afterwards.

    Returns:
        The number of folded layers.
    """
    folded = 0
    for module in list(model.modules()):
        if not isinstance(module, (UnitTCN, nn.Sequential)):  # they apply their children in order
            continue
        for (conv_name, conv), (bn_name, bn) in itertools.pairwise(list(module.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(bn, _BatchNorm):
                setattr(module, conv_name, fuse_conv_bn_eval(conv, bn))
                setattr(module, bn_name, nn.Identity())
                folded += 1
    return folded
