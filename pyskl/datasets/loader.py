"""Data loaders: batches made in this process, in worker processes, or on a device."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from pyskl.datasets.batch import ABSENT, Batch, Shared
from pyskl.datasets.pipelines.compose import BatchTransform, transform_name
from pyskl.datasets.pose import PoseDataset
from pyskl.datasets.randomness import keyed, sample_keys
from pyskl.datasets.sampling import SampleKey, TestBatches, TrainBatches
from pyskl.datasets.wrappers import (
    ConcatDataset,
    RepeatDataset,
    SkeletonDataset,
    wrapped_datasets,
)
from pyskl.errors import ConfigError, DeviceError, InputError

_log = logging.getLogger(__name__)


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
    device: torch.device | str | None = None,
    rank: int | None = None,
    world_size: int | None = None,
) -> DataLoader:
    """Return the data loader of one process.

    Args:
        dataset: The data set.
        videos_per_gpu: Samples per batch of one process.
        workers_per_gpu: Worker processes that read samples; 0 reads in this process.
        shuffle: True for training (random order, every process gets equally many batches), False
            for testing (order of the data set, no sample twice).
        seed: Seed of the order and of the samples' randomness; 0 by default.
        drop_last: Leave out a last training batch that is not full.
        persistent_workers: Keep the workers from epoch to epoch.
        pin_memory: Page-locked batches, which copy to a GPU faster; by default if there is a GPU.
        device: Keep the samples on this device and make the batches there, without workers. What
            the samples draw does not depend on it.
        rank: Number of this process; by default that of ``torch.distributed``, if in use.
        world_size: Number of processes; likewise.

    Returns:
        A loader of dicts: ``keypoint`` (N, clips, M, T, V, C) float32, ``label`` (N,) or (N, 1).
        Its ``batch_sampler`` is a :class:`TrainBatches`, whose ``set_epoch`` chooses the epoch, or
        a :class:`TestBatches`.

    Raises:
        ValueError: for a batch size below 1, a negative number of workers or a negative seed.
        DeviceError: if the samples do not fit into the device's memory.
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
    if device is not None:
        workers_per_gpu, pin_memory = 0, False
        # On the CPU NumPy arrays are faster than tensors, and need no copy of the samples.
        device = None if torch.device(device).type == "cpu" else torch.device(device)
        if device is not None:
            _warn_of_copies(dataset)
    return DataLoader(
        BatchedDataset(dataset, seed, device),  # type: ignore[arg-type]
        batch_sampler=batches,
        num_workers=workers_per_gpu,
        collate_fn=_as_it_is,
        pin_memory=torch.cuda.is_available() if pin_memory is None else pin_memory,
        persistent_workers=persistent_workers and workers_per_gpu > 0,
        worker_init_fn=partial(worker_init_fn, os.getpid()),
    )


def _warn_of_copies(dataset: Any) -> None:
    """Warn of transforms that handle one sample at a time, which is slow on a device."""
    slow = []
    for leaf in wrapped_datasets(dataset):
        if not reads_batches(leaf):
            slow.append(type(leaf).__name__)
        else:
            slow += [
                transform_name(transform)
                for transform in leaf.pipeline.transforms
                if not isinstance(transform, BatchTransform)
            ]
    if slow:
        _log.warning(
            "data.device: %s handle one sample at a time, so each batch is copied to the host and "
            "back",
            ", ".join(dict.fromkeys(slow)),
        )


def _as_it_is(batch: Any) -> Any:
    return batch


