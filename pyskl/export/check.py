"""Is an exported model the same as the one it was made of? Both are given the same clips.

Shapes: N clips, M persons, T frames, V joints, C channels, L classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from pyskl.errors import RunError
from pyskl.runtime.metadata import ModelMetadata
from pyskl.runtime.recognizer import ExportedRecognizer, softmax

TOLERANCES = {"fp32": 1e-5, "fp16": 5e-3, "int8": 0.1}
"""By how much logits may differ, as a share of the largest one: 1e-5 is 1e-4 of logits up to 10."""

# Clips, persons and frames of inputs that are tried besides the usual clip of the model.
_SIZES = ((1, 2, 100), (3, 2, 37), (2, 1, 100), (1, 2, 300), (2, 3, 16), (1, 1, 1))

Logits = Callable[[np.ndarray], np.ndarray]


class DisparityError(RunError):
    """An exported model computes something else than the model that it was made of."""


@dataclass(frozen=True)
class Comparison:
    """How far an exported model is from its original.

    Attributes:
        inputs: The shapes (N, M, T) of what was given to both.
        difference: The largest absolute difference of logits.
        largest: The largest absolute logit of the original.
        probability: The largest absolute difference of probabilities.
        agreement: The share of clips for which both name the same class first.
        tolerance: The share of ``largest`` that the difference may reach.
    """

    inputs: tuple[tuple[int, int, int], ...]
    difference: float
    largest: float
    probability: float
    agreement: float
    tolerance: float

    @property
    def limit(self) -> float:
        """What the difference may reach: rounding errors grow with what is rounded."""
        return self.tolerance * self.largest

    def check(self) -> None:
        """Check that the difference is within the tolerance.

        Raises:
            DisparityError: if it is not, or is no number.
        """
        if not self.difference <= self.limit:  # so that NaN is refused
            raise DisparityError(
                f"the exported model differs from the original by {self.difference:.3g} in logits "
                f"of up to {self.largest:.3g}, and {self.limit:.3g} is allowed (tolerance "
                f"{self.tolerance:g}); nothing was written"
            )


def compare(
    original: Logits, exported: Logits, inputs: Sequence[np.ndarray], tolerance: float
) -> Comparison:
    """Give the same clips to two models.

    Args:
        original: Maps clips (N, M, T, V, C) to logits (N, L).
        exported: Likewise.
        inputs: Clips, several batches of any N, M and T.
        tolerance: See :attr:`Comparison.tolerance`.
    """
    pairs = [(original(clips), exported(clips)) for clips in inputs]
    wrong = [(a.shape, b.shape) for a, b in pairs if a.shape != b.shape]
    if wrong:
        raise DisparityError(
            f"the exported model gives logits of the shape {wrong[0][1]}, the original of the "
            f"shape {wrong[0][0]}; nothing was written"
        )
    a = np.concatenate([one for one, _ in pairs]).astype(np.float64)
    b = np.concatenate([other for _, other in pairs]).astype(np.float64)
    return Comparison(
        inputs=tuple((x.shape[0], x.shape[1], x.shape[2]) for x in inputs),
        difference=float(np.abs(a - b).max()),
        largest=float(np.abs(a).max()),
        probability=float(np.abs(softmax(a) - softmax(b)).max()),
        agreement=float((a.argmax(axis=1) == b.argmax(axis=1)).mean()),
        tolerance=tolerance,
    )


def random_inputs(
    metadata: ModelMetadata, usual: tuple[int, int], least_frames: int = 1
) -> list[np.ndarray]:
    """Return random clips of several sizes, always the same.

    Args:
        metadata: Says which axes are fixed.
        usual: The persons and frames of the model's own clips.
        least_frames: Sizes of fewer frames are left out, but for the usual one.
    """
    rng = np.random.default_rng(0)
    _, fixed_persons, _, *point = metadata.input_shape
    sizes = [(1, *usual), *(size for size in _SIZES if size[2] >= least_frames)]
    if isinstance(fixed_persons, int):
        sizes = [(clips, fixed_persons, frames) for clips, _, frames in sizes]
    return [
        rng.standard_normal((*size, *map(int, point)), dtype=np.float32)
        for size in dict.fromkeys(sizes)
    ]


def logits_of(recognizer: nn.Module) -> Logits:
    """Return the function that a recognizer is: clips (N, M, T, V, C) → logits (N, L)."""

    def logits(clips: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            found = recognizer.logits(torch.from_numpy(clips))  # type: ignore[operator]
        return found.squeeze(1).float().numpy()  # N, 1, L → N, L

    return logits


def check_export(
    recognizer: nn.Module,
    exported: ExportedRecognizer,
    inputs: Sequence[np.ndarray],
    tolerance: float | None = None,
) -> Comparison:
    """Compare an exported model with the recognizer that it was made of.

    Args:
        recognizer: The recognizer, in evaluation mode on the CPU.
        exported: What was exported.
        inputs: Clips to give to both; see :func:`random_inputs`.
        tolerance: By default that of :data:`TOLERANCES` for the precision.

    Raises:
        DisparityError: if they differ by more.
    """
    if tolerance is None:
        tolerance = TOLERANCES[exported.metadata.precision]
    found = compare(logits_of(recognizer), exported.logits, inputs, tolerance)
    found.check()
    return found
