"""Batches: samples of a data set, stacked, read by worker processes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, default_collate

from pyskl.datasets.sampling import KeyedDataset, TestBatches, TrainBatches
from pyskl.datasets.wrappers import SkeletonDataset
from pyskl.errors import InputError


def build_dataloader(
    dataset: SkeletonDataset,
    videos_per_gpu: int,
    workers_per_gpu: int = 0,
    *,
    shuffle: bool = True,
    seed: int | None = None,
    drop_last: bool = False,
    persistent_workers: bool = True,
    pin_memory: bool | None = None,
    rank: int | None = None,
    world_size: int | None = None,
) -> DataLoader:
    """Return the batches of one process.

    Args:
        dataset: The data set.
        videos_per_gpu: Samples per batch of one process.
        workers_per_gpu: Worker processes that read samples; 0 reads in this process.
        shuffle: True for training (random order, every process gets equally many batches), False
            for testing (order of the data set, no sample twice).
        seed: Seed of the order and of the samples' randomness; 0 by default.
        drop_last: Leave out a last training batch that is not full.
        persistent_workers: Keep the workers from epoch to epoch.
        pin_memory: Page-locked batches, which copy to a GPU faster; by default where there is one.
        rank: Number of this process; by default that of ``torch.distributed``, if in use.
        world_size: Number of processes; likewise.

    Returns:
        A loader of dicts: ``keypoint`` (N, clips, M, T, V, C) float32, ``label`` (N,) or (N, 1).
        Its ``batch_sampler`` is a :class:`TrainBatches`, whose ``set_epoch`` chooses the epoch, or
        a :class:`TestBatches`.

    Raises:
        ValueError: for a batch size below 1, a negative number of workers or a negative seed.
    """
    if videos_per_gpu < 1 or workers_per_gpu < 0:
        raise ValueError(
            "videos_per_gpu should be at least 1 and workers_per_gpu at least 0, found "
            f"{videos_per_gpu} and {workers_per_gpu}"
        )
    in_use = torch.distributed.is_available() and torch.distributed.is_initialized()
    if rank is None:
        rank = torch.distributed.get_rank() if in_use else 0
    if world_size is None:
        world_size = torch.distributed.get_world_size() if in_use else 1
    seed = seed or 0
    if seed < 0:
        raise ValueError(f"seed should be at least 0, found {seed}")
    batches: TrainBatches | TestBatches
    if shuffle:
        batches = TrainBatches(
            len(dataset),
            videos_per_gpu,
            seed=seed,
            rank=rank,
            world_size=world_size,
            weights=dataset.draw_weights(),
            drop_last=drop_last,
        )
    else:
        batches = TestBatches(len(dataset), videos_per_gpu, rank=rank, world_size=world_size)
    return DataLoader(
        KeyedDataset(dataset, seed),  # type: ignore[arg-type]
        batch_sampler=batches,
        num_workers=workers_per_gpu,
        collate_fn=collate,
        pin_memory=torch.cuda.is_available() if pin_memory is None else pin_memory,
        persistent_workers=persistent_workers and workers_per_gpu > 0,
        worker_init_fn=partial(_end_with, os.getpid()),
    )


def _end_with(parent: int, worker: int) -> None:
    """Let this worker end when the process that it reads for is gone.

    torch's workers look after that themselves, but only from the moment when they have started: of
    a process that was killed meanwhile they would remain for ever, with the memory that they have.

    Args:
        parent: Id of the process that the worker reads for.
        worker: Number of the worker.
    """

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=look, name=f"end worker {worker}", daemon=True).start()


def collate(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Stack samples into a batch: arrays, tensors and numbers into tensors, the rest into lists.

    Raises:
        InputError: if arrays of one key differ in shape.
    """
    batch: dict[str, Any] = {}
    for key in samples[0]:
        values = [sample[key] for sample in samples]
        if isinstance(values[0], np.ndarray):
            values = [_as_tensor(value) for value in values]
        if isinstance(values[0], (torch.Tensor, np.number, int, float)):
            shapes = {tuple(np.shape(value)) for value in values}
            if len(shapes) > 1:
                raise InputError(
                    f"the samples of a batch differ in the shape of {key!r}: "
                    f"{', '.join(map(str, sorted(shapes)))}; let the pipeline bring them to one "
                    "(UniformSample, PadTo), or use batches of one sample"
                )
            batch[key] = default_collate(values)
        else:
            batch[key] = values
    return batch


def _as_tensor(value: Any) -> Any:
    """Return an array as a tensor; a read-only one, which no tensor can be, as a copy."""
    if not isinstance(value, np.ndarray):
        return value
    return torch.from_numpy(value if value.flags.writeable else value.copy())
