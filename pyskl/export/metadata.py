"""From a config, a model and a checkpoint to what the exported file says of itself."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

import pyskl
from pyskl.datasets.dataset_tree import first_with
from pyskl.datasets.label_names import names_of_data
from pyskl.errors import ConfigError, InputError
from pyskl.files.hashing import sha256_of
from pyskl.registry import PIPELINES
from pyskl.runtime.metadata import ModelMetadata, layout_fields
from pyskl.skeleton import SkeletonLayout, resolve_layout

# The arguments of transforms that name a layout.
_LAYOUT_KEYS = ("layout", "dataset")


def describe(
    cfg: Mapping[str, Any],
    model: nn.Module,
    checkpoint: Path | None,
    *,
    precision: str = "fp32",
    labels: Sequence[str] | None = None,
) -> ModelMetadata:
    """Return what the file that a recognizer is exported to says of it.

    Args:
        cfg: The config, with ``data.test``.
        model: The recognizer.
        checkpoint: The file that its weights are from.
        precision: Of the weights in the exported file.
        labels: The classes' names; None takes those of ``data.test``, if they are known.

    Raises:
        ConfigError: if the config has no test pipeline, or one that can't be written down.
        InputError: if there are more or fewer names than classes, or the model does not say what
            it takes.
    """
    dataset = first_with(cfg, "test")
    pipeline = [_plain(number, one) for number, one in enumerate(dataset["pipeline"])]
    shape, layout = _input_shape(model), _layout(model)
    classes = _attribute(model.cls_head, "num_classes")
    if labels is None:
        labels = names_of_data(dataset, classes)
    if labels is not None and len(labels) != classes:
        raise InputError(
            f"there are {len(labels)} names for the {classes} classes of the model; give a file "
            "with one name in each line (--labels FILE)"
        )
    return ModelMetadata(
        num_classes=classes,
        input_shape=shape,
        pipeline=tuple(pipeline),
        average_clips=getattr(model, "average_clips", "prob"),
        layout=layout,
        labels=None if labels is None else tuple(labels),
        streams=_streams(pipeline),
        precision=precision,
        checkpoint_sha256=None if checkpoint is None else sha256_of(checkpoint),
        toolbox=f"pyskl {pyskl.__version__}",
    )


# --- the model ------------------------------------------------------------------------------------


def _attribute(part: Any, name: str) -> Any:
    found = getattr(part, name, None)
    if not isinstance(found, int):
        raise InputError(
            f"{type(part).__name__} has no {name}, which an exported model has to say of itself"
        )
    return found


def _input_shape(model: nn.Module) -> tuple[int | str, ...]:
    """Return (N, M, T, V, C): a number where the axis is fixed, its letter where it is not."""
    backbone: Any = model.backbone
    joints = _attribute(getattr(backbone, "graph", None), "num_node")
    fixed = getattr(backbone, "data_bn_type", None) == "MVC"
    persons: int | str = _attribute(backbone, "num_person") if fixed else "M"
    return ("N", persons, "T", joints, _attribute(backbone, "in_channels"))


def _layout(model: nn.Module) -> SkeletonLayout | None:
    found = getattr(getattr(model.backbone, "graph", None), "layout", None)
    return found if isinstance(found, SkeletonLayout) else None


# --- the pipeline ---------------------------------------------------------------------------------


def _streams(pipeline: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    for transform in pipeline:
        if transform["type"].removeprefix("pyskl.") == "GenSkeFeat":
            return tuple(transform.get("feats", ("j",)))
    return ()


def _plain(number: int, transform: Any) -> dict[str, Any]:
    """Return a transform's config as plain data that stands by itself."""
    if not isinstance(transform, Mapping):
        raise ConfigError(
            f"entry {number} of the test pipeline can't be written into the file: it is a "
            f"{type(transform).__name__}, and only dict(type=NAME, ...) can be"
        )
    arguments = {str(key): _without_files(str(key), value) for key, value in transform.items()}
    kind = arguments.get("type")
    if isinstance(kind, type):
        names = (name for name in PIPELINES.names() if PIPELINES.get(name) is kind)
        arguments["type"] = next(names, kind)
    try:
        plain: dict[str, Any] = json.loads(json.dumps(arguments, allow_nan=False, default=_data))
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"entry {number} of the test pipeline ({kind}) can't be written into the file: {error}"
        ) from error
    return plain


def _without_files(key: str, value: Any) -> Any:
    """Return a layout that is named by a file as what the file holds; else the value itself."""
    if key in _LAYOUT_KEYS and isinstance(value, (str, Path)) and str(value).endswith(".json"):
        return layout_fields(resolve_layout(value))
    return value


def _data(value: Any) -> Any:
    """Return objects that stand in configs as plain data; for :func:`json.dumps`."""
    if isinstance(value, SkeletonLayout):
        return layout_fields(value)
    if hasattr(value, "tolist"):  # of NumPy
        return value.tolist()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"{type(value).__name__} is no plain data")
