"""Parameters, operations and activations of any model by layer, counted in one forward pass.

:mod:`pyskl.models.cost` counts ST-GCN from its modules, without running it; this counts what torch
is asked to compute, so it knows every module there is. The two agree (``tests/models``).

A multiplication and the addition that follows are two operations (FLOP). Counted are convolutions
and products of matrices, forward, for one clip. Norms and means stand apart: other tools, and so
published figures, count two multiply-adds for a number that is normalised and one for a number that
is averaged. Activations, maxima and sums are not counted.

Shapes: M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from pyskl.models.cpu import plain_path

# Multiply-adds for each number that an operation reads.
_NORMS = ("native_batch_norm", "_native_batch_norm_legit", "native_layer_norm", "native_group_norm")
_MEANS = ("mean", "_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "avg_pool2d", "avg_pool3d")
_EACH = {
    getattr(torch.ops.aten, name): each
    for names, each in ((_NORMS, 2), (_MEANS, 1))
    for name in names
    if hasattr(torch.ops.aten, name)
}


@dataclass(frozen=True)
class LayerCost:
    """What a module computes itself, without the modules in it.

    Attributes:
        name: By dots, as in ``named_modules()``; empty for the model itself.
        kind: Its class.
        parameters: Of its own.
        flops: Of the forward pass, for one clip.
        activations: Numbers that its convolutions and products of matrices yield.
        norms: Multiply-adds of norms and means, which are not among ``flops``.
        output: Shape of what it returns, (N, ...); None for what is no tensor.
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
    """What a model computes for one clip.

    Attributes:
        layers: In the order of the model; those that have nothing of their own are left out.
        shape: Of the input (M, T, V, C).
        parameters: All, each counted once.
        trainable: Those that training changes.
        device: Where the pass was run: ``'meta'``, which computes shapes only, or ``'cpu'``.
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
    def multiply_adds(self) -> int:
        """Pairs of a multiplication and an addition: half the FLOP."""
        return self.flops // 2

    @property
    def norms(self) -> int:
        """Multiply-adds of norms and means."""
        return sum(layer.norms for layer in self.layers)

    @property
    def activations(self) -> int:
        """Numbers that convolutions and products of matrices yield."""
        return sum(layer.activations for layer in self.layers)


def model_cost(model: nn.Module, shape: Sequence[int]) -> ModelCost:
    """Count what a recognizer computes for one clip.

    The pass is run on the ``meta`` device, which takes no time; on the CPU for models that look at
    numbers on their way. The model is copied and stays as it is.

    Args:
        model: With ``predict``, as recognizers have it, or anything that takes (N, M, T, V, C).
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
    copied = copy.deepcopy(model).eval()
    first: Exception | None = None
    for device in ("meta", "cpu"):
        try:
            counter = _counted_pass(copied.to(device), shape, device)
        except Exception as error:  # whatever a model may raise where numbers are missing
            if device == "cpu":
                raise ValueError(f"the model takes no input (M, T, V, C) = {shape}: {error}") from (
                    first or error
                )
            first, copied = error, copy.deepcopy(model).eval()
        else:
            break
    layers = tuple(
        layer
        for name, module in copied.named_modules()
        if _has_something(layer := _layer(name, module, counter))
    )
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return ModelCost(
        layers,
        shape,
        sum(size for size, _ in sizes),
        sum(size for size, trained in sizes if trained),
        device,
    )


def _counted_pass(model: nn.Module, shape: tuple[int, ...], device: str) -> _Counter:
    counter = _Counter()
    keypoint = torch.zeros((1, *shape), device=device)  # N, M, T, V, C
    predict: Any = getattr(model, "predict", model)
    with counter.watching(model), torch.no_grad(), plain_path(), counter:
        predict(keypoint)
    return counter


class _Counter(TorchDispatchMode):
    """Counts operations for the innermost module that is running."""

    def __init__(self) -> None:
        super().__init__()
        self._formulas = FlopCounterMode(display=False).flop_registry
        self._running: list[str] = []
        self.flops: dict[str, int] = {}
        self.activations: dict[str, int] = {}
        self.norms: dict[str, int] = {}
        self.outputs: dict[str, tuple[int, ...]] = {}

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """Know which module is running."""
        handles = []
        for name, module in model.named_modules():
            handles.append(module.register_forward_pre_hook(self._entering(name)))
            handles.append(module.register_forward_hook(self._leaving(name)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _entering(self, name: str) -> Callable[..., None]:
        return lambda *_: self._running.append(name)

    def _leaving(self, name: str) -> Callable[..., None]:
        def leave(module: nn.Module, arguments: Any, output: Any) -> None:
            self._running.pop()
            if isinstance(output, Tensor):
                self.outputs[name] = tuple(output.shape)

        return leave

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation, and count it if it is a convolution or a product of matrices."""
        kwargs = kwargs or {}
        packet = getattr(func, "_overloadpacket", None)
        formula = self._formulas.get(packet)
        name = self._running[-1] if self._running else ""
        if packet in _EACH:
            self.norms[name] = self.norms.get(name, 0) + _EACH[packet] * args[0].numel()
        elif formula is None and hasattr(func, "decompose"):
            with self:  # those that are made of others are counted as these
                found = func.decompose(*args, **kwargs)
            if found is not NotImplemented:
                return found
        out = func(*args, **kwargs)
        if formula is not None:
            size = sum(leaf.numel() for leaf in tree_leaves(out) if isinstance(leaf, Tensor))
            flops = int(formula(*args, **kwargs, out_val=out))
            self.flops[name] = self.flops.get(name, 0) + flops
            self.activations[name] = self.activations.get(name, 0) + size
        return out


def _layer(name: str, module: nn.Module, counter: _Counter) -> LayerCost:
    return LayerCost(
        name,
        type(module).__name__,
        sum(parameter.numel() for parameter in module.parameters(recurse=False)),
        counter.flops.get(name, 0),
        counter.activations.get(name, 0),
        counter.norms.get(name, 0),
        counter.outputs.get(name),
    )


def _has_something(layer: LayerCost) -> bool:
    return bool(layer.parameters or layer.flops or layer.norms)
