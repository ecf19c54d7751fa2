"""Compare an exported model with its original: logits, accuracy and speed.

Shapes: N clips, M persons, T frames, V joints, C channels, L classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from torch import nn

from pyskl.apis.data import build_data, loader_settings
from pyskl.apis.data_checks import check_measurable
from pyskl.apis.test import test_model
from pyskl.benchmark.timing import Spread, Timed, alternate, spread
from pyskl.errors import InputError, RunError
from pyskl.evaluation.evaluate import evaluate
from pyskl.runtime.metadata import ModelMetadata
from pyskl.runtime.recognizer import Recognizer

TOLERANCES = {"fp32": 1e-5, "fp16": 5e-3, "int8": 0.1}
"""Allowed difference of logits by precision, as a share of the largest logit."""

# Clips, persons and frames of the random inputs, in addition to the model's usual clip.
_SIZES = ((1, 2, 100), (3, 2, 37), (2, 1, 100), (1, 2, 300), (2, 3, 16), (1, 1, 1))

Logits = Callable[[np.ndarray], np.ndarray]
"""Maps clips (N, M, T, V, C) to logits (N, L)."""


class DisparityError(RunError):
    """An exported model differs from its original."""


@dataclass(frozen=True)
class Comparison:
    """How much an exported model differs from its original.

    Attributes:
        inputs: The sizes (N, M, T) of the inputs.
        difference: The largest absolute difference of logits.
        largest: The largest absolute logit of the original.
        probability: The largest absolute difference of probabilities.
        agreement: The share of clips with the same best class.
        tolerance: The allowed ``difference``, as a share of ``largest``.
    """

    inputs: tuple[tuple[int, int, int], ...]
    difference: float
    largest: float
    probability: float
    agreement: float
    tolerance: float

    @property
    def limit(self) -> float:
        """The allowed difference. It grows with the logits, as rounding errors do."""
        return self.tolerance * self.largest

    def check(self) -> None:
        """Raise a :class:`DisparityError` if the difference is above the limit, or NaN."""
        if not self.difference <= self.limit:
            raise DisparityError(
                "the exported model differs from the original; nothing was written",
                found=f"{self.difference:.3g} in logits of up to {self.largest:.3g}",
                expected=f"at most {self.limit:.3g} (tolerance {self.tolerance:g})",
            )


def compare(
    original: Logits, exported: Logits, inputs: Sequence[np.ndarray], tolerance: float
) -> Comparison:
    """Compare the logits of two models for the same clips.

    Args:
        original: The original model.
        exported: The exported model.
        inputs: Batches of clips, of any N, M and T.
        tolerance: See :class:`Comparison`.

    Raises:
        DisparityError: if the models give logits of different shapes.
    """
    pairs = [(original(clips), exported(clips)) for clips in inputs]
    for one, two in pairs:
        if one.shape != two.shape:
            raise DisparityError(
                "the exported model gives other shapes than the original; nothing was written",
                found=two.shape,
                expected=str(one.shape),
            )
    a, b = (np.concatenate(logits).astype(np.float64) for logits in zip(*pairs))
    return Comparison(
        inputs=tuple((x.shape[0], x.shape[1], x.shape[2]) for x in inputs),
        difference=float(np.abs(a - b).max()),
        largest=float(np.abs(a).max()),
        probability=float(np.abs(softmax(a, axis=1) - softmax(b, axis=1)).max()),
        agreement=float((a.argmax(axis=1) == b.argmax(axis=1)).mean()),
        tolerance=tolerance,
    )


def random_inputs(
    metadata: ModelMetadata, usual: tuple[int, int], min_frames: int = 1
) -> list[np.ndarray]:
    """Return random clips of several sizes, always the same.

    Args:
        metadata: Defines the fixed axes.
        usual: Persons and frames of the model's own clips.
        min_frames: Smaller sizes are left out, apart from the usual one.
    """
    rng = np.random.default_rng(0)
    _, fixed_persons, _, joints, channels = metadata.input_shape
    sizes = [(1, *usual), *(size for size in _SIZES if size[2] >= min_frames)]
    if isinstance(fixed_persons, int):
        sizes = [(clips, fixed_persons, frames) for clips, _, frames in sizes]
    return [
        rng.standard_normal((*size, joints, channels), dtype=np.float32)
        for size in dict.fromkeys(sizes)
    ]


def accuracies(
    cfg: Mapping[str, Any], model: nn.Module, exported: Recognizer, *, trusted: bool = False
) -> dict[str, tuple[float, float]]:
    """Measure both models on ``data.test``.

    Returns:
        Metric → value of the original and of the exported model.

    Raises:
        InputError: if the data can't be read or is empty, or the clips are not averaged.
    """
    dataset = build_data(cfg, "test", trusted=trusted)
    if not len(dataset):
        raise InputError("no samples to measure accuracy with", key="data.test")
    check_measurable(["top_k_accuracy"], model, dataset.labels)
    settings = loader_settings(cfg, "test")
    settings.pop("data_device", None)
    before = test_model(model, dataset, device=torch.device("cpu"), **settings)
    samples = (np.asarray(dataset[index]["keypoint"]) for index in range(len(dataset)))
    after = np.concatenate([exported.scores(clips[None]) for clips in samples])
    topk = cfg.get("evaluation", {}).get("topk", (1, 5))
    one, two = (
        evaluate(scores, dataset.labels, ["top_k_accuracy"], topk) for scores in (before, after)
    )
    return {name: (one[name], two[name]) for name in one}


def milliseconds_per_clip(models: Mapping[str, Logits], clip: np.ndarray) -> dict[str, Spread]:
    """Time models on one clip (1, M, T, V, C), in turn.

    Returns:
        Name → milliseconds of one call over five measurements.
    """

    def timer(logits: Logits) -> Timed:
        def work() -> int:
            logits(clip)
            return 1

        timed = Timed(work)
        timed.prepare(0.1)
        return timed

    rates = alternate({name: timer(logits).rate for name, logits in models.items()}, repeats=5)
    return {name: spread([1000 / rate for rate in values]) for name, values in rates.items()}
