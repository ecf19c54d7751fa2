"""Build data sets from configs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyskl.datasets.wrappers import ConcatDataset
from pyskl.registry import DATASETS, PIPELINES

__all__ = ["DATASETS", "PIPELINES", "build_dataset"]


def build_dataset(
    cfg: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    default_args: Mapping[str, Any] | None = None,
) -> Any:
    """Build a data set.

    Args:
        cfg: Its config, ``dict(type='PoseDataset', ...)``; a list of them is concatenated.
        default_args: Arguments used where the config does not give them, such as
            ``dict(test_mode=True)``.

    Raises:
        ConfigError: for an unknown type or argument.
        AnnotationError: if the annotation file is missing or malformed.
    """
    if isinstance(cfg, Sequence) and not isinstance(cfg, str):
        return ConcatDataset([build_dataset(one, default_args) for one in cfg])
    return DATASETS.build(cfg, **(default_args or {}))
