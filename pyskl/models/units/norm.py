"""Normalisation and activation layers by the names that configs use.

``SyncBN`` becomes :class:`torch.nn.SyncBatchNorm`, which fails in a training by several processes
on the CPU; call :func:`replace_sync_batchnorm` on the model before such a training.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from pyskl.errors import ConfigError, did_you_mean

# All names that a config may use. Those of mmcv are looked up in its registry's table alone, as the
# registry's own look-up imports and calls whatever a dotted name, or `_scope_`, says.
_NORMS: dict[str, type[nn.Module]] = {
    "BN": nn.BatchNorm2d,
    "BN1d": nn.BatchNorm1d,
    "BN2d": nn.BatchNorm2d,
    "BN3d": nn.BatchNorm3d,
    "SyncBN": nn.SyncBatchNorm,
    "GN": nn.GroupNorm,
    "LN": nn.LayerNorm,
    "IN": nn.InstanceNorm2d,
    "IN1d": nn.InstanceNorm1d,
    "IN2d": nn.InstanceNorm2d,
    "IN3d": nn.InstanceNorm3d,
}
_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "ReLU": nn.ReLU,
    "LeakyReLU": nn.LeakyReLU,
    "PReLU": nn.PReLU,
    "RReLU": nn.RReLU,
    "ReLU6": nn.ReLU6,
    "ELU": nn.ELU,
    "Sigmoid": nn.Sigmoid,
    "Tanh": nn.Tanh,
    "SiLU": nn.SiLU,
    "GELU": nn.GELU,
    "HSwish": nn.Hardswish,
}
_ACTIVATIONS_OF_MMCV = ("Clamp", "Clip", "HSigmoid", "Swish")


def build_norm(norm: str | Mapping[str, Any] | None, channels: int) -> nn.Module:
    """Build the layer that normalises (N, C, T, V).

    Args:
        norm: 'BN', 'SyncBN', 'GN' or another of mmcv's names of normalisations; or
            ``dict(type=name or class, **arguments)``, where ``requires_grad=False`` freezes the
            layer; or None for no normalisation.
        channels: Number of channels C.

    Raises:
        ConfigError: for a name or arguments that don't make a layer.
    """
    if norm is None:
        return nn.Identity()
    kind, arguments = _type_and_arguments("norm", norm)
    cls = _norm_class(kind) if isinstance(kind, str) else kind
    trainable = arguments.pop("requires_grad", True)
    layer: nn.Module
    try:
        if cls is nn.GroupNorm:  # whose first argument is the number of groups
            layer = cls(**{**arguments, "num_channels": channels})
        else:
            layer = cls(channels, **arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"norm {norm!r} makes no layer: {error}") from error
    for parameter in layer.parameters():
        parameter.requires_grad_(trainable)
    return layer


def build_activation(act: str | Mapping[str, Any] | None) -> nn.Module:
    """Build an activation.

    Args:
        act: 'ReLU', 'HSwish' or another of mmcv's names of activations; or
            ``dict(type=name or class, **arguments)``; or None for no activation. 'ReLU' works in
            place.

    Raises:
        ConfigError: for a name or arguments that don't make a layer.
    """
    if act is None:
        return nn.Identity()
    kind, arguments = _type_and_arguments("act", act)
    if kind == "ReLU":
        arguments.setdefault("inplace", True)
    cls = _activation_class(kind) if isinstance(kind, str) else kind
    try:
        return cls(**arguments)
    except (TypeError, ValueError) as error:
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


def _type_and_arguments(
    what: str, cfg: str | Mapping[str, Any]
) -> tuple[str | type[nn.Module], dict[str, Any]]:
    if isinstance(cfg, str):
        return cfg, {}
    kind = cfg.get("type") if isinstance(cfg, Mapping) else None
    is_layer = isinstance(kind, type) and issubclass(kind, nn.Module)
    if not isinstance(cfg, Mapping) or not (isinstance(kind, str) or is_layer):
        raise ConfigError(f"{what} is a name or dict(type=name, ...), found {cfg!r}")
    arguments = dict(cfg)
    return arguments.pop("type"), arguments


def _norm_class(name: str) -> type[nn.Module]:
    if name not in _NORMS:
        raise ConfigError(f"norm {name!r} is no layer{did_you_mean(name, _NORMS)}")
    return _NORMS[name]


def _activation_class(name: str) -> type[nn.Module]:
    if name in _ACTIVATIONS:
        return _ACTIVATIONS[name]
    if name not in _ACTIVATIONS_OF_MMCV:
        names = (*_ACTIVATIONS, *_ACTIVATIONS_OF_MMCV)
        raise ConfigError(f"act {name!r} is no layer{did_you_mean(name, names)}")
    import mmcv.cnn  # noqa: F401 - takes seconds, and registers them
    from mmengine.registry import MODELS

    return MODELS.module_dict[name]
