"""The three ways to get batches: from samples in memory, from a pack, or on the device.

They turn the same config into batches of the same shape.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from mmengine.config import Config
from torch.utils.data import DataLoader

from pyskl.apis.data import build_data, build_loader, loader_settings, takes_pack
from pyskl.benchmark.workload import Workload
from pyskl.datasets.dataset_tree import map_leaves
from pyskl.errors import InputError

# Annotations in the memory of the process.
ONLINE = "online"
# Annotations memory-mapped from a pack.
PACKED = "packed"
# The pack on the device, where the batches are made.
ON_DEVICE = "device"


def open_loaders(
    workload: Workload, use: str, batch: int, workers: int = 0
) -> tuple[dict[str, DataLoader], dict[str, str]]:
    """Return the loaders of all sources that the config's data sets support.

    Args:
        workload: The config and the device.
        use: ``'train'`` (shuffled), ``'val'`` or ``'test'``.
        batch: Samples per batch.
        workers: Worker processes that read samples; the device path has none.

    Returns:
        Source → its loader, the online pipeline first; source → the reason why it has none.
    """
    loaders, failed = {}, {}
    for source in (ONLINE, PACKED, ON_DEVICE):
        if source == PACKED and not supports_packs(workload.cfg, use):
            failed[source] = "the data sets of this config don't support packs"
            continue
        loaders[source] = open_loader(workload, source, use, batch, workers)
    return loaders, failed


def open_loader(
    workload: Workload, source: str, use: str, batch: int, workers: int = 0
) -> DataLoader:
    """Return the loader of one source; see :func:`open_loaders`.

    Raises:
        InputError: if the data set has too few samples for a batch.
    """
    cfg = with_packs(workload.cfg, use, pack=source != ONLINE)
    settings: dict[str, Any] = {
        **loader_settings(cfg, use),
        "videos_per_gpu": batch,
        "workers_per_gpu": workers,
        "data_device": "auto" if source == ON_DEVICE else None,
    }
    if source != ON_DEVICE:
        settings["pin_memory"] = workload.device.type == "cuda"
    dataset = build_data(cfg, use)
    loader = build_loader(
        dataset, device=workload.device, shuffle=use == "train", seed=0, **settings
    )
    if len(loader) == 0:
        raise InputError(
            "too few samples for a batch, and drop_last is set",
            key=f"data.{use}",
            found=len(dataset),
            hint="choose a smaller --batch",
        )
    return loader


def label(source: str, workers: int) -> str:
    """Return the name of a source in the tables."""
    if source == ON_DEVICE:
        return source
    return f"{source}, {workers} worker{'' if workers == 1 else 's'}"


def epochs(batches: Iterable[Any], sampler: Any) -> Iterator[Any]:
    """Yield the batches of one epoch after the other, without end.

    Args:
        batches: What to iterate over in each epoch.
        sampler: The batch sampler, which shuffles each epoch differently.
    """
    epoch = 0
    while True:
        if hasattr(sampler, "set_epoch"):
            sampler.set_epoch(epoch)
        yield from batches
        epoch += 1


def endless(loader: DataLoader) -> Iterator[dict[str, Any]]:
    """Yield the batches of a loader without end."""
    return epochs(loader, loader.batch_sampler)


def supports_packs(cfg: Config, use: str) -> bool:
    """Return whether a data set of ``data.<use>`` can read from a pack."""
    return with_packs(cfg, use, pack=True) != with_packs(cfg, use, pack=False)


def with_packs(cfg: Config, use: str, *, pack: bool) -> Config:
    """Return a config whose data sets of ``data.<use>`` read from packs, or don't."""

    def change(leaf: dict[str, Any]) -> dict[str, Any]:
        return {**leaf, "pack": pack} if takes_pack(leaf) else leaf

    changed = copy.deepcopy(cfg.to_dict())
    changed["data"][use] = map_leaves(changed["data"][use], change)
    return Config(changed, filename=cfg.filename)
