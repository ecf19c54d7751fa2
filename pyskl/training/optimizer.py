"""Build an optimizer of :mod:`torch.optim` from its config."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from pyskl.errors import ConfigError, did_you_mean


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


def build_optimizer(model: nn.Module, cfg: Mapping[str, Any]) -> Optimizer:
    """Build an optimizer over all parameters of a model.

    Args:
        model: The model, on the device where it will train.
        cfg: ``dict(type='SGD', lr=..., ...)``: a class of :mod:`torch.optim` and its arguments.
            On a GPU the fused variant is used if the class has one: the same update in one kernel,
            and ``--amp fp16`` does not synchronise with the host.
    """
    arguments = dict(cfg)
    cls = optimizer_class(arguments.pop("type", None))
    on_gpu = next(model.parameters()).is_cuda
    if on_gpu and cls in _FUSED and not (_EXCLUDE_FUSED & arguments.keys()):
        arguments["fused"] = True
    optimizer = cls(model.parameters(), **arguments)
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
