"""A recognizer that knows the truth, and sequences that tell it.

Shapes: M persons, T frames, V joints, C coordinates, L classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from pyskl.errors import AnnotationError
from pyskl.inference import Ensemble, Member
from pyskl.runtime import complete_sample
from pyskl.skeleton import SkeletonLayout, resolve_layout

CLASSES = 4


class Oracle:
    """Scores each class by the share of frames that tell of it: x of joint 0 is the class + 1.

    Attributes:
        batches: How many samples came at once, in each call.
        seen: The keypoints of all samples that were prepared.
    """

    labels: tuple[str, ...] | None = ("walk", "sit", "wave", "clap")
    layout: SkeletonLayout | None = resolve_layout("nturgb+d")
    num_classes = CLASSES

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.seen: list[np.ndarray] = []

    def prepare(self, sample: Mapping[str, Any] | np.ndarray) -> np.ndarray:
        """Return the sample as one clip; a joint at x = -1 is refused."""
        full = complete_sample(sample)
        self.seen.append(full["keypoint"])
        if full["keypoint"][0, 0, 0, 0] == -1:
            raise AnnotationError(f"sample {full['frame_dir']!r}: refused")
        return np.asarray(full["keypoint"][None], dtype=np.float32)

    def scores(self, batch: np.ndarray) -> np.ndarray:
        """Return the shares (N, L); clips whose first x is -2 misfit, -3 gives scores of NaN."""
        self.batches.append(len(batch))
        told = batch[:, 0, 0, :, 0, 0]  # N, T
        if (told == -2).any():
            raise ValueError("-2 is no class")
        table = np.stack([(told == label + 1).mean(axis=1) for label in range(CLASSES)], axis=1)
        table[(told == -3).any(axis=1)] = np.nan
        return table


def _telling(labels: Sequence[int], frames: int = 20) -> np.ndarray:
    """Return keypoints (1, T, 25, 3) with so many frames of each label in turn."""
    keypoint = np.ones((1, frames * len(labels), 25, 3), dtype=np.float32)
    keypoint[0, :, 0, 0] = np.repeat(np.asarray(labels) + 1, frames)
    return keypoint


@pytest.fixture
def oracle() -> Oracle:
    """The recognizer."""
    return Oracle()


@pytest.fixture
def ensemble(oracle: Oracle) -> Ensemble:
    """The recognizer by itself."""
    return Ensemble([Member(oracle)])


@pytest.fixture(scope="session")
def telling() -> Callable[..., np.ndarray]:
    """A function that makes keypoints of labels; see :func:`_telling`."""
    return _telling
