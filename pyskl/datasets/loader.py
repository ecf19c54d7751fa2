"""Batches: samples of a data set, stacked, read by worker processes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, default_collate, get_worker_info

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
    )


def collate(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Stack samples into a batch: arrays, tensors and numbers into tensors, the rest into lists.

    Goes through the samples once and keeps none of them; each array is copied once, to its place.

    Raises:
        InputError: if arrays of one key differ in shape.
    """
    columns: dict[str, _Stack | _List] = {}
    for position, sample in enumerate(samples):
        if position == 0:
            columns = {key: _column(key, value, len(samples)) for key, value in sample.items()}
        for key, column in columns.items():
            column.put(position, sample[key])
    return {key: column.result() for key, column in columns.items()}


def _column(key: str, first: Any, size: int) -> _Stack | _List:
    array = _as_array(first)
    return _List(key) if array is None else _Stack(key, array, size)


def _as_array(value: Any) -> np.ndarray | None:
    """Return an array, or a tensor's memory as one; None for all else."""
    if isinstance(value, torch.Tensor):
        try:
            return value.numpy()
        except (TypeError, RuntimeError):  # bfloat16, on a GPU, part of a graph, sparse, ...
            return None
    return value if isinstance(value, np.ndarray) else None


class _Stack:
    """The tensor of a key whose values are arrays, or tensors of what NumPy knows."""

    def __init__(self, key: str, first: np.ndarray, size: int) -> None:
        self.key = key
        self.shape = first.shape
        self.out = _batch_memory((size, *first.shape), first.dtype)
        # NumPy takes a fraction of PyTorch's time to choose a row and to copy into it.
        self.rows = self.out.numpy()

    def put(self, position: int, value: Any) -> None:
        """Copy a sample's value to its place."""
        array = value.numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        if array.shape != self.shape:
            raise _unequal_shapes(self.key, [self.shape, array.shape])
        if array.dtype != self.rows.dtype:
            self.rows = self.rows.astype(np.promote_types(self.rows.dtype, array.dtype))
            self.out = torch.from_numpy(self.rows)
        self.rows[position] = array

    def result(self) -> torch.Tensor:
        """Return the batch."""
        return self.out


def _batch_memory(shape: tuple[int, ...], dtype: np.dtype) -> torch.Tensor:
    """Return an uninitialised tensor; in a worker one that the main process need not copy."""
    empty = torch.from_numpy(np.empty(0, dtype))
    if get_worker_info() is None:
        return empty.new_empty(shape)
    # As default_collate allocates; share_memory_() would copy what is not yet there.
    storage = empty._typed_storage()._new_shared(math.prod(shape))
    return empty.new(storage).resize_(shape)


class _List:
    """The values of a key as they are: a list; one tensor where they are numbers or tensors."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.values: list[Any] = []

    def put(self, position: int, value: Any) -> None:
        """Append a sample's value."""
        self.values.append(value)

    def result(self) -> Any:
        """Return the batch."""
        if not isinstance(self.values[0], (torch.Tensor, np.number, int, float)):
            return self.values
        shapes = {tuple(np.shape(value)) for value in self.values}
        if len(shapes) > 1:
            raise _unequal_shapes(self.key, shapes)
        return default_collate(self.values)


def _unequal_shapes(key: str, shapes: Iterable[Sequence[int]]) -> InputError:
    return InputError(
        f"the samples of a batch differ in the shape of {key!r}: "
        f"{', '.join(map(str, sorted(map(tuple, shapes))))}; let the pipeline bring them to one "
        "(UniformSample, PadTo), or use batches of one sample"
    )
