"""Build the data sets and loaders of a config's ``data``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from mmengine.config import Config
from torch.utils.data import DataLoader

from pyskl.config import RunConfig, read_config
from pyskl.datasets import AnnotationFiles, build_dataloader, build_dataset
from pyskl.datasets.dataset_tree import map_leaves
from pyskl.datasets.loader import choose_data_device
from pyskl.registry import DATASETS


def build_data(
    cfg: Mapping[str, Any], use: str, *, trusted: bool = False, make_packs: bool = True
) -> Any:
    """Build ``data.train``, ``data.val`` or ``data.test``; the latter two in test mode.

    Args:
        cfg: The config.
        use: ``'train'``, ``'val'`` or ``'test'``.
        trusted: Load annotations with plain pickle, which can run code.
        make_packs: Pack annotation files if the config or their size asks for it; False only uses
            existing packs.
    """
    return build_dataset_for(cfg["data"][use], use, trusted=trusted, make_packs=make_packs)


def build_dataset_for(
    cfg: Any,
    use: str,
    *,
    trusted: bool = False,
    make_packs: bool = True,
    files: AnnotationFiles | None = None,
) -> Any:
    """Build a data set from its config, in test mode unless ``use`` is ``'train'``."""

    def change(leaf: dict[str, Any]) -> dict[str, Any]:
        if trusted:
            leaf = {**leaf, "trusted": True}
        if not make_packs and leaf.get("pack") is not False and takes_pack(leaf):
            leaf = {**leaf, "pack": "existing"}
        return leaf

    options = {} if use == "train" else {"test_mode": True}
    return build_dataset(map_leaves(cfg, change), options, files=files)


def takes_pack(leaf: Mapping[str, Any]) -> bool:
    """Return whether the class that a data set's config names can read packs."""
    kind = leaf.get("type", "PoseDataset")
    cls = DATASETS.get(kind) if isinstance(kind, str) else kind
    return "pack" in inspect.signature(cls).parameters


def loader_settings(cfg: RunConfig | Config | Mapping[str, Any], use: str) -> dict[str, Any]:
    """Return arguments of :func:`build_loader` for ``data.train``, ``data.val`` or ``data.test``.

    The config's ``device`` becomes ``data_device``; ``device`` is that of the model.
    """
    config = cfg if isinstance(cfg, RunConfig) else read_config(cfg, ())
    settings = asdict(config.data.loader(use))
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
    """Return the data loader of one process.

    Args:
        dataset: The data set.
        videos_per_gpu: Samples per batch.
        workers_per_gpu: Worker processes; not used with ``data_device``.
        device: Where the model is.
        data_device: Where to keep the samples and make batches, ``'auto'`` for the device of the
            model; None makes them in the workers.
        persistent_workers: Keep the workers from epoch to epoch.
        options: ``shuffle``, ``seed`` and others; see :func:`pyskl.datasets.build_dataloader`.

    Raises:
        DeviceError: if the samples do not fit into the memory of the device.
    """
    return build_dataloader(
        dataset,
        videos_per_gpu,
        workers_per_gpu,
        persistent_workers=persistent_workers,
        device=None if data_device is None else choose_data_device(data_device, device),
        **options,
    )
