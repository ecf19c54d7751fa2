"""Build an optimizer of :mod:`torch.optim` from its config."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from pyskl.errors import ConfigError, did_you_mean, nearest


def optimizer_class(name: Any) -> type[Optimizer]:
    """Return the optimizer class of :mod:`torch.optim` called ``name``.

    Raises:
        ConfigError: if there is none.
    """
    classes = {
        key: value
        for key, value in vars(torch.optim).items()
        if inspect.isclass(value) and issubclass(value, Optimizer) and value is not Optimizer
    }
    if not isinstance(name, str) or name not in classes:
        raise ConfigError(f"there is no optimizer {name!r}{did_you_mean(str(name), classes)}")
    return classes[name]


# Classes with a fused GPU variant, and the arguments that exclude it.
_FUSED = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW)
_EXCLUDE_FUSED = {"fused", "foreach", "differentiable"}


@dataclass(frozen=True)
class ParamwiseOptions:
    """``optimizer.paramwise_cfg``: factors of learning rate and weight decay by parameter, as MMCV.

    Attributes:
        custom_keys: Part of a parameter's name → ``dict(lr_mult=..., decay_mult=...)``. Of several
            that a name contains the longest counts; the other factors are not used for it.
        bias_lr_mult: The factor of the learning rate of biases, apart from those of norms.
        bias_decay_mult: That of their weight decay.
        norm_decay_mult: The factor of the weight decay of norms.
        dwconv_decay_mult: That of depth-wise convolutions.
        dcn_offset_lr_mult: Not used: there are no deformable convolutions here.
        bypass_duplicate: Not used: a parameter that has two names counts once anyway.
    """

    custom_keys: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    bias_lr_mult: float = 1.0
    bias_decay_mult: float = 1.0
    norm_decay_mult: float = 1.0
    dwconv_decay_mult: float = 1.0
    dcn_offset_lr_mult: float = 1.0
    bypass_duplicate: bool = False

    def factors(self, model: nn.Module) -> dict[str, tuple[float, float]]:
        """Return the factors of learning rate and weight decay of each parameter.

        Raises:
            ConfigError: for a custom key that no parameter's name contains, or another factor.
        """
        owners = {
            f"{prefix}.{name}".removeprefix("."): module
            for prefix, module in model.named_modules()
            for name, _ in module.named_parameters(recurse=False)
        }
        names = [name for name, _ in model.named_parameters()]
        for key, factors in self.custom_keys.items():
            for factor in factors:
                if factor not in _FACTORS:
                    raise ConfigError(
                        f"there is no such factor{did_you_mean(factor, _FACTORS)}",
                        key=f"paramwise_cfg.custom_keys[{key!r}].{factor}",
                    )
            if not any(key in name for name in names):
                parts = {part for name in names for part in name.split(".")}
                raise ConfigError(
                    f"no parameter's name contains {key!r}",
                    key="paramwise_cfg.custom_keys",
                    hint=f"did you mean {nearest(key, parts)!r}?" if nearest(key, parts) else None,
                )
        keys = sorted(sorted(self.custom_keys), key=len, reverse=True)
        found = {}
        for name in names:
            custom = next((self.custom_keys[key] for key in keys if key in name), None)
            if custom is not None:
                found[name] = (custom.get("lr_mult", 1.0), custom.get("decay_mult", 1.0))
            else:
                found[name] = self._general(owners[name], name.rpartition(".")[2])
        return found

    def _general(self, module: nn.Module, name: str) -> tuple[float, float]:
        """Return the factors of a parameter that no custom key names."""
        is_norm = isinstance(module, _NORMS)
        is_bias = name == "bias"
        lr = self.bias_lr_mult if is_bias and not is_norm else 1.0
        if is_norm:
            return lr, self.norm_decay_mult
        if isinstance(module, nn.modules.conv._ConvNd) and module.in_channels == module.groups:
            return lr, self.dwconv_decay_mult
        return lr, self.bias_decay_mult if is_bias else 1.0


_FACTORS = ("lr_mult", "decay_mult")
_NORMS = (
    nn.modules.batchnorm._BatchNorm,
    nn.modules.instancenorm._InstanceNorm,
    nn.GroupNorm,
    nn.LayerNorm,
)


def parameter_groups(
    model: nn.Module, options: ParamwiseOptions, weight_decay: float | None
) -> list[dict[str, Any]]:
    """Return the parameters of a model in groups of equal factors.

    Args:
        model: The model.
        options: The factors.
        weight_decay: The weight decay of parameters with the factor 1; None for an optimizer
            without weight decay.

    Returns:
        For each group its ``params``, its ``weight_decay``, and ``lr_mult``, by which the trainer
        multiplies the learning rate of each step.

    Raises:
        ConfigError: see :meth:`ParamwiseOptions.factors`.
    """
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    factors = options.factors(model)
    for name, parameter in model.named_parameters():
        lr, decay = factors[name]
        if (lr, decay) not in groups:
            groups[lr, decay] = {"params": [], "lr_mult": lr}
            if weight_decay is not None:
                groups[lr, decay]["weight_decay"] = weight_decay * decay
        groups[lr, decay]["params"].append(parameter)
    return list(groups.values())


def build_optimizer(model: nn.Module, cfg: Mapping[str, Any]) -> Optimizer:
    """Build an optimizer over all parameters of a model.

    Args:
        model: The model, on the device where it will train.
        cfg: ``dict(type='SGD', lr=..., ...)``: a class of :mod:`torch.optim` and its arguments, and
            ``paramwise_cfg``, the :class:`ParamwiseOptions`. On a GPU the fused variant is used if
            the class has one: the same update in one kernel, and ``--amp fp16`` does not
            synchronise with the host.
    """
    arguments = dict(cfg)
    cls = optimizer_class(arguments.pop("type", None))
    arguments.pop("constructor", None)
    paramwise = arguments.pop("paramwise_cfg", None)
    on_gpu = next(model.parameters()).is_cuda
    if on_gpu and cls in _FUSED and not (_EXCLUDE_FUSED & arguments.keys()):
        arguments["fused"] = True
    parameters: Any = model.parameters()
    if paramwise:
        default = inspect.signature(cls).parameters.get("weight_decay")
        decay = arguments.get("weight_decay", None if default is None else default.default)
        parameters = parameter_groups(model, ParamwiseOptions(**paramwise), decay)
    optimizer = cls(parameters, **arguments)
    if arguments.get("fused"):
        _start_momentum(optimizer)
    return optimizer


def _start_momentum(optimizer: Optimizer) -> None:
    """Initialise the momentum of fused SGD with zeros.

    Otherwise it takes uninitialised memory if the first step is skipped for gradients that are not
    finite, as fp16's gradient scaler does while it finds its scale.
    """
    if not isinstance(optimizer, torch.optim.SGD):
        return
    for group in optimizer.param_groups:
        if group["momentum"] and not group["dampening"]:
            for parameter in group["params"]:
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
