"""Transforms that are applied once, when a pack is made, instead of each time a sample is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyskl.errors import ConfigError
from pyskl.registry import PIPELINES, TransformConfig
from pyskl.skeleton import inlined


def leading_transforms(pipeline: Sequence[TransformConfig | Callable[..., Any]]) -> list[Any]:
    """Return the transforms at a pipeline's start that depend on nothing but the sample.

    These are the ones of this package whose class says ``deterministic = True`` and which are
    given as plain configs.
    """
    leading: list[Any] = []
    if not isinstance(pipeline, (list, tuple)):
        return leading  # a faulty config, told elsewhere
    for transform in pipeline:
        if not isinstance(transform, Mapping) or not isinstance(transform.get("type"), str):
            break
        if transform["type"].removeprefix("pyskl.") not in PIPELINES.names():
            break
        cls = PIPELINES.get(transform["type"])
        if not cls.__module__.startswith("pyskl.") or not vars(cls).get("deterministic", False):
            break
        try:
            transform = _with_layout_read(transform)
        except ConfigError:
            break  # told where the transform is built
        if canonical([transform]) is None:
            break
        leading.append(transform)
    return leading


def _with_layout_read(transform: TransformConfig) -> TransformConfig:
    """Return a transform with the content of a layout file in place of its path.

    A pack is named by what was applied to it: one that was made with another content is another.
    """
    return {key: inlined(value) if key == "layout" else value for key, value in transform.items()}


def canonical(transforms: Sequence[TransformConfig]) -> str | None:
    """Return a text that is the same for equal transforms, or None where there is none."""
    try:
        return json.dumps(list(transforms), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError):
        return None
