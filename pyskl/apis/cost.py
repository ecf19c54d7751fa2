"""What the model of a config computes for one clip, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from pyskl.config import load_config
from pyskl.datasets.nested import with_key
from pyskl.datasets.pipelines import FormatGCNInput
from pyskl.errors import ConfigError, InputError
from pyskl.models import build_model
from pyskl.models.cost import ModelCost, model_cost
from pyskl.text_table import text_table

# The keys by which transforms say how many frames a clip has, and how many persons.
_FRAMES, _PERSONS = ("clip_len", "length"), "num_person"


@dataclass(frozen=True)
class CostReport:
    """What a config's model costs.

    Attributes:
        config: Its path.
        cost: The cost.
        clips: Of each sample in ``data.test``, which all have to be computed.
    """

    config: str
    cost: ModelCost
    clips: int

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        names = ("flops", "multiply_adds", "norms", "activations")
        return {**asdict(self), **{name: getattr(self.cost, name) for name in names}}

    def text(self, *, depth: int | None = None) -> str:
        """Return a table for people.

        Args:
            depth: How many parts of the layers' names to keep apart; None for all.
        """
        cost = self.cost
        rows = [["layer", "kind", "parameters", "multiply-adds", "share", "activations", "output"]]
        rows += [
            [
                name or "(the model itself)",
                kind,
                f"{parameters:,}",
                f"{flops // 2:,}",
                f"{flops / cost.flops:.1%}" if cost.flops else "-",
                f"{activations:,}",
                "x".join(map(str, output)) if output else "",
            ]
            for name, kind, parameters, flops, activations, output in _folded(cost, depth)
            if parameters or flops or activations  # others, such as a dropout, tell nothing
        ]
        M, T, V, C = cost.shape
        frozen = cost.parameters - cost.trainable
        return (
            f"{self.config}: one clip of (M, T, V, C) = ({M}, {T}, {V}, {C})\n"
            f"{text_table(rows, left=2)}\n"
            f"parameters     {cost.parameters:,}"
            + (f" ({frozen:,} frozen)" if frozen else "")
            + "\n"
            f"multiply-adds  {cost.multiply_adds:,} ({cost.multiply_adds / 1e9:.3f} G), "
            f"{cost.flops / 1e9:.3f} GFLOP; with norms and means "
            f"{(cost.multiply_adds + cost.norms) / 1e9:.3f} G\n"
            f"activations    {cost.activations:,}\n"
            "Counted: convolutions and products of matrices, forward. A sample of data.test has "
            f"{self.clips} clip{'s' if self.clips > 1 else ''}."
        )


def cost_from_config(
    config: str | Path | Mapping[str, Any] | Config,
    *,
    clip_len: int | None = None,
    persons: int | None = None,
    joints: int | None = None,
    channels: int | None = None,
    cfg_options: Sequence[str] = (),
) -> CostReport:
    """Do what ``tools/analysis/flops.py`` does.

    Args:
        config: The config, or its path.
        clip_len: Frames T of a clip; by default what the pipeline of ``data.test`` says.
        persons: Persons M; likewise.
        joints: Joints V; by default those of the backbone's graph.
        channels: Channels C; by default the backbone's ``in_channels``.
        cfg_options: ``key=value`` overrides.

    Raises:
        ConfigError: for faults of the config.
        InputError: for a size that neither the config nor the caller tells, or that the model
            does not take.
    """
    cfg = load_config(config, cfg_options)
    if cfg.get("model") is None:
        raise ConfigError(f"{cfg.filename or 'the config'}: model is missing")
    model = build_model(cfg.model)
    backbone: Any = getattr(model, "backbone", model)
    pipeline = _test_pipeline(cfg)
    graph = getattr(backbone, "graph", None)
    shape = [
        _size("--persons", persons, _persons(pipeline)),
        _size("--clip-len", clip_len, _stated(pipeline, _FRAMES)),
        _size("--joints", joints, getattr(graph, "num_node", None)),
        _size("--channels", channels, getattr(backbone, "in_channels", None)),
    ]
    try:
        cost = model_cost(model, shape)
    except ValueError as error:
        raise InputError(str(error)) from error
    clips = _stated(pipeline, ("num_clips",)) or 1
    return CostReport(str(cfg.filename or "the config"), cost, clips)


def _persons(pipeline: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the persons that a pipeline makes of every sample."""
    stated = _stated(pipeline, (_PERSONS,))
    formats = any(
        isinstance(one, Mapping) and one.get("type") == "FormatGCNInput" for one in pipeline
    )
    return FormatGCNInput().num_person if stated is None and formats else stated


def _size(option: str, given: int | None, stated: int | None) -> int:
    """Return the size that the caller gives, or else that which the config states."""
    size = stated if given is None else given
    if size is None:
        raise InputError(f"the config does not tell the size of a clip: say {option}")
    if size < 1:
        raise InputError(f"{option} is 1 or more, found {size}")
    return size


def _test_pipeline(cfg: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the pipeline of ``data.test``, else of ``data.train``; empty where there is none."""
    for use in ("test", "train"):
        for found in with_key(cfg, use, "pipeline"):
            return found["pipeline"]
    return ()


def _stated(pipeline: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> int | None:
    """Return the last number that a transform of a pipeline states under one of the keys."""
    found = None
    for transform in pipeline:
        for key in keys:
            if isinstance(transform, Mapping) and isinstance(transform.get(key), int):
                found = transform[key]
    return found


def _folded(cost: ModelCost, depth: int | None) -> list[tuple[Any, ...]]:
    """Return the layers' rows; those whose names agree in the first parts as one."""
    rows: dict[str, tuple[Any, ...]] = {}
    for layer in cost.layers:
        name = ".".join(layer.name.split(".")[:depth])
        whole = name == layer.name
        kind, parameters, flops, activations, output = rows.get(name, ("", 0, 0, 0, None))
        rows[name] = (
            layer.kind if whole else kind,
            parameters + layer.parameters,
            flops + layer.flops,
            activations + layer.activations,
            layer.output if whole else output,
        )
    return [(name, *row) for name, row in rows.items()]
