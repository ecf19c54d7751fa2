"""Parameters, operations and activations of a model by layer, counted in one forward pass.

A multiplication and the addition that follows are two operations (FLOP). Only convolutions and
matrix products (:mod:`torch.utils.flop_counter`) of the forward pass for one clip count. Norms and
means are counted separately, as published figures include them: two multiply-adds per normalised
number and one per averaged number. Activation functions, maxima and sums are not counted.

Shapes: M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

_aten = torch.ops.aten
# Multiply-adds for each number that an operation reads.
_NORMS_AND_MEANS = {
    _aten.native_batch_norm: 2,
    _aten._native_batch_norm_legit: 2,
    _aten.native_layer_norm: 2,
    _aten.native_group_norm: 2,
    _aten.mean: 1,
    _aten._adaptive_avg_pool2d: 1,
    _aten._adaptive_avg_pool3d: 1,
    _aten.avg_pool2d: 1,
    _aten.avg_pool3d: 1,
}


@dataclass(frozen=True)
class LayerCost:
    """The cost of a module without its submodules.

    Attributes:
        name: As in ``named_modules()``; empty for the model itself.
        kind: The name of its class.
        parameters: Its own parameters.
        flops: FLOP of the forward pass for one clip.
        activations: Numbers that its convolutions and matrix products return.
        norms: Multiply-adds of norms and means, which are not part of ``flops``.
        output: Shape of the tensor that it returns, (N, ...); None if it returns something else.
    """

    name: str
    kind: str
    parameters: int
    flops: int
    activations: int
    norms: int
    output: tuple[int, ...] | None


@dataclass(frozen=True)
class ModelCost:
    """The cost of a model for one clip.

    Attributes:
        layers: In the order of the model, without those that cost nothing.
        shape: The shape (M, T, V, C) of the input.
        parameters: All parameters, each counted once.
        trainable: Those with ``requires_grad``.
        device: Where the pass ran: ``'meta'``, which computes shapes only, or ``'cpu'``.
    """

    layers: tuple[LayerCost, ...]
    shape: tuple[int, ...]
    parameters: int
    trainable: int
    device: str

    @property
    def flops(self) -> int:
        """FLOP of the forward pass."""
        return sum(layer.flops for layer in self.layers)

    @property
    def step_flops(self) -> int:
        """FLOP of a training step.

        The backward pass takes twice as many as the forward pass: the gradients of both factors of
        each product. What a network computes again to save memory is not counted.
        """
        return 3 * self.flops

    @property
    def multiply_adds(self) -> int:
        """Pairs of a multiplication and an addition: half the FLOP."""
        return self.flops // 2

    @property
    def norms(self) -> int:
        """Multiply-adds of norms and means."""
        return sum(layer.norms for layer in self.layers)

    @property
    def activations(self) -> int:
        """Numbers that convolutions and matrix products return."""
        return sum(layer.activations for layer in self.layers)


def model_cost(model: nn.Module, shape: Sequence[int]) -> ModelCost:
    """Count what a recognizer computes for one clip.

    The pass runs on the ``meta`` device, which takes almost no time, or on the CPU for models that
    need values. It runs on a copy of the model.

    Args:
        model: A recognizer with ``predict``, or any module that takes (N, M, T, V, C).
        shape: (M, T, V, C).

    Raises:
        ValueError: if the model does not take this shape.

    Example:
        >>> from pyskl.models import build_model
        >>> head = dict(type='GCNHead', num_classes=60, in_channels=256)
        >>> graph = dict(layout='nturgb+d', mode='stgcn_spatial')
        >>> config = dict(type='RecognizerGCN', backbone=dict(type='STGCN', graph_cfg=graph),
        ...               cls_head=head)
        >>> model_cost(build_model(config), (2, 100, 25, 3)).parameters
        3098832
    """
    shape = tuple(shape)
    device = "meta"
    try:
        layers = _count(model, shape, device)
    except Exception as meta_error:  # a model that needs values may raise anything
        device = "cpu"
        try:
            layers = _count(model, shape, device)
        except Exception as error:
            raise ValueError(
                f"the model takes no input (M, T, V, C) = {shape}: {error}"
            ) from meta_error
    parameters = list(model.parameters())
    return ModelCost(
        layers,
        shape,
        parameters=sum(parameter.numel() for parameter in parameters),
        trainable=sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        device=device,
    )


def _count(model: nn.Module, shape: tuple[int, ...], device: str) -> tuple[LayerCost, ...]:
    model = copy.deepcopy(model).eval().to(device)
    counter = _OperationCounter(model)
    predict: Any = getattr(model, "predict", model)
    with torch.no_grad(), counter:
        predict(torch.zeros((1, *shape), device=device))  # N, M, T, V, C
    layers = (
        LayerCost(
            name,
            type(module).__name__,
            sum(parameter.numel() for parameter in module.parameters(recurse=False)),
            counter.flops[name],
            counter.activations[name],
            counter.norms[name],
            counter.outputs.get(name),
        )
        for name, module in model.named_modules()
    )
    return tuple(layer for layer in layers if layer.parameters or layer.flops or layer.norms)


class _OperationCounter(TorchDispatchMode):
    """Counts operations for the innermost module that is running.

    :class:`torch.utils.flop_counter.FlopCounterMode` counts a module with its submodules, and
    neither norms nor activations, so only its formulas are used here.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.flops: Counter[str] = Counter()
        self.activations: Counter[str] = Counter()
        self.norms: Counter[str] = Counter()
        self.outputs: dict[str, tuple[int, ...]] = {}
        self._running = [""]
        for name, module in model.named_modules():
            module.register_forward_pre_hook(lambda *_, name=name: self._running.append(name))
            module.register_forward_hook(lambda *args, name=name: self._leave(name, args[-1]))

    def _leave(self, name: str, output: Any) -> None:
        self._running.pop()
        if isinstance(output, Tensor):
            self.outputs[name] = tuple(output.shape)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name, packet = self._running[-1], func._overloadpacket
        formula = flop_registry.get(packet)
        if packet in _NORMS_AND_MEANS:
            self.norms[name] += _NORMS_AND_MEANS[packet] * args[0].numel()
        elif formula is None:
            with self:  # count a composite operation by its parts
                out = func.decompose(*args, **kwargs)
            if out is not NotImplemented:
                return out
        out = func(*args, **kwargs)
        if formula is not None:
            self.flops[name] += int(formula(*args, **kwargs, out_val=out))
            self.activations[name] += sum(
                leaf.numel() for leaf in tree_leaves(out) if isinstance(leaf, Tensor)
            )
        return out
