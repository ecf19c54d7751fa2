"""Scores of the ten test samples of the tiny data set; see ``tests/conftest.py``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

LABELS = np.arange(24, 34) % 3


def tiny_scores(wrong: int = 2) -> np.ndarray:
    """Return scores of which the first ``wrong`` samples are wrong."""
    scores = np.full((10, 3), 0.1, dtype=np.float32)
    scores[np.arange(10), (LABELS + (np.arange(10) < wrong)) % 3] = 0.8
    return scores


def random_scores(seed: int) -> np.ndarray:
    """Return random probabilities."""
    random = np.random.default_rng(seed).random((10, 3))
    return (random / random.sum(axis=1, keepdims=True)).astype(np.float32)


def add_log_line(work_dir: Path, **line: Any) -> None:
    """Append a line to a run's log."""
    (log,) = work_dir.glob("*.log.json")
    with log.open("a") as file:
        file.write(json.dumps(line) + "\n")
