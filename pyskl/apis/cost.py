"""The cost of a config's model for one clip, by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from pyskl.config import load_config
from pyskl.datasets.dataset_tree import with_key
from pyskl.datasets.pipelines import FormatGCNInput
from pyskl.errors import ConfigError, InputError
from pyskl.models import build_model
from pyskl.models.cost import LayerCost, ModelCost, model_cost
from pyskl.text_table import text_table


@dataclass(frozen=True)
class CostReport:
    """What a config's model costs.

    Attributes:
        config: The path of the config.
        cost: The cost of one clip.
        clips: Clips of each sample in ``data.test``.
    """

    config: str
    cost: ModelCost
    clips: int

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values."""
        totals = ("flops", "multiply_adds", "norms", "activations")
        return {**asdict(self), **{name: getattr(self.cost, name) for name in totals}}

    def text(self, *, depth: int | None = None) -> str:
        """Return the report as a text table.

        Args:
            depth: Levels to show; deeper layers are added to their parent. None shows all.
        """
        cost = self.cost
        merged: dict[str, list[LayerCost]] = {}
        for layer in cost.layers:
            merged.setdefault(".".join(layer.name.split(".")[:depth]), []).append(layer)
        rows = [["layer", "kind", "parameters", "multiply-adds", "share", "activations", "output"]]
        for name, layers in merged.items():
            own = layers[0] if layers[0].name == name else None
            parameters = sum(layer.parameters for layer in layers)
            flops = sum(layer.flops for layer in layers)
            if not parameters and not flops:
                continue
            rows.append(
                [
                    name or "(the model itself)",
                    own.kind if own else "",
                    f"{parameters:,}",
                    f"{flops // 2:,}",
                    f"{flops / cost.flops:.1%}" if cost.flops else "-",
                    f"{sum(layer.activations for layer in layers):,}",
                    "x".join(map(str, own.output)) if own and own.output else "",
                ]
            )
        frozen = cost.parameters - cost.trainable
        with_norms = cost.multiply_adds + cost.norms
        return "\n".join(
            [
                f"{self.config}: one clip of (M, T, V, C) = {cost.shape}",
                text_table(rows, left=2),
                f"parameters     {cost.parameters:,}" + (f" ({frozen:,} frozen)" if frozen else ""),
                f"multiply-adds  {cost.multiply_adds:,} ({cost.multiply_adds / 1e9:.3f} G), "
                f"{cost.flops / 1e9:.3f} GFLOP; with norms and means {with_norms / 1e9:.3f} G",
                f"activations    {cost.activations:,}",
                "Counted: convolutions and matrix products of the forward pass. A sample of "
                f"data.test has {self.clips} clip{'s' if self.clips > 1 else ''}.",
            ]
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
        clip_len: Frames T of a clip; by default from the pipeline of ``data.test``.
        persons: Persons M; by default from the same pipeline.
        joints: Joints V; by default those of the backbone's graph.
        channels: Channels C; by default the backbone's ``in_channels``.
        cfg_options: ``key=value`` overrides.

    Raises:
        ConfigError: for errors in the config.
        InputError: for a size that is missing or that the model can't take.
    """
    cfg = load_config(config, cfg_options)
    if cfg.get("model") is None:
        raise ConfigError("missing", file=cfg.filename, key="model")
    model = build_model(cfg.model)
    backbone: Any = getattr(model, "backbone", model)
    pipelines = [
        found["pipeline"] for use in ("test", "train") for found in with_key(cfg, use, "pipeline")
    ]
    transforms = [one for one in (pipelines or [()])[0] if isinstance(one, Mapping)]
    settings: dict[str, int | None] = dict.fromkeys(("num_person", "frames", "num_clips"))
    for transform in transforms:  # the last transform that sets a size wins
        if transform.get("type") == "FormatGCNInput":
            settings["num_person"] = FormatGCNInput().num_person
        for name, keys in (
            ("num_person", ["num_person"]),
            ("frames", ["clip_len", "length"]),
            ("num_clips", ["num_clips"]),
        ):
            for key in keys:
                if isinstance(transform.get(key), int):
                    settings[name] = transform[key]
    shape = []
    for option, given, default in (
        ("--persons", persons, settings["num_person"]),
        ("--clip-len", clip_len, settings["frames"]),
        ("--joints", joints, getattr(getattr(backbone, "graph", None), "num_node", None)),
        ("--channels", channels, getattr(backbone, "in_channels", None)),
    ):
        size = default if given is None else given
        if size is None:
            raise InputError("the config has no such size", key=option, hint=f"pass {option}")
        if size < 1:
            raise InputError("wrong number", key=option, found=size, expected="1 or more")
        shape.append(size)
    try:
        cost = model_cost(model, shape)
    except ValueError as error:
        raise InputError(str(error)) from error
    return CostReport(str(cfg.filename or "config"), cost, settings["num_clips"] or 1)
