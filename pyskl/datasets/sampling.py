"""Batch samplers for training and testing on several processes.

Batches are lists of :class:`SampleKey`. They contain the epoch, so that persistent workers can seed
each sample with (seed, epoch, index).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from torch.utils.data import Sampler


class SampleKey(NamedTuple):
    """Identifies one reading of a sample in a run."""

    epoch: int
    index: int  # type: ignore[assignment]  # hides tuple.index


class TrainBatches(Sampler[list[SampleKey]]):
    """The random batches of one process, in a new order in every epoch.

    All processes draw the same order, and each takes every ``world_size``-th sample, so a step
    covers the same samples for any number of processes. If the number of samples is not a multiple
    of ``world_size``, the first samples are repeated.

    Args:
        length: Samples of the data set.
        batch_size: Samples per batch of one process.
        seed: Seed of the run.
        rank: Number of this process.
        world_size: Number of processes.
        weights: Expected number of draws of each sample per epoch, (length,); None for one each.
        drop_last: Drop the last batch if it is not full.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        *,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        weights: np.ndarray | None = None,
        drop_last: bool = False,
    ) -> None:
        self.length = length
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.weights = weights
        self.drop_last = drop_last
        self.epoch = 0
        self.first_batch = 0
        draws = length if weights is None else max(1, round(float(weights.sum())))
        self._draws = draws
        self._per_rank = -(-draws // world_size)

    def set_epoch(self, epoch: int, first_batch: int = 0) -> None:
        """Choose the epoch of the next iteration, and the batch to start with.

        Args:
            epoch: From 0.
            first_batch: From 0; earlier batches are skipped without being read.
        """
        if not 0 <= first_batch <= len(self):
            raise ValueError(f"first_batch should lie in 0 to {len(self)}, found {first_batch}")
        self.epoch = epoch
        self.first_batch = first_batch

    def order(self, epoch: int) -> np.ndarray:
        """Return the samples of an epoch in order, for all processes together."""
        rng = np.random.default_rng((self.seed, epoch, self.length))  # no sample has this key
        if self.weights is None:
            drawn = np.arange(self.length)
        else:
            # Systematic resampling: a sample of weight w comes floor(w) or ceil(w) times, and the
            # number of draws is the same in every epoch, as the schedule requires.
            ends = np.cumsum(self.weights) * (self._draws / self.weights.sum())
            ticks = rng.random() + np.arange(self._draws)
            drawn = np.searchsorted(ends, ticks, side="right").clip(max=self.length - 1)
        return rng.permutation(drawn)

    def __iter__(self) -> Iterator[list[SampleKey]]:
        """Yield this process's batches of the epoch."""
        order = np.resize(self.order(self.epoch), self._per_rank * self.world_size)
        mine = order[self.rank :: self.world_size]
        for batch in range(self.first_batch, len(self)):
            share = mine[batch * self.batch_size : (batch + 1) * self.batch_size]
            yield [SampleKey(self.epoch, int(index)) for index in share]

    def __len__(self) -> int:
        """Return the number of batches of an epoch, the same for every process."""
        if self.drop_last:
            return self._per_rank // self.batch_size
        return -(-self._per_rank // self.batch_size)


class TestBatches(Sampler[list[SampleKey]]):
    """Batches in the order of the data set, given to the processes in turn.

    Batches, and so scores, don't depend on the number of processes. No sample is repeated.

    Args:
        length: Samples of the data set.
        batch_size: Samples per batch.
        rank: Number of this process.
        world_size: Number of processes.
    """

    __test__ = False  # not a test class for pytest

    def __init__(self, length: int, batch_size: int, *, rank: int = 0, world_size: int = 1) -> None:
        self.length = length
        self.batch_size = batch_size
        self.starts = range(rank * batch_size, length, world_size * batch_size)

    def indices(self) -> list[int]:
        """Return the samples of this process in order."""
        return [key.index for batch in self for key in batch]

    def __iter__(self) -> Iterator[list[SampleKey]]:
        """Yield this process's batches."""
        for start in self.starts:
            stop = min(start + self.batch_size, self.length)
            yield [SampleKey(0, index) for index in range(start, stop)]

    def __len__(self) -> int:
        """Return the number of this process's batches."""
        return len(self.starts)