def worker_init_fn(parent: int, worker: int) -> None:
    """End this worker when its parent process has ended.

    torch's workers watch their parent only once they have started; if it is killed earlier, they
    would run forever.

    Args:
        parent: Id of the process that the worker reads for.
        worker: Number of the worker.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, name=f"end worker {worker}", daemon=True).start()


class BatchedDataset:
    """A data set that reads whole batches, for torch's :class:`DataLoader`.

    Args:
        dataset: The data set.
        seed: Seed of the samples' randomness.
        device: Where to make the batches; None for NumPy arrays on the host.
    """

    def __init__(
        self, dataset: SkeletonDataset, seed: int, device: torch.device | None = None
    ) -> None:
        self.dataset = dataset
        self.seed = seed
        self.device = device

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.dataset)

    @torch.no_grad()
    def __getitems__(self, keys: Sequence[SampleKey]) -> dict[str, Any]:
        """Return the batch of some samples of one epoch."""
        indices = np.array([key.index for key in keys], dtype=np.int64)
        # A function, as most pipelines draw nothing in test mode.
        hashed = partial(sample_keys, self.seed, keys[0].epoch, indices)
        return read_batch(self.dataset, indices, hashed, self.device)


def read_batch(
    dataset: Any,
    indices: np.ndarray,
    keys: Callable[[], np.ndarray],
    device: torch.device | None = None,
) -> dict[str, Any]:
    """Return some samples of a data set as a batch of tensors.

    Args:
        dataset: A data set, which may wrap others.
        indices: Which samples, (N,) int64.
        keys: Returns the keys of their randomness, (N,) int64.
        device: Where to make the batch; None for the host.
    """
    if type(dataset) is RepeatDataset:
        return read_batch(dataset.dataset, indices % len(dataset.dataset), keys, device)
    if type(dataset) is ConcatDataset:
        which, inside = dataset.locate(indices)
        parts, order = [], []
        for number in np.unique(which):
            chosen = np.flatnonzero(which == number)
            order.append(chosen)
            part = dataset.datasets[number]
            own = partial(_chosen_keys, keys, chosen)
            parts.append(read_batch(part, inside[chosen], own, device))
        return _in_order(parts, np.concatenate(order))
    if reads_batches(dataset):
        return collate_batch(dataset.read_batch(indices, keys, device))
    samples = []
    for index, key in zip(indices.tolist(), keys().tolist()):
        with keyed(key):
            samples.append(dataset[index])
    batch = collate(samples)
    if device is not None:
        for key, value in batch.items():
            batch[key] = value.to(device) if isinstance(value, torch.Tensor) else value
    return batch


def _chosen_keys(keys: Callable[[], np.ndarray], chosen: np.ndarray) -> np.ndarray:
    return keys()[chosen]


def reads_batches(dataset: Any) -> bool:
    """Return whether a data set reads whole batches: a ``PoseDataset`` that was not overridden."""
    cls = type(dataset)
    return isinstance(dataset, PoseDataset) and all(
        getattr(cls, name) is getattr(PoseDataset, name) for name in ("__getitem__", "raw_sample")
    )


def _in_order(parts: Sequence[dict[str, Any]], positions: np.ndarray) -> dict[str, Any]:
    """Merge batches whose samples have the given positions in the whole."""
    if len(parts) == 1:
        return parts[0]
    order = np.argsort(positions)
    batch: dict[str, Any] = {}
    for key in parts[0]:
        values = [part[key] for part in parts]
        if isinstance(values[0], torch.Tensor):
            _check_shapes(key, [value[0] for value in values])
            batch[key] = torch.cat(values)[torch.from_numpy(order).to(values[0].device)]
        else:
            merged = [one for value in values for one in value]
            batch[key] = [merged[position] for position in order]
    return batch


def collate_batch(batch: Batch) -> dict[str, Any]:
    """Return a batch as tensors (N, ...), and lists of what is neither array nor number."""
    collated: dict[str, Any] = {}
    for key, array in batch.formatted.items():
        collated[key] = _tensor(array)
    if batch.array_keys():
        axis = batch.axis
        equal = (axis.persons == axis.persons[0]).all() and (axis.frames == axis.frames[0]).all()
        for key in batch.array_keys():
            if not equal:
                shapes = sorted({*zip(axis.persons.tolist(), axis.frames.tolist())})
                raise _differing_shapes(key, [(*shape, *batch.row_shape(key)) for shape in shapes])
            shape = (len(batch), int(axis.persons[0]), int(axis.frames[0]), *batch.row_shape(key))
            collated[key] = _tensor(batch.read(key)).reshape(shape)
    for key, value in batch.values.items():
        if isinstance(value, Shared):
            value = [value.value] * len(batch)
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
            collated[key] = _tensor(batch.on_device(value))
        else:
            kept = [None if one is ABSENT else one for one in value]
            collated[key] = collate([{key: one} for one in kept])[key]
        if key in batch.tensor_keys and isinstance(collated[key], torch.Tensor):
            column = collated[key]
            collated[key] = column[:, None] if column.ndim == 1 else column
    return collated


def _tensor(array: Any) -> torch.Tensor:
    return torch.from_numpy(array) if isinstance(array, np.ndarray) else array


def collate(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Stack samples into a batch: arrays, tensors and numbers into tensors, the rest into lists.

    Raises:
        InputError: if arrays of one key differ in shape.
    """
    batch: dict[str, Any] = {}
    for key in samples[0]:
        values = [sample[key] for sample in samples]
        if isinstance(values[0], (np.ndarray, torch.Tensor)):
            _check_shapes(key, values)
            if isinstance(values[0], np.ndarray):
                batch[key] = torch.from_numpy(np.stack(values))
            else:
                batch[key] = torch.stack(values)
        elif all(isinstance(value, (bool, int, float, np.number)) for value in values):
            batch[key] = torch.tensor(values)
        else:
            batch[key] = values
    return batch


def _check_shapes(key: str, values: Sequence[Any]) -> None:
    shapes = sorted({tuple(np.shape(value)) for value in values})
    if len(shapes) > 1:
        raise _differing_shapes(key, shapes)


def _differing_shapes(key: str, shapes: Sequence[tuple[int, ...]]) -> InputError:
    return InputError(
        "the samples of a batch differ in shape",
        key=key,
        found=", ".join(map(str, shapes)),
        expected="one shape",
        hint="sample or pad frames (UniformSample, PadTo), or use batches of one sample",
    )


def choose_data_device(wanted: str, training: torch.device) -> torch.device:
    """Return the device that ``data.device`` names.

    Args:
        wanted: ``'auto'`` and ``'cuda'`` are the training device; ``'cpu'``, ``'cuda:1'``.
        training: Where the model is.

    Raises:
        ConfigError: for another name.
        DeviceError: if the machine has no such device.
    """
    check_data_device(wanted)
    if wanted in ("auto", training.type):
        return training
    device = torch.device(wanted)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            "this machine has no such device",
            key="data.device",
            found=wanted,
            expected=f"one of {torch.cuda.device_count()} GPUs, or 'auto' for the one that trains",
        )
    return device


def check_data_device(wanted: str) -> None:
    """Check that ``data.device`` names a device.

    Raises:
        ConfigError: if not.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", wanted):
        raise ConfigError(
            "names no device",
            key="data.device",
            found=wanted,
            expected="'auto', 'cpu', 'cuda' or 'cuda:N'",
        )
