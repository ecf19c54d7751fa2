"""Normalisation and activation layers by the names that configs use.

``SyncBN`` becomes :class:`torch.nn.SyncBatchNorm`, which fails in a training by several processes
on the CPU; call :func:`replace_sync_batchnorm` on the model before such a training.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from pyskl.errors import ConfigError

# Resolved here, since importing mmcv.cnn takes seconds.
_NORMS: dict[str, type[nn.Module]] = {
    "BN": nn.BatchNorm2d,
    "BN2d": nn.BatchNorm2d,
    "SyncBN": nn.SyncBatchNorm,
}


def build_norm(norm: str | Mapping[str, Any] | None, channels: int) -> nn.Module:
    """Build the layer that normalises (N, C, T, V).

    Args:
        norm: 'BN', 'SyncBN' or any other name known to ``mmcv.cnn.build_norm_layer``; or
            ``dict(type=name, **arguments)``, where ``requires_grad=False`` freezes the layer; or
            None for no normalisation.
        channels: Number of channels C.

    Raises:
        ConfigError: for a name or arguments that don't make a layer.
    """
    if norm is None:
        return nn.Identity()
    kind, arguments = _type_and_arguments("norm", norm)
    try:
        if kind in _NORMS:
            trainable = arguments.pop("requires_grad", True)
            layer = _NORMS[kind](channels, **arguments)
            for parameter in layer.parameters():
                parameter.requires_grad_(trainable)
            return layer
        from mmcv.cnn import build_norm_layer

        return build_norm_layer({"type": kind, **arguments}, channels)[1]
    except (KeyError, TypeError) as error:
        raise ConfigError(f"norm {norm!r} makes no layer: {error}") from error


def build_activation(act: str | Mapping[str, Any] | None) -> nn.Module:
    """Build an activation.

    Args:
        act: 'ReLU' or any other name known to ``mmcv.cnn.build_activation_layer``; or
            ``dict(type=name, **arguments)``; or None for no activation. 'ReLU' works in place.

    Raises:
        ConfigError: for a name or arguments that don't make a layer.
    """
    if act is None:
        return nn.Identity()
    kind, arguments = _type_and_arguments("act", act)
    try:
        if kind == "ReLU":
            return nn.ReLU(**{"inplace": True, **arguments})
        from mmcv.cnn import build_activation_layer

        return build_activation_layer({"type": kind, **arguments})
    except (KeyError, TypeError) as error:
        raise ConfigError(f"act {act!r} makes no layer: {error}") from error


def replace_sync_batchnorm(model: nn.Module) -> nn.Module:
    """Replace each SyncBatchNorm of ``model`` by a batch norm of the same parameters and buffers.

    Names in the state dict stay. Where there is one process the two compute the same.

    Returns:
        ``model``, changed in place; or the new layer, where ``model`` itself is a SyncBatchNorm.
    """
    if isinstance(model, nn.SyncBatchNorm):
        layer = _LocalBatchNorm(
            model.num_features,
            model.eps,
            model.momentum,
            model.affine,
            model.track_running_stats,
        )
        layer._parameters.update(model._parameters)
        layer._buffers.update(model._buffers)
        return layer.train(model.training)
    for name, child in model.named_children():
        replaced = replace_sync_batchnorm(child)
        if replaced is not child:
            setattr(model, name, replaced)
    return model


class _LocalBatchNorm(nn.modules.batchnorm._BatchNorm):
    """A batch norm that takes inputs of any rank, like the SyncBatchNorm that it stands in for."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"batch norm takes (N, C, ...), found the shape {tuple(input.shape)}")


def _type_and_arguments(what: str, cfg: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    if isinstance(cfg, str):
        return cfg, {}
    if not isinstance(cfg, Mapping) or not isinstance(cfg.get("type"), str):
        raise ConfigError(f"{what} is a name or dict(type=name, ...), found {cfg!r}")
    arguments = dict(cfg)
    return arguments.pop("type"), arguments
