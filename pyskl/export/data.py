"""Clips of a config's data: to calibrate int8 by, to compare on, and to measure accuracy with.

Shapes: N clips, M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pyskl.apis.data import build_data, loader_settings
from pyskl.apis.test import check_measurable, test_model
from pyskl.config import read_config
from pyskl.datasets import build_dataset
from pyskl.datasets.dataset_tree import first_with
from pyskl.errors import ConfigError, InputError
from pyskl.evaluation.evaluate import evaluate
from pyskl.runtime.recognizer import ExportedRecognizer


def sample_clips(cfg: Mapping[str, Any], count: int, *, trusted: bool = False) -> list[Tensor]:
    """Return clips of training samples, prepared as in testing.

    Args:
        cfg: The config: samples are of ``data.train``, evenly spread, the pipeline is that of
            ``data.test``.
        count: How many samples, at most; of each the first clip is taken.
        trusted: Load annotations with plain pickle, which runs what they say.

    Returns:
        Tensors (1, M, T, V, C) float32.

    Raises:
        InputError: if the data can't be read.
    """
    try:
        leaf = dict(first_with(cfg, "train"))
    except ConfigError:  # a config that only tests
        leaf = dict(first_with(cfg, "test"))
    leaf.update(pipeline=first_with(cfg, "test")["pipeline"], test_mode=True)
    if trusted:
        leaf["trusted"] = True
    dataset = build_dataset(leaf)
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(count, len(dataset))).astype(int))
    return [torch.as_tensor(dataset[int(index)]["keypoint"])[:1].float() for index in chosen]


def random_clips(shape: tuple[int, int, int, int], count: int) -> list[Tensor]:
    """Return random clips (1, M, T, V, C), always the same, in place of data."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(1, *shape, generator=generator) for _ in range(count)]


def accuracies(
    cfg: Mapping[str, Any],
    recognizer: nn.Module,
    exported: ExportedRecognizer,
    *,
    trusted: bool = False,
) -> dict[str, tuple[float, float]]:
    """Measure both models on ``data.test``.

    Returns:
        Name of the metric → the original's value and the exported one's.

    Raises:
        InputError: if the data can't be read, or clips are kept apart.
    """
    dataset = build_data(cfg, "test", trusted=trusted)
    if not len(dataset):
        raise InputError("data.test holds no samples to measure accuracy with")
    check_measurable(["top_k_accuracy"], recognizer, dataset.labels)
    settings = loader_settings(cfg, "test")
    settings.pop("data_device", None)
    original = test_model(recognizer, dataset, device=torch.device("cpu"), **settings)
    scores = np.concatenate(
        [
            exported.scores(np.asarray(dataset[index]["keypoint"])[None])
            for index in range(len(dataset))
        ]
    )
    topk = read_config(cfg, ()).evaluation.ks
    before, after = (
        evaluate(found, dataset.labels, ["top_k_accuracy"], topk) for found in (original, scores)
    )
    return {name: (before[name], after[name]) for name in before}
