"""ST-GCN and, by its options, ST-GCN++.

Shapes: N batch, M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from pyskl.errors import ConfigError, did_you_mean
from pyskl.models.cpu.parts import activate
from pyskl.models.units import GCN_UNITS, TCN_UNITS, UnitGCN, UnitTCN
from pyskl.registry import BACKBONES
from pyskl.skeleton import Graph

# What a block itself sets of a unit, and so no option of the backbone.
_SET_BY_BLOCK = ("in_channels", "out_channels", "A", "stride")
_UNITS = {"gcn": GCN_UNITS, "tcn": TCN_UNITS}


class STGCNBlock(nn.Module):
    """A graph convolution, a temporal convolution and a residual: relu(tcn(gcn(x)) + res(x)).

    Args:
        in_channels: Channels C of the input.
        out_channels: Channels C' of the output.
        A: The adjacency (K, V, V).
        stride: Step in frames.
        residual: Whether there is a residual: the input itself where shapes agree, else a 1x1
            convolution with the stride, and a norm.
        gcn_type: The graph convolution, a key of :data:`pyskl.models.units.GCN_UNITS`.
        tcn_type: The temporal convolution, a key of :data:`pyskl.models.units.TCN_UNITS`.
        gcn_options: Further arguments of the graph convolution.
        tcn_options: Further arguments of the temporal convolution.

    Raises:
        ConfigError: for an unknown ``gcn_type`` or ``tcn_type``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        A: Tensor | np.ndarray,
        stride: int = 1,
        residual: bool = True,
        gcn_type: str = "unit_gcn",
        tcn_type: str = "unit_tcn",
        gcn_options: Mapping[str, Any] | None = None,
        tcn_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        gcn, tcn = _unit("gcn", gcn_type), _unit("tcn", tcn_type)
        self.gcn = gcn(in_channels, out_channels, A, **(gcn_options or {}))
        self.tcn = tcn(out_channels, out_channels, stride=stride, **(tcn_options or {}))
        self.relu = nn.ReLU(inplace=True)
        self.residual: nn.Module | None = None
        if residual and (in_channels != out_channels or stride != 1):
            self.residual = UnitTCN(in_channels, out_channels, kernel_size=1, stride=stride)
        elif residual:
            self.residual = nn.Identity()
        if not isinstance(self.tcn, UnitTCN):
            for unit in (self.gcn, self.residual):
                if isinstance(unit, (UnitGCN, UnitTCN)):
                    unit.fast = False

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, T, V) to (N, C', T', V), T' = ⌈T / stride⌉."""
        y = self.tcn(self.gcn(x))
        if self.residual is not None:
            y = y + self.residual(x)
        return activate(y, self.relu)


