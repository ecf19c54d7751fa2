"""Say which samples and weights scores come from; see :mod:`pyskl.evaluation.scores`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from pyskl.apis.test_data import data_leaves
from pyskl.datasets.nested import leaves
from pyskl.evaluation.scores import ScoreOrigin, digest_of_ids


def score_origin(
    cfg: Config, dataset: Any, model: Any, scores: np.ndarray, checkpoint: str | Path | None
) -> ScoreOrigin | None:
    """Describe scores of a config's ``data.test``; None where the samples have no ids.

    Args:
        cfg: The config.
        dataset: What was scored.
        model: The recognizer.
        scores: (N, L), or (N, clips, L) where the clips were kept apart.
        checkpoint: The weights' file.
    """
    test = cfg["data"]["test"]
    if not hasattr(dataset, "sample_ids"):  # a data set of the user's
        return None
    return ScoreOrigin(
        samples=len(scores),
        classes=int(scores.shape[-1]),
        sample_ids_sha256=digest_of_ids(dataset.sample_ids),
        data=tuple(data_leaves(test)),
        config=str(cfg.filename) if cfg.filename else None,
        checkpoint=None if checkpoint is None else str(checkpoint),
        average_clips=getattr(model, "average_clips", None),
        num_clips=num_clips(test),
    )


def num_clips(test: Any) -> int | None:
    """Return how many clips of a sample a data set's config draws, where it says so."""
    found = {_clips(leaf) for leaf in leaves(test)}
    return found.pop() if len(found) == 1 else None


def _clips(leaf: Mapping[str, Any]) -> int:
    stated = [
        transform["num_clips"]
        for transform in leaf.get("pipeline", ())
        if isinstance(transform, Mapping) and isinstance(transform.get("num_clips"), int)
    ]
    return stated[-1] if stated else 1
