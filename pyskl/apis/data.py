"""The data sets and loaders that a config's ``data`` describes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch.utils.data import DataLoader

from pyskl.datasets import build_dataloader, build_dataset
from pyskl.datasets.device import build_device_loader, choose_data_device
from pyskl.datasets.nested import map_leaves
from pyskl.logging.log import get_logger
from pyskl.registry import DATASETS


def build_data(
    cfg: Mapping[str, Any], use: str, *, trusted: bool = False, make_packs: bool = True
) -> Any:
    """Build ``data.train``, ``data.val`` or ``data.test``; the latter two in test mode.

    Args:
        cfg: The config.
        use: ``'train'``, ``'val'`` or ``'test'``.
        trusted: Load annotations with plain pickle, which runs what they say.
        make_packs: Pack annotation files where the config or their size asks for it; who only
            looks at data reads the packs that are there, and writes none beside them.
    """
    chosen = cfg["data"][use]
    if trusted:
        chosen = map_leaves(chosen, lambda leaf: {**leaf, "trusted": True})
    if not make_packs:
        chosen = map_leaves(chosen, _without_making_packs)
    return build_dataset(chosen, {} if use == "train" else {"test_mode": True})


def takes_pack(leaf: Mapping[str, Any]) -> bool:
    """Return whether a data set, as its config has it, can read from a pack."""
    kind = leaf.get("type", "PoseDataset")
    cls = DATASETS.get(kind) if isinstance(kind, str) else kind
    return "pack" in inspect.signature(cls).parameters


def _without_making_packs(leaf: dict[str, Any]) -> dict[str, Any]:
    if leaf.get("pack") is False or not takes_pack(leaf):
        return leaf
    return {**leaf, "pack": "existing"}


def loader_settings(cfg: Mapping[str, Any], use: str) -> dict[str, Any]:
    """Return the arguments of the loader of ``data.train``, ``data.val`` or ``data.test``.

    ``data`` states them for all three and ``data.<use>_dataloader`` overrides them for one.

    Returns:
        Arguments of :func:`build_loader`. ``device`` is called ``data_device`` among them, as that
        of the model is another.
    """
    data = cfg["data"]
    common = ("videos_per_gpu", "workers_per_gpu", "persistent_workers", "device")
    settings: dict[str, Any] = {"videos_per_gpu": 1, "workers_per_gpu": 0}
    settings.update({key: data[key] for key in common if key in data})
    settings.update(data.get(f"{use}_dataloader", {}))
    if "device" in settings:
        settings["data_device"] = settings.pop("device")
    return settings


def build_loader(
    dataset: Any,
    videos_per_gpu: int,
    workers_per_gpu: int = 0,
    *,
    device: torch.device,
    data_device: str | None = None,
    persistent_workers: bool = True,
    **options: Any,
) -> DataLoader:
    """Return the batches of one process, read by workers or made on a device.

    Args:
        dataset: The data set.
        videos_per_gpu: Samples per batch.
        workers_per_gpu: Worker processes; none of them where ``data_device`` is given.
        device: Where the model is.
        data_device: Where the data set is kept and batches are made, ``'auto'`` for where the
            model is; None leaves it to workers.
        persistent_workers: Keep the workers from epoch to epoch.
        options: ``shuffle``, ``seed`` and what else both ways take; see
            :func:`pyskl.datasets.build_dataloader`.

    Raises:
        ConfigError: if the pipeline has a transform that can't be applied to batches.
        DeviceError: if the samples do not fit there.
    """
    if data_device is None:
        return build_dataloader(
            dataset,
            videos_per_gpu,
            workers_per_gpu,
            persistent_workers=persistent_workers,
            **options,
        )
    place = choose_data_device(data_device, device)
    loader = build_device_loader(dataset, place, videos_per_gpu, **options)
    get_logger().info(
        "%d samples kept on %s, %d MB", len(loader.order), place, loader.store.num_bytes >> 20
    )
    return cast(DataLoader, loader)  # it has what is used of one