@BACKBONES.register_module()
class STGCN(nn.Module):
    """The spatial temporal graph convolutional network.

    Yan et al., "Spatial temporal graph convolutional networks for skeleton-based action
    recognition", AAAI 2018. With ``gcn_adaptive='init', gcn_with_res=True, tcn_type='mstcn'`` and
    the graph mode ``'spatial'`` it is ST-GCN++ of Duan et al., "PYSKL", ACM MM 2022.

    Further keywords, all optional, reach the units of the blocks by their prefix:

    - ``gcn_type`` ('unit_gcn') and ``tcn_type`` ('unit_tcn' or 'mstcn') choose the units;
    - ``gcn_NAME`` is the argument NAME of the graph convolution, as ``gcn_adaptive``, ``gcn_norm``
      (:class:`pyskl.models.units.UnitGCN`);
    - ``tcn_NAME`` is the argument NAME of the temporal convolution, as ``tcn_dropout``,
      ``tcn_ms_cfg`` (:class:`pyskl.models.units.UnitTCN`, ``MultiScaleTCN``). ``tcn_dropout`` never
      applies to the first block.

    A tuple of exactly ``num_stages`` entries gives one value per block; anything else, lists too,
    is the value of all blocks. Where blocks differ in type, an option reaches those that take it.

    Args:
        graph_cfg: The arguments of :class:`pyskl.skeleton.Graph`, or a graph.
        in_channels: Channels C of the keypoints.
        base_channels: Channels of the first blocks.
        data_bn_type: ``'VC'``: the keypoints are normalised by batch statistics for each joint and
            channel; ``'MVC'``: for each person, joint and channel; anything else: not normalised.
        ch_ratio: Factor of the channels at each of ``inflate_stages``.
        num_person: Number of persons M, used by ``data_bn_type='MVC'``.
        num_stages: Number of blocks. The first one lifts C to ``base_channels``; where they are
            equal it is left out, and there is one block less.
        inflate_stages: Blocks, counted from 1, that widen the channels.
        down_stages: Blocks, counted from 1, that halve the number of frames.
        pretrained: Not used: a config names the weights to start from in ``load_from``.
        **kwargs: The prefixed options.

    Raises:
        ConfigError: for unknown options (with the nearest right one) and values out of range.

    Example:
        >>> import torch
        >>> model = STGCN(dict(layout='coco', mode='stgcn_spatial'), base_channels=8)
        >>> model(torch.zeros(2, 1, 16, 17, 3)).shape  # N, M, T, V, C → N, M, C', T', V
        torch.Size([2, 1, 32, 4, 17])
    """

    def __init__(
        self,
        graph_cfg: Mapping[str, Any] | Graph,
        in_channels: int = 3,
        base_channels: int = 64,
        data_bn_type: str | None = "VC",
        ch_ratio: float = 2,
        num_person: int = 2,
        num_stages: int = 10,
        inflate_stages: Sequence[int] = (5, 8),
        down_stages: Sequence[int] = (5, 8),
        pretrained: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if pretrained is not None:
            raise ConfigError(
                f"STGCN: pretrained={pretrained!r} is not supported; name the weights to start "
                "from in the config's load_from"
            )
        _check_numbers(
            in_channels=in_channels,
            base_channels=base_channels,
            num_person=num_person,
            num_stages=num_stages,
        )
        if ch_ratio <= 0:
            raise ConfigError(f"STGCN: ch_ratio is above 0, found {ch_ratio!r}")
        inflate = _check_stages("inflate_stages", inflate_stages)
        down = _check_stages("down_stages", down_stages)
        options = self._options_of_blocks(kwargs, num_stages)

        self.graph = _build_graph(graph_cfg)
        self.in_channels = in_channels
        self.base_channels = base_channels
        self.num_person = num_person
        self.data_bn_type = data_bn_type
        num_joints = self.graph.num_node
        self.data_bn: nn.Module
        if data_bn_type == "VC":
            self.data_bn = nn.BatchNorm1d(num_joints * in_channels)
        elif data_bn_type == "MVC":
            self.data_bn = nn.BatchNorm1d(num_person * num_joints * in_channels)
        else:
            self.data_bn = nn.Identity()

        A = self.graph.A
        blocks = []
        if in_channels != base_channels:
            blocks.append(
                STGCNBlock(in_channels, base_channels, A, residual=False, **options[0]),
            )
        channels = base_channels
        inflated = 0
        for stage in range(2, num_stages + 1):
            inflated += stage in inflate
            # The small term keeps a product such as 2.9999999 from being cut to 2.
            width = int(base_channels * ch_ratio**inflated + 1e-4)
            stride = 2 if stage in down else 1
            blocks.append(STGCNBlock(channels, width, A, stride=stride, **options[stage - 1]))
            channels = width
        self.out_channels = channels
        self.gcn = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the features of keypoints.

        Args:
            x: Keypoints (N, M, T, V, C), floating point; absent persons are zeros.

        Returns:
            (N, M, C', T', V); T' is T halved, rounded up, at each of ``down_stages``.

        Raises:
            ValueError: where the shape does not fit the layout or the model.
        """
        self._check_input(x)
        N, M, T, V, C = x.shape
        # Contiguous, as batch norm rounds a strided view differently: by 1e-6 of the values, but
        # that is enough for a training to leave the original's path.
        x = x.permute(0, 1, 3, 4, 2).contiguous()  # N, M, V, C, T
        if self.data_bn_type == "VC":
            x = self.data_bn(x.reshape(N * M, V * C, T))
        elif self.data_bn_type == "MVC":
            x = self.data_bn(x.reshape(N, M * V * C, T))
        x = x.reshape(N * M, V, C, T).permute(0, 2, 3, 1)  # N·M, C, T, V
        for block in self.gcn:
            x = block(x)
        return x.unflatten(0, (N, M))  # N, M, C', T', V

    @classmethod
    def extra_options(cls, given: Mapping[str, Any]) -> dict[str, inspect.Parameter]:
        """Return the prefixed options that the chosen units take.

        Args:
            given: The arguments of an :class:`STGCN`; ``gcn_type``, ``tcn_type`` and
                ``num_stages`` are read.

        Returns:
            Name with prefix → the parameter (keyword only, with the unit's default and annotation).

        Raises:
            ConfigError: for an unknown unit.
        """
        options = {}
        defaults = inspect.signature(STGCNBlock).parameters
        num_stages = given.get(
            "num_stages", inspect.signature(cls).parameters["num_stages"].default
        )
        for prefix in _UNITS:
            key = f"{prefix}_type"
            options[key] = defaults[key].replace(kind=inspect.Parameter.KEYWORD_ONLY)
            chosen = given.get(key, defaults[key].default)
            for kind in chosen if _per_block(chosen, num_stages) else (chosen,):
                for name, parameter in inspect.signature(_unit(prefix, kind)).parameters.items():
                    if name not in _SET_BY_BLOCK:
                        option = f"{prefix}_{name}"
                        options[option] = parameter.replace(
                            name=option, kind=inspect.Parameter.KEYWORD_ONLY
                        )
        return options

    @classmethod
    def _options_of_blocks(cls, given: Mapping[str, Any], num_stages: int) -> list[dict[str, Any]]:
        """Split prefixed options into the keywords of each :class:`STGCNBlock`.

        This is the only place that takes them apart.
        """
        allowed = cls.extra_options({**given, "num_stages": num_stages})
        own = [name for name in inspect.signature(cls).parameters if name != "kwargs"]
        unknown = [
            f"unknown option {name!r}{did_you_mean(name, (*allowed, *own))}"
            for name in given
            if name not in allowed
        ]
        if unknown:
            raise ConfigError("STGCN: " + "; ".join(unknown))
        blocks = []
        for number in range(num_stages):
            values = {
                name: value[number] if _per_block(value, num_stages) else value
                for name, value in given.items()
            }
            if number == 0:
                values.pop("tcn_dropout", None)
            takes = cls.extra_options(values)  # now with this block's types alone
            block: dict[str, Any] = {}
            for prefix in _UNITS:
                key = f"{prefix}_type"
                if key in values:
                    block[key] = values.pop(key)
                block[f"{prefix}_options"] = {
                    name.removeprefix(f"{prefix}_"): value
                    for name, value in values.items()
                    if name.startswith(f"{prefix}_") and name in takes
                }
            blocks.append(block)
        return blocks

    def _check_input(self, x: Tensor) -> None:
        V, C = self.graph.num_node, self.in_channels
        if x.dim() != 5 or x.shape[3:] != (V, C):
            raise ValueError(
                f"STGCN takes keypoints (N, M, T, V={V}, C={C}) of the layout "
                f"{self.graph.layout.name!r}, found the shape {tuple(x.shape)}"
            )
        if self.data_bn_type == "MVC" and x.shape[1] != self.num_person:
            raise ValueError(
                f"STGCN with data_bn_type='MVC' takes M={self.num_person} persons (num_person), "
                f"found {x.shape[1]}"
            )


def _unit(prefix: str, kind: Any) -> type[nn.Module]:
    units = _UNITS[prefix]
    if not isinstance(kind, str) or kind not in units:
        raise ConfigError(f"there is no {prefix}_type {kind!r}{did_you_mean(str(kind), units)}")
    return units[kind]


def _per_block(value: Any, num_stages: Any) -> bool:
    return isinstance(value, tuple) and len(value) == num_stages


def _build_graph(graph_cfg: Mapping[str, Any] | Graph) -> Graph:
    if isinstance(graph_cfg, Graph):
        return graph_cfg
    if not isinstance(graph_cfg, Mapping):
        raise ConfigError(
            f"graph_cfg is a dict such as dict(layout='coco', mode='spatial'), found {graph_cfg!r}"
        )
    known = inspect.signature(Graph).parameters
    unknown = [
        f"unknown key {key!r}{did_you_mean(str(key), known)}"
        for key in graph_cfg
        if key not in known
    ]
    if unknown:
        raise ConfigError("graph_cfg: " + "; ".join(unknown))
    return Graph(**graph_cfg)


def _check_numbers(**values: Any) -> None:
    for name, value in values.items():
        if not isinstance(value, int) or value < 1:
            raise ConfigError(f"STGCN: {name} is a whole number from 1 on, found {value!r}")


def _check_stages(name: str, stages: Any) -> tuple[int, ...]:
    if (
        isinstance(stages, str)
        or not isinstance(stages, Sequence)
        or not all(isinstance(stage, int) and stage >= 2 for stage in stages)
    ):
        raise ConfigError(
            f"STGCN: {name} is a list of block numbers from 2 on (the first block neither widens "
            f"nor strides), found {stages!r}"
        )
    return tuple(stages)
