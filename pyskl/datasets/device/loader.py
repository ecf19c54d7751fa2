"""Batches that are made on the device that uses them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyskl.datasets.device.draws import sample_keys
from pyskl.datasets.device.members import find_members
from pyskl.datasets.device.plan import Plan, make_plan
from pyskl.datasets.device.store import DeviceStore
from pyskl.datasets.loader import build_dataloader
from pyskl.datasets.sampling import SampleKey, TestBatches, TrainBatches
from pyskl.datasets.wrappers import SkeletonDataset
from pyskl.errors import ConfigError, DeviceError

Batch = dict[str, Tensor]


class DeviceLoader:
    """The batches of one process, made in whole from a store on a device.

    Stands in for the loader of :func:`pyskl.datasets.build_dataloader`. There are no worker
    processes: a batch takes a few operations on tensors.

    Args:
        plan: Makes a batch.
        store: The samples.
        labels: Of the store's samples, (S,) or (S, classes), on the store's device.
        order: Which of them each sample of the data set is, (len,) int64, likewise.
        dataset: The data set.
        batch_sampler: Which of its samples make up which batch.
        seed: Seed of the samples' randomness.
    """

    def __init__(
        self,
        plan: Plan,
        store: DeviceStore,
        labels: Tensor,
        order: Tensor,
        dataset: SkeletonDataset,
        batch_sampler: TrainBatches | TestBatches,
        seed: int = 0,
    ) -> None:
        self.plan = plan
        self.store = store
        self.labels = labels
        self.order = order
        self.dataset = KeyedBatches(dataset, self)
        self.batch_sampler = batch_sampler
        self.seed = seed

    @property
    def device(self) -> torch.device:
        """Where batches are made."""
        return self.store.device

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches: ``keypoint`` (N, clips, M, T, V, C), ``label`` (N,)."""
        return self.made(list(self.batch_sampler))

    def made(self, batches: Sequence[Sequence[SampleKey]]) -> Iterator[Batch]:
        """Yield the batches of samples of one epoch, which are known to the device as a whole."""
        if not batches:
            return
        index = self._sent(np.array([key.index for batch in batches for key in batch], np.int64))
        keys = sample_keys(self.seed, batches[0][0].epoch, index)
        which = self.order[index]
        start = 0
        for batch in batches:
            stop = start + len(batch)
            yield self.plan.batch(self.store, self.labels, which[start:stop], keys[start:stop])
            start = stop

    def _sent(self, index: np.ndarray) -> Tensor:
        """Copy numbers to the device, without waiting for what it is doing."""
        tensor = torch.from_numpy(index)
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)

    @staticmethod
    def collate_fn(batch: Batch) -> Batch:
        """Return the batch, which is one already."""
        return batch


class KeyedBatches:
    """What a :class:`DeviceLoader` reads from, asked for the samples of one batch.

    Args:
        dataset: The data set.
        loader: The loader.
    """

    def __init__(self, dataset: SkeletonDataset, loader: DeviceLoader) -> None:
        self.dataset = dataset
        self._loader = loader

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.dataset)

    def __getitems__(self, keys: Sequence[SampleKey]) -> Batch:
        """Return the batch of some samples of one epoch."""
        return next(self._loader.made([keys]))


def build_device_loader(
    dataset: SkeletonDataset,
    device: torch.device | str,
    videos_per_gpu: int,
    *,
    shuffle: bool = True,
    seed: int | None = None,
    drop_last: bool = False,
    rank: int | None = None,
    world_size: int | None = None,
) -> DeviceLoader:
    """Keep a data set on a device and return its batches, made there.

    They are those of :func:`pyskl.datasets.build_dataloader` in all but the random numbers: the
    same samples in the same order, the same frames in test mode, and draws of the same
    distribution that depend on (seed, epoch, index) alone.

    Args:
        dataset: A ``PoseDataset``, or a ``RepeatDataset`` or ``ConcatDataset`` of those.
        device: Where to keep it.
        videos_per_gpu: See :func:`pyskl.datasets.build_dataloader`, as for the others.
        shuffle: True for training, False for testing.
        seed: Seed of the order and of the samples' randomness; 0 by default.
        drop_last: Leave out a last training batch that is not full.
        rank: Number of this process.
        world_size: Number of processes.

    Raises:
        ConfigError: if the data set or a transform of its pipeline can't be handled in batches.
        DeviceError: if the samples do not fit into the device's memory.
    """
    device = torch.device(device)
    members = find_members(dataset)
    plan = make_plan(members, device)
    batches: Any = build_dataloader(
        dataset,
        videos_per_gpu,
        shuffle=shuffle,
        seed=seed,
        drop_last=drop_last,
        rank=rank,
        world_size=world_size,
    ).batch_sampler
    return DeviceLoader(
        plan,
        DeviceStore.upload(members.parts, device),
        torch.from_numpy(members.labels).to(device),
        torch.from_numpy(members.order).to(device),
        dataset,
        batches,
        seed or 0,
    )


def choose_data_device(wanted: str, training: torch.device) -> torch.device:
    """Return the device that ``data.device`` names.

    Args:
        wanted: ``'auto'`` and ``'cuda'`` stand for the training device; ``'cpu'``, ``'cuda:1'``.
        training: Where the model is.

    Raises:
        ConfigError: for other words.
        DeviceError: if the machine has no such device.
    """
    check_data_device(wanted)
    if wanted in ("auto", training.type):
        return training
    device = torch.device(wanted)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"data.device={wanted!r}, but this machine has {torch.cuda.device_count()} GPUs; "
            "'auto' takes the device that trains"
        )
    return device


def check_data_device(wanted: str) -> None:
    """Check that ``data.device`` is a word that it knows.

    Raises:
        ConfigError: if not.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", wanted):
        raise ConfigError(f"should be 'auto', 'cpu', 'cuda' or 'cuda:N', found {wanted!r}")
