"""What a run measures between epochs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch.utils.data import DataLoader


@dataclass
class Validation:
    """What to measure between epochs.

    Attributes:
        loader: Batches in the order of the data set.
        labels: See :func:`pyskl.evaluation.evaluate.evaluate`.
        metrics: See :func:`pyskl.evaluation.evaluate.evaluate`.
        topk: See :func:`pyskl.evaluation.evaluate.evaluate`.
        interval: Epochs from one validation to the next.
        start: The first epoch (from 1) after which to validate.
        save_best: Key of the metric whose best checkpoint is kept: ``'auto'`` is the first one
            measured, None keeps none.
    """

    loader: DataLoader
    labels: np.ndarray
    metrics: list[str]
    topk: tuple[int, ...] = (1, 5)
    interval: int = 1
    start: int | None = None
    save_best: str | None = "auto"

    def is_due(self, epoch: int) -> bool:
        """Return whether to validate after ``epoch`` (from 1)."""
        if self.start is not None and epoch < self.start:
            return False
        return (epoch - (self.start or 0)) % self.interval == 0


class ValidationInterruptedError(Exception):
    """The validation ended early because the run was asked to stop."""
