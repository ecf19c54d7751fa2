"""The base class of graph backbones: input and data normalisation, stages, unit options.

Shapes: N batch, M persons, T frames, V joints, C channels, K graph subsets.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pyskl.errors import ConfigError, did_you_mean
from pyskl.skeleton import Graph

# Arguments of a unit that its block sets; they are not options of the backbone.
_SET_BY_BLOCK = ("in_channels", "out_channels", "A", "stride")


@dataclass(frozen=True)
class Stage:
    """The shape of one block.

    Attributes:
        number: Counted from 1.
        in_channels: Channels C of its input.
        out_channels: Channels C' of its output.
        stride: Step in frames.
    """

    number: int
    in_channels: int
    out_channels: int
    stride: int


class GraphBackbone(nn.Module):
    """The base class of backbones on skeleton graphs.

    It holds the graph, checks and normalises the keypoints, and folds the persons into the batch.
    A subclass builds its blocks, usually one for each of :func:`block_stages`, and runs them in
    :meth:`features`; ``docs/models.md`` shows how.

    If :attr:`units` is set, the backbone takes options by prefix: ``gcn_type`` selects a class of
    ``units['gcn']``, and ``gcn_NAME`` is the argument NAME of that class. :meth:`block_units` turns
    these options into the units of each block.

    Args:
        graph_cfg: The arguments of :class:`pyskl.skeleton.Graph`, or a graph.
        in_channels: Channels C of the keypoints.
        data_bn_type: ``'VC'`` normalises the keypoints by batch statistics of each joint and
            channel, ``'MVC'`` by those of each person, joint and channel; other values don't
            normalise.
        num_person: Number of persons M, used by ``'MVC'``.
        pretrained: Not supported; use ``load_from`` of the config.
        with_cp: Save memory in training: keep only the inputs of the parts that :meth:`run` runs,
            and compute them again in the backward pass (Chen et al., "Training deep nets with
            sublinear memory cost", 2016). The results are the same.

    Attributes:
        units: Prefix → name of a type → class. The first type of each prefix is the default.

    Raises:
        ConfigError: for values out of range.
    """

    units: ClassVar[Mapping[str, Mapping[str, type[nn.Module]]]] = {}

    def __init__(
        self,
        graph_cfg: Mapping[str, Any] | Graph,
        in_channels: int = 3,
        data_bn_type: str | None = "VC",
        num_person: int = 2,
        pretrained: str | None = None,
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        if pretrained is not None:
            raise ConfigError(
                "weights of a backbone alone can't be loaded",
                key="pretrained",
                found=pretrained,
                hint="name the weights to start from in the config's load_from",
            )
        check_positive(in_channels=in_channels, num_person=num_person)
        self.graph = _build_graph(graph_cfg)
        self.in_channels = in_channels
        self.num_person = num_person
        self.data_bn_type = data_bn_type
        self.with_cp = with_cp
        features = {
            "VC": self.graph.num_node * in_channels,
            "MVC": num_person * self.graph.num_node * in_channels,
        }.get(data_bn_type or "")
        self.data_bn = nn.Identity() if features is None else nn.BatchNorm1d(features)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the features of keypoints.

        Args:
            x: Keypoints (N, M, T, V, C), floating point. Absent persons are zeros.

        Returns:
            (N, M, C', T', V).

        Raises:
            ValueError: if the shape does not fit the layout or the model.
        """
        V, C = self.graph.num_node, self.in_channels
        if x.dim() != 5 or x.shape[3:] != (V, C):
            raise ValueError(
                f"{type(self).__name__} takes keypoints (N, M, T, V={V}, C={C}) of the layout "
                f"{self.graph.layout.name!r}, found the shape {tuple(x.shape)}"
            )
        N, M, T, _, _ = x.shape
        if self.data_bn_type == "MVC" and self.num_person != M:
            raise ValueError(
                f"{type(self).__name__} with data_bn_type='MVC' takes M={self.num_person} persons "
                f"(num_person), found {M}"
            )
        # Batch norm rounds a strided view differently (by 1e-6), enough for training to diverge
        # from that of the published weights.
        x = x.permute(0, 1, 3, 4, 2).contiguous()  # N, M, V, C, T
        if self.data_bn_type == "VC":
            x = self.data_bn(x.view(N * M, V * C, T))
        elif self.data_bn_type == "MVC":
            x = self.data_bn(x.view(N, M * V * C, T))
        x = x.reshape(N * M, V, C, T).permute(0, 2, 3, 1)  # N·M, C, T, V
        return self.features(x).unflatten(0, (N, M))  # N, M, C', T', V

    def features(self, x: Tensor) -> Tensor:
        """Map the normalised keypoints (N·M, C, T, V) to the features (N·M, C', T', V)."""
        raise NotImplementedError

    def run(self, part: nn.Module, x: Tensor) -> Tensor:
        """Return ``part(x)``, keeping only x for the backward pass if ``with_cp`` is set."""
        if not (self.with_cp and self.training and torch.is_grad_enabled()):
            return part(x)
        return checkpoint(
            part,
            x,
            use_reentrant=False,
            context_fn=lambda: (nullcontext(), _statistics_kept(part)),
        )

    @classmethod
    def extra_options(cls, given: Mapping[str, Any]) -> dict[str, inspect.Parameter]:
        """Return the prefixed options of the selected units, for the config check.

        Args:
            given: Arguments of the backbone; the types and ``num_stages`` are read.

        Returns:
            Name with its prefix → the parameter (keyword only, with the unit's default and
            annotation).

        Raises:
            ConfigError: for an unknown type.
        """
        num_stages = given.get("num_stages")
        if num_stages is None and cls.units:
            num_stages = inspect.signature(cls).parameters["num_stages"].default
        options = {}
        for prefix, types in cls.units.items():
            key = f"{prefix}_type"
            selected = given.get(key, next(iter(types)))
            options[key] = inspect.Parameter(
                key, inspect.Parameter.KEYWORD_ONLY, default=next(iter(types)), annotation=str
            )
            per_block = _is_per_block(selected, num_stages)
            for name in selected if per_block else (selected,):
                unit = cls._unit(prefix, name)
                options |= {
                    f"{prefix}_{argument}": parameter.replace(
                        name=f"{prefix}_{argument}", kind=inspect.Parameter.KEYWORD_ONLY
                    )
                    for argument, parameter in inspect.signature(unit).parameters.items()
                    if argument not in _SET_BY_BLOCK
                }
        return options

    @classmethod
    def block_units(
        cls, given: Mapping[str, Any], num_stages: int
    ) -> list[dict[str, Callable[..., nn.Module]]]:
        """Return the units of each block with their options.

        A tuple of ``num_stages`` values holds one value per block. Anything else, including a list,
        applies to all blocks. If blocks differ in type, an option applies to those that take it.
        ``tcn_dropout`` never applies to the first block.

        Args:
            given: The prefixed options.
            num_stages: Number of blocks.

        Returns:
            For each block, prefix → the class of the unit with its options filled in.

        Raises:
            ConfigError: for unknown options.
        """
        options = cls.extra_options({**given, "num_stages": num_stages})
        arguments = [name for name in inspect.signature(cls).parameters if name != "kwargs"]
        unknown = [
            ConfigError(
                "unknown option",
                key=name,
                hint=did_you_mean(name, (*options, *arguments)).removeprefix("; "),
            )
            for name in given
            if name not in options
        ]
        if unknown:
            raise ConfigError(f"{cls.__name__} has unknown options", errors=unknown)
        blocks: list[dict[str, Callable[..., nn.Module]]] = []
        for index in range(num_stages):
            values = {
                name: value[index] if _is_per_block(value, num_stages) else value
                for name, value in given.items()
            }
            if index == 0:
                values.pop("tcn_dropout", None)
            units: dict[str, Callable[..., nn.Module]] = {}
            for prefix, types in cls.units.items():
                unit = cls._unit(prefix, values.get(f"{prefix}_type", next(iter(types))))
                units[prefix] = partial(
                    unit,
                    **{
                        name: values[f"{prefix}_{name}"]
                        for name in inspect.signature(unit).parameters
                        if f"{prefix}_{name}" in values
                    },
                )
            blocks.append(units)
        return blocks

    @classmethod
    def _unit(cls, prefix: str, name: Any) -> type[nn.Module]:
        types = cls.units[prefix]
        if not isinstance(name, str) or name not in types:
            hint = did_you_mean(str(name), types).removeprefix("; ")
            raise ConfigError("unknown type of a unit", key=f"{prefix}_type", found=name, hint=hint)
        return types[name]


def block_stages(
    in_channels: int,
    base_channels: int,
    ch_ratio: float,
    num_stages: int,
    inflate_stages: Sequence[int],
    down_stages: Sequence[int],
) -> list[Stage]:
    """Return the blocks of a network with growing channels and temporal strides.

    Args:
        in_channels: Channels C of the keypoints.
        base_channels: Channels of the first blocks. The first block maps C to them, and is left
            out if they are equal.
        ch_ratio: Factor of the channels at each of ``inflate_stages``.
        num_stages: Number of blocks.
        inflate_stages: Blocks, counted from 1, that widen the channels.
        down_stages: Blocks, counted from 1, that halve the number of frames.

    Raises:
        ConfigError: for values out of range.
    """
    check_positive(base_channels=base_channels, num_stages=num_stages)
    if ch_ratio <= 0:
        raise ConfigError("wrong number", key="ch_ratio", found=ch_ratio, expected="more than 0")
    for key, numbers in (("inflate_stages", inflate_stages), ("down_stages", down_stages)):
        if isinstance(numbers, str) or not (
            isinstance(numbers, Sequence)
            and all(isinstance(number, int) and number >= 2 for number in numbers)
        ):
            raise ConfigError(
                "wrong stages",
                key=key,
                found=numbers,
                expected="a list of block numbers from 2 on",
                hint="the first block neither widens nor strides",
            )
    stages = []
    if in_channels != base_channels:
        stages.append(Stage(1, in_channels, base_channels, stride=1))
    channels, inflated = base_channels, 0
    for number in range(2, num_stages + 1):
        inflated += number in inflate_stages
        # 1e-4 keeps a product such as 2.9999999 from being truncated to 2.
        width = int(base_channels * ch_ratio**inflated + 1e-4)
        stages.append(Stage(number, channels, width, stride=2 if number in down_stages else 1))
        channels = width
    return stages


def check_positive(**values: Any) -> None:
    """Check that arguments are whole numbers from 1 on.

    Raises:
        ConfigError: for the first argument that is not.
    """
    for name, value in values.items():
        if not isinstance(value, int) or value < 1:
            raise ConfigError(
                "wrong number", key=name, found=value, expected="a whole number from 1 on"
            )


@contextmanager
def _statistics_kept(module: nn.Module) -> Iterator[None]:
    """Keep the running statistics of batch norms, which the first computation has updated."""
    norms = [
        (norm, norm.momentum, norm.num_batches_tracked)
        for norm in module.modules()
        if isinstance(norm, nn.modules.batchnorm._BatchNorm)
    ]
    for norm, _, _ in norms:  # without running statistics it would save other tensors
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, momentum, count in norms:
            norm.momentum, norm.num_batches_tracked = momentum, count


def _is_per_block(value: Any, num_stages: Any) -> bool:
    return isinstance(value, tuple) and len(value) == num_stages


def _build_graph(graph_cfg: Mapping[str, Any] | Graph) -> Graph:
    if isinstance(graph_cfg, Graph):
        return graph_cfg
    if not isinstance(graph_cfg, Mapping):
        raise ConfigError(
            "not a graph",
            key="graph_cfg",
            found=graph_cfg,
            expected="a dict such as dict(layout='coco', mode='spatial')",
        )
    known = inspect.signature(Graph).parameters
    for key in graph_cfg:
        if key not in known:
            hint = did_you_mean(str(key), known).removeprefix("; ")
            raise ConfigError("unknown argument of a graph", key=f"graph_cfg.{key}", hint=hint)
    return Graph(**graph_cfg)
