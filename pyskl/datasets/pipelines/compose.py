"""A pipeline: transforms applied one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyskl.datasets.randomness import is_keyed, seeded_globals
from pyskl.errors import ConfigError
from pyskl.registry import PIPELINES

Transform = Callable[[dict[str, Any]], dict[str, Any]]


class Compose:
    """Apply transforms in order.

    Args:
        transforms: Configs (``dict(type=NAME, ...)``) or callables that take and return a sample.

    Raises:
        ConfigError: if an entry is neither, or its config is faulty.

    Example:
        >>> import numpy as np
        >>> pipeline = Compose([dict(type='GenSkeFeat', dataset='coco', feats=['b'])])
        >>> sample = dict(keypoint=np.ones((1, 8, 17, 2), np.float32), total_frames=8)
        >>> float(np.abs(pipeline(sample)['keypoint']).max())
        0.0
    """

    def __init__(self, transforms: Sequence[Mapping[str, Any] | Transform]) -> None:
        self.transforms: list[Transform] = []
        for position, transform in enumerate(transforms):
            if isinstance(transform, Mapping):
                transform = PIPELINES.build(transform)
            if not callable(transform):
                raise ConfigError(
                    f"entry {position} of the pipeline should be dict(type=...) or a callable, "
                    f"found {type(transform).__name__}"
                )
            self.transforms.append(transform)

    def __call__(self, sample: dict[str, Any]) -> dict[str, Any]:
        """Return the sample after all transforms."""
        for transform in self.transforms:
            if is_keyed() and not _is_built_in(transform):
                with seeded_globals():
                    sample = transform(sample)
            else:
                sample = transform(sample)
            if sample is None:
                raise ValueError(f"{_name(transform)} returned None instead of the sample")
        return sample

    def __repr__(self) -> str:
        return f"Compose([{', '.join(map(_name, self.transforms))}])"


def _name(transform: Transform) -> str:
    return getattr(transform, "__name__", type(transform).__name__)


def _is_built_in(transform: Transform) -> bool:
    """Whether the transform is one of ours, which draw from their sample's generator only."""
    return type(transform).__module__.startswith("pyskl.")
