"""What is measured between epochs, in a way that a run can leave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from pyskl.distributed.monitor import Watch


@dataclass
class Validation:
    """What is measured between epochs.

    Attributes:
        loader: Batches in the order of the data set.
        labels: See :func:`pyskl.evaluation.evaluate.evaluate`.
        metrics: Likewise.
        topk: Likewise.
        interval: Epochs from one validation to the next.
        start: The first epoch (from 1) after which to validate.
        save_best: The figure whose best checkpoint is kept: its name, ``'auto'`` for the first
            one measured, None to keep none.
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


class Left(Exception):
    """The validation was left between two batches, as the run was asked to stop."""


class LeavableLoader:
    """A loader that ends with :class:`Left` where the run is to stop.

    All processes leave, or none does: they may not part before they put their scores together.

    Args:
        loader: The batches.
        watch: Knows whether the run is to stop.
    """

    def __init__(self, loader: DataLoader, watch: Watch) -> None:
        self.loader = loader
        self.watch = watch
        self.batch_sampler = loader.batch_sampler

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches."""
        for number, batch in enumerate(self.loader, start=1):
            self.watch.doing("validating, batch", number)
            if self.watch.is_stopping():
                raise Left
            yield batch
        if not self.watch.may_enter():
            raise Left
        self.watch.doing("validating, putting the scores together")
