"""Normalisation and activation layers by the names that configs use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pyskl.errors import ConfigError, did_you_mean

LayerConfig: TypeAlias = str | Mapping[str, Any] | None


def _clamp(min: float = -1.0, max: float = 1.0) -> nn.Module:
    return nn.Hardtanh(min, max)


# The names are mmcv's, as configs of PYSKL use them.
_NORMS: dict[str, Callable[..., nn.Module]] = {
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
_ACTIVATIONS: dict[str, Callable[..., nn.Module]] = {
    "ReLU": partial(nn.ReLU, inplace=True),
    "LeakyReLU": nn.LeakyReLU,
    "PReLU": nn.PReLU,
    "RReLU": nn.RReLU,
    "ReLU6": nn.ReLU6,
    "ELU": nn.ELU,
    "Sigmoid": nn.Sigmoid,
    "Tanh": nn.Tanh,
    "SiLU": nn.SiLU,
    "Swish": nn.SiLU,
    "GELU": nn.GELU,
    "HSwish": nn.Hardswish,
    "HSigmoid": nn.Hardsigmoid,
    "Clamp": _clamp,
    "Clip": _clamp,
}


def build_norm(norm: LayerConfig, channels: int) -> nn.Module:
    """Build the layer that normalises (N, C, T, V).

    Args:
        norm: ``'BN'``, ``'SyncBN'``, ``'GN'`` or another name of a normalisation; or
            ``dict(type=name or class, **arguments)``, where ``requires_grad=False`` freezes the
            layer; or None for no normalisation.
        channels: Number of channels C.

    Raises:
        ConfigError: for an unknown name or wrong arguments.
    """
    if norm is None:
        return nn.Identity()
    cls, arguments = _class_and_arguments("norm", norm, _NORMS)
    trainable = arguments.pop("requires_grad", True)
    if cls is nn.GroupNorm:  # the only one whose first argument is not the number of channels
        layer = _build("norm", cls, **{**arguments, "num_channels": channels})
    else:
        layer = _build("norm", cls, channels, **arguments)
    return layer.requires_grad_(trainable)


def build_activation(act: LayerConfig) -> nn.Module:
    """Build an activation.

    Args:
        act: ``'ReLU'``, ``'HSwish'`` or another name of an activation; or
            ``dict(type=name or class, **arguments)``; or None for no activation. ``'ReLU'`` works
            in place.

    Raises:
        ConfigError: for an unknown name or wrong arguments.
    """
    if act is None:
        return nn.Identity()
    cls, arguments = _class_and_arguments("act", act, _ACTIVATIONS)
    return _build("act", cls, **arguments)


def _class_and_arguments(
    key: str, cfg: LayerConfig, known: Mapping[str, Callable[..., nn.Module]]
) -> tuple[Callable[..., nn.Module], dict[str, Any]]:
    arguments = dict(cfg) if isinstance(cfg, Mapping) else {"type": cfg}
    kind = arguments.pop("type", None)
    if isinstance(kind, str):
        if kind not in known:
            hint = did_you_mean(kind, known).removeprefix("; ")
            raise ConfigError("unknown layer", key=key, found=kind, hint=hint)
        return known[kind], arguments
    if isinstance(kind, type) and issubclass(kind, nn.Module):
        return kind, arguments
    raise ConfigError("not a layer", key=key, found=cfg, expected="a name or dict(type=name, ...)")


def _build(key: str, cls: Callable[..., nn.Module], *args: Any, **arguments: Any) -> nn.Module:
    try:
        return cls(*args, **arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"wrong arguments: {error}", key=key, found=arguments) from error


def init_he_out(module: nn.Module) -> None:
    """Set the start of training for all convolutions and batch norms inside a module.

    Weights of convolutions are normal with the variance 2 / fan-out (He et al., "Delving deep into
    rectifiers", ICCV 2015), those of batch norms are 1, biases 0.
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.affine:
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)


def weights_of(convs: Iterable[nn.Module]) -> tuple[list[Tensor], list[Tensor]]:
    """Return the weights and the biases of convolutions, to compute several of them as one."""
    typed = [cast(nn.Conv2d, conv) for conv in convs]
    return [conv.weight for conv in typed], [cast(Tensor, conv.bias) for conv in typed]


def recomputed(function: Callable[..., Tensor], *inputs: Any) -> Tensor:
    """Return ``function(*inputs)``, computed again in the backward pass instead of kept.

    For cheap steps with large results, where it also saves time: memory that is not taken need not
    be written. The function draws no random numbers and has no batch norm.
    """
    if not torch.is_grad_enabled():
        return function(*inputs)
    result: Tensor = checkpoint(function, *inputs, use_reentrant=False, preserve_rng_state=False)
    return result
