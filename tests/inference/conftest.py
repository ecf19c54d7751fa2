"""A recognizer that knows the truth, and sequences that tell it.

Shapes: M persons, T frames, V joints, C coordinates, L classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from pyskl.errors import AnnotationError, InputError
from pyskl.inference import Ensemble, Recognizer
from pyskl.runtime import complete_sample
from pyskl.skeleton import resolve_layout

CLASSES = ("walk", "sit", "wave", "clap")


class Oracle(Recognizer):
    """Scores each class by its share of frames: x of joint 0 is the class + 1.

    Attributes:
        batches: The number of samples in each call.
    """

    def __init__(self) -> None:
        layout = resolve_layout("nturgb+d")
        super().__init__("oracle", [], len(CLASSES), labels=CLASSES, layout=layout)
        self.batches: list[int] = []

    def prepare(self, sample: Mapping[str, Any] | np.ndarray) -> np.ndarray:
        """Return the sample as one clip; a joint at x = -1 is refused."""
        keypoint = complete_sample(sample)["keypoint"]
        if keypoint[0, 0, 0, 0] == -1:
            raise AnnotationError("refused")
        return np.asarray(keypoint[None], dtype=np.float32)

    def scores(self, batch: np.ndarray) -> np.ndarray:
        """Return the shares (N, L); clips whose first x is -2 are refused, -3 gives NaN."""
        self.batches.append(len(batch))
        told = batch[:, 0, 0, :, 0, 0]  # N, T
        if (told == -2).any():
            raise InputError("-2 is no class")
        table = np.stack([(told == label + 1).mean(axis=1) for label in range(4)], axis=1)
        table[(told == -3).any(axis=1)] = np.nan
        return table

    def logits(self, clips: np.ndarray) -> np.ndarray:
        """Not used, as ``scores`` is overridden."""
        raise NotImplementedError


def _telling(labels: Sequence[int], frames: int = 20) -> np.ndarray:
    """Return keypoints (1, T, 25, 3) with so many frames of each label in turn."""
    keypoint = np.ones((1, frames * len(labels), 25, 3), dtype=np.float32)
    keypoint[0, :, 0, 0] = np.repeat(np.asarray(labels) + 1, frames)
    return keypoint


@pytest.fixture
def ensemble() -> Ensemble:
    """The recognizer by itself."""
    return Ensemble([Oracle()])


@pytest.fixture(scope="session")
def telling() -> Callable[..., np.ndarray]:
    """A function that makes keypoints of labels; see :func:`_telling`."""
    return _telling
