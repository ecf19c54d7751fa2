"""A pipeline: transforms applied one after the other."""

from __future__ import annotations

import copy
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

    The arrays of the sample may be read-only: a data set hands out its own. The built-in
    transforms never write into an array that they are given, they put new ones in its place. The
    first transform that is not built-in receives a private copy of the whole sample instead, so
    that it and those after it may change arrays in place.

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
            # Nested pipelines become part of this one, which then makes at most one private copy.
            self.transforms.extend(
                transform.transforms if type(transform) is Compose else [transform]
            )

    def __call__(self, sample: dict[str, Any]) -> dict[str, Any]:
        """Return the sample after all transforms."""
        private = False
        for transform in self.transforms:
            if _is_built_in(transform):
                sample = transform(sample)
            else:
                if not private:
                    sample = copy.deepcopy(sample)
                    private = True
                sample = _apply_foreign(transform, sample)
            if sample is None:
                raise ValueError(f"{_name(transform)} returned None instead of the sample")
        return sample

    def __repr__(self) -> str:
        return f"Compose([{', '.join(map(_name, self.transforms))}])"


def is_deterministic(transform: Transform) -> bool:
    """Return whether a transform depends on nothing but the sample.

    Such a transform draws nothing and does the same in training and testing, so that a data set
    may apply it once, ahead of time. Its class says so by a ``deterministic = True`` of its own; a
    subclass does not inherit the promise, which it may well break.
    """
    return bool(vars(type(transform)).get("deterministic", False))


def _apply_foreign(transform: Transform, sample: dict[str, Any]) -> dict[str, Any]:
    """Apply a transform of the user's, which may draw from the global generators."""
    if not is_keyed():
        return transform(sample)
    with seeded_globals():
        return transform(sample)


def _name(transform: Transform) -> str:
    return getattr(transform, "__name__", type(transform).__name__)


def _is_built_in(transform: Transform) -> bool:
    """Whether the transform is one of ours, which draw from their sample's generator only."""
    return type(transform).__module__.startswith("pyskl.")
