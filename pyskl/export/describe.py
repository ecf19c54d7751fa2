"""Make the metadata of an exported model from its config and modules."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import nn

import pyskl
from pyskl.datasets.dataset_tree import first_with
from pyskl.datasets.label_names import names_of_data
from pyskl.errors import ConfigError, InputError
from pyskl.files.hashing import sha256_of
from pyskl.inference.torch_recognizer import layout_of_model
from pyskl.registry import PIPELINES
from pyskl.runtime.metadata import ModelMetadata, field_errors, layout_fields, streams_of
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
    """Return the metadata of a recognizer that is to be exported.

    Args:
        cfg: The config, with ``data.test``.
        model: The recognizer.
        checkpoint: The file with its weights.
        precision: Of the weights in the exported file.
        labels: The names of the classes; None takes those of ``data.test``, if they are known.

    Raises:
        ConfigError: if the test pipeline is missing, or can't be stored as plain data.
        InputError: if the number of names is wrong, or the model's input shape is unknown.
    """
    dataset = first_with(cfg, "test")
    pipeline = tuple(_plain_data(number, one) for number, one in enumerate(dataset["pipeline"]))
    backbone: Any = model.backbone
    classes = _size(model.cls_head, "num_classes")
    fixed_persons = getattr(backbone, "data_bn_type", None) == "MVC"
    shape = (
        "N",
        _size(backbone, "num_person") if fixed_persons else "M",
        "T",
        _size(getattr(backbone, "graph", None), "num_node"),
        _size(backbone, "in_channels"),
    )
    names = labels or names_of_data(dataset, classes)
    if names is not None and len(names) != classes:
        raise InputError(
            "wrong number of class names",
            key="--labels",
            found=len(names),
            expected=f"{classes}, one in each line",
        )
    try:
        return ModelMetadata(
            num_classes=classes,
            input_shape=shape,  # type: ignore[arg-type]
            pipeline=pipeline,
            average_clips=getattr(model, "average_clips", "prob"),
            layout=layout_of_model(model),
            labels=None if names is None else tuple(names),
            streams=streams_of(pipeline),
            precision=precision,  # type: ignore[arg-type]
            checkpoint_sha256=None if checkpoint is None else sha256_of(checkpoint),
            toolbox=f"pyskl {pyskl.__version__}",
        )
    except ValidationError as error:
        raise ConfigError("the model can't be exported", errors=field_errors(error)) from error


def _size(part: Any, name: str) -> int:
    found = getattr(part, name, None)
    if not isinstance(found, int):
        raise InputError(
            f"an exported model needs {name}, which {type(part).__name__} does not have", key=name
        )
    return found


def _plain_data(number: int, transform: Any) -> dict[str, Any]:
    """Return a transform's config as JSON data that refers to no file."""
    if not isinstance(transform, Mapping):
        raise ConfigError(
            "this transform can't be stored in the file",
            key=f"data.test.pipeline.{number}",
            found=type(transform).__name__,
            expected="dict(type=NAME, ...)",
        )
    arguments = dict(transform)
    for key in _LAYOUT_KEYS:
        if isinstance(arguments.get(key), (str, Path)) and str(arguments[key]).endswith(".json"):
            arguments[key] = resolve_layout(arguments[key])
    kind = arguments.get("type")
    if isinstance(kind, type):
        names = (name for name in PIPELINES.names() if PIPELINES.get(name) is kind)
        arguments["type"] = next(names, kind)
    try:
        plain: dict[str, Any] = json.loads(json.dumps(arguments, allow_nan=False, default=_default))
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"this transform can't be stored in the file: {error}",
            key=f"data.test.pipeline.{number}",
            found=str(kind),
        ) from error
    return plain


def _default(value: Any) -> Any:
    """Convert objects that configs may hold; for :func:`json.dumps`."""
    if isinstance(value, SkeletonLayout):
        return layout_fields(value)
    if hasattr(value, "tolist"):  # NumPy
        return value.tolist()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"{type(value).__name__} is not plain data")
