"""Build data sets from configs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyskl.datasets.wrappers import ConcatDataset
from pyskl.errors import ConfigError
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
        ConfigError: for an unknown type or argument, or a class that lacks what
            :class:`pyskl.datasets.wrappers.SkeletonDataset` asks for.
        AnnotationError: if the annotation file is missing or malformed.
    """
    if isinstance(cfg, Sequence) and not isinstance(cfg, str):
        return ConcatDataset([build_dataset(one, default_args) for one in cfg])
    dataset = DATASETS.build(cfg, **(default_args or {}))
    # The class first: properties are not to be computed for this.
    lacking = [
        name for name in _ASKED_FOR if not (hasattr(type(dataset), name) or hasattr(dataset, name))
    ]
    if lacking:
        raise ConfigError(
            f"the data set {type(dataset).__name__} lacks {', '.join(lacking)}: derive it from "
            "PoseDataset, or see what pyskl.datasets.wrappers.SkeletonDataset asks for"
        )
    return dataset


_ASKED_FOR = ("__len__", "__getitem__", "labels", "sample_ids", "draw_weights")
