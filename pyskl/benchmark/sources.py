"""Where batches come from: the online pipeline, a packed store, or the device.

The ways differ in speed only; each turns the same config into batches of the same shape.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from mmengine.config import Config
from torch.utils.data import DataLoader

from pyskl.apis.data import build_data, build_loader, loader_settings, takes_pack
from pyskl.benchmark.workload import Workload
from pyskl.datasets.nested import map_leaves
from pyskl.datasets.sampling import TrainBatches
from pyskl.errors import ConfigError, InputError

# Annotations in memory as the file has them; every transform on every sample, every time.
ONLINE = "online"
# Annotations mapped from a packed store, the leading transforms applied ahead.
PACKED = "packed"
# The packed store on the device, where whole batches go through the pipeline at once.
ON_DEVICE = "device"


SOURCES = (ONLINE, PACKED, ON_DEVICE)


def describe(source: str, workers: int) -> str:
    """Return what the tables call a source."""
    if source == ON_DEVICE:
        return source
    return f"{source}, {workers} worker{'' if workers == 1 else 's'}"


def open_loaders(
    workload: Workload, use: str, batch: int, workers: int = 0
) -> tuple[dict[str, DataLoader], dict[str, str]]:
    """Return the loaders of all sources that the config's data sets have.

    Args:
        workload: The config and the device.
        use: ``'train'`` (shuffled), ``'val'`` or ``'test'``.
        batch: Samples per batch.
        workers: Worker processes that read samples; the device needs none.

    Returns:
        Source → its loader, the reference first; source → why it has none.
    """
    loaders, failed = {}, {}
    for source in SOURCES:
        if source == PACKED and not has_packs(workload.cfg, use):
            failed[source] = "the data sets of this config read from no packed store"
            continue
        try:
            loaders[source] = source_loader(workload, source, use, batch, workers)
        except ConfigError as error:  # a transform of the user's, of which there is no batch form
            if source != ON_DEVICE:
                raise
            failed[source] = str(error)
    return loaders, failed


def source_loader(
    workload: Workload, source: str, use: str, batch: int, workers: int = 0
) -> DataLoader:
    """Return the batches of one source; see :func:`open_loaders`."""
    cfg = with_packs(workload.cfg, use, pack=source != ONLINE)
    settings: dict[str, Any] = {**loader_settings(cfg, use), "videos_per_gpu": batch}
    settings["workers_per_gpu"] = workers
    settings["data_device"] = "auto" if source == ON_DEVICE else None
    if source != ON_DEVICE:
        settings["pin_memory"] = workload.device.type == "cuda"
    dataset = build_data(cfg, use)
    loader = build_loader(
        dataset, device=workload.device, shuffle=use == "train", seed=0, **settings
    )
    if len(loader) == 0:
        raise InputError(
            f"data.{use} has {len(dataset)} samples, which make no batch of {batch} where the last "
            "one is dropped (drop_last): choose a smaller --batch"
        )
    return loader


def endless(loader: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the batches of one epoch after the other, without end."""
    batches = getattr(loader, "batch_sampler", None)
    epoch = 0
    while True:
        if isinstance(batches, TrainBatches):
            batches.set_epoch(epoch)
        yield from loader
        epoch += 1


def has_packs(cfg: Config, use: str) -> bool:
    """Return whether some data set of ``data.<use>`` can read from a packed store."""
    return with_packs(cfg, use, pack=True) != with_packs(cfg, use, pack=False)


def with_packs(cfg: Config, use: str, *, pack: bool) -> Config:
    """Return a config whose data sets of ``data.<use>`` do, or don't, read from a packed store."""

    def change(leaf: dict[str, Any]) -> dict[str, Any]:
        return {**leaf, "pack": pack} if takes_pack(leaf) else leaf

    changed = copy.deepcopy(cfg.to_dict())
    changed["data"][use] = map_leaves(changed["data"][use], change)
    return Config(changed, filename=cfg.filename)
