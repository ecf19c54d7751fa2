"""A pipeline: transforms applied one after the other.

A transform comes in one of two forms.

A :class:`BatchTransform` handles a whole batch; see :class:`pyskl.datasets.batch.Batch` for what it
can do. The transforms of this package that training applies to every sample have this form.

Any other callable takes the dict of one sample and returns it. It is called for each sample of a
batch in turn, with arrays of its own that it may overwrite, wherever the batch is made. On a device
this copies the batch to the host and back.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from pyskl.datasets.batch import Batch, Sample
from pyskl.datasets.randomness import current_key
from pyskl.errors import ConfigError, InputError
from pyskl.registry import PIPELINES

Transform = Callable[[Sample], Sample]


class BatchTransform:
    """A transform of whole batches; subclasses define :meth:`apply`.

    Attributes:
        deterministic: Whether the result depends on nothing but the sample: the transform draws
            nothing and does the same in training and testing. A data set computes deterministic
            transforms at the start of its pipeline once. Used only for classes of this package.
        chooses_frames: Whether it sets ``frame_inds``.
        gathers_frames: Whether it gathers the frames ``frame_inds``.
    """

    deterministic: ClassVar[bool] = False
    chooses_frames: ClassVar[bool] = False
    gathers_frames: ClassVar[bool] = False

    def apply(self, batch: Batch) -> None:
        """Change a batch in place."""
        raise NotImplementedError(f"{type(self).__name__} has to define apply")

    def __call__(self, sample: Sample) -> Sample:
        """Return one sample after the transform."""
        batch = _single(sample)
        self.apply(batch)
        return batch.to_samples()[0]


def _single(sample: Sample) -> Batch:
    key = current_key()
    return Batch.from_samples([sample], None if key is None else np.array([key], dtype=np.int64))


class Compose:
    """Apply transforms in order.

    Args:
        transforms: Configs (``dict(type=NAME, ...)``), batch transforms, or callables that take
            and return the dict of a sample.
        first: Position of the first transform in the whole pipeline, as positions separate the
            random numbers of the transforms.

    Raises:
        ConfigError: if an entry is none of these, or its config is invalid.

    Example:
        >>> import numpy as np
        >>> pipeline = Compose([dict(type='GenSkeFeat', dataset='coco', feats=['b'])])
        >>> sample = dict(keypoint=np.ones((1, 8, 17, 2), np.float32), total_frames=8)
        >>> float(np.abs(pipeline(sample)['keypoint']).max())
        0.0
    """

    def __init__(
        self, transforms: Sequence[Mapping[str, Any] | Transform | BatchTransform], first: int = 0
    ) -> None:
        self.first = first
        self.transforms: list[Any] = []
        for position, transform in enumerate(transforms):
            if isinstance(transform, Mapping):
                transform = PIPELINES.build(transform)
            if not callable(transform):
                raise ConfigError(
                    "a transform should be dict(type=...) or a callable",
                    key=f"pipeline[{position}]",
                    found=type(transform).__name__,
                )
            # Nested pipelines become part of this one.
            self.transforms.extend(
                transform.transforms if type(transform) is Compose else [transform]
            )
        self._check_frames()

    def _check_frames(self) -> None:
        """Check that the chosen frames are gathered once: a second time would take others."""
        chosen, gathered = False, ""
        for position, transform in enumerate(self.transforms, self.first):
            if getattr(transform, "chooses_frames", False):
                chosen, gathered = True, ""
            elif gathered and getattr(transform, "gathers_frames", False):
                raise ConfigError(
                    f"{gathered} has gathered the chosen frames already",
                    key=f"pipeline[{position}]",
                    found=transform_name(transform),
                    hint=f"leave out {transform_name(transform)}, or use UniformSample before it",
                )
            if chosen and getattr(transform, "gathers_frames", False):
                gathered = transform_name(transform)

    def apply(self, batch: Batch) -> Batch:
        """Return the batch after all transforms."""
        for position, transform in enumerate(self.transforms, self.first):
            batch.position = position
            # A subclass of the user's may override __call__ only.
            if isinstance(transform, BatchTransform) and (
                type(transform).__call__ is BatchTransform.__call__
            ):
                transform.apply(batch)
            else:
                batch = _apply_to_each(transform, batch)
        return batch

    def __call__(self, sample: Sample) -> Sample:
        """Return one sample after all transforms."""
        if not self.transforms:
            return sample
        return self.apply(_single(sample)).to_samples()[0]

    def assumptions(self, joints: int, without_size: int) -> list[str]:
        """Return what transforms assume about the data, each with the option that states it.

        Args:
            joints: V.
            without_size: The number of samples without ``img_shape``.
        """
        asked = (getattr(transform, "assumption", None) for transform in self.transforms)
        texts = (ask(joints, without_size) for ask in asked if ask is not None)
        return [text for text in texts if text is not None]

    def __repr__(self) -> str:
        return f"Compose([{', '.join(map(transform_name, self.transforms))}])"


def transform_name(transform: Any) -> str:
    """Return the name of a transform for messages."""
    return getattr(transform, "__name__", type(transform).__name__)


def _apply_to_each(transform: Transform, batch: Batch) -> Batch:
    """Apply a transform of one sample to each sample of a batch."""
    built_in = type(transform).__module__.startswith("pyskl.")
    fresh = {*batch.array_keys(), *batch.formatted}  # arrays that are not shared
    samples = []
    for sample, randomness in zip(batch.to_samples(), batch.randomness):
        if built_in:  # draws nothing
            sample = transform(sample)
        else:
            for key, value in sample.items():
                if key not in fresh and not isinstance(value, (str, int, float)):
                    sample[key] = copy.deepcopy(value)
            with randomness.seeded_globals():
                sample = transform(sample)
        if sample is None:
            raise InputError(f"{transform_name(transform)} returned None instead of the sample")
        samples.append(sample)
    return batch.with_samples(samples)
