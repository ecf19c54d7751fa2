"""The data sets and loaders that a config's ``data`` describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyskl.datasets import build_dataset


def build_data(cfg: Mapping[str, Any], use: str, *, trusted: bool = False) -> Any:
    """Build ``data.train``, ``data.val`` or ``data.test``; the latter two in test mode.

    Args:
        cfg: The config.
        use: ``'train'``, ``'val'`` or ``'test'``.
        trusted: Load annotations with plain pickle, which runs what they say.
    """
    chosen = cfg["data"][use]
    return build_dataset(
        _trusting(chosen) if trusted else chosen, {} if use == "train" else {"test_mode": True}
    )


def _trusting(cfg: Any) -> Any:
    """Return a data set's config with ``trusted=True`` in those inside it that read files."""
    if not isinstance(cfg, Mapping):
        return [_trusting(one) for one in cfg]
    for inner in ("dataset", "datasets"):
        if inner in cfg:
            return {**cfg, inner: _trusting(cfg[inner])}
    return {**cfg, "trusted": True}


def loader_settings(cfg: Mapping[str, Any], use: str) -> dict[str, Any]:
    """Return the arguments of the loader of ``data.train``, ``data.val`` or ``data.test``.

    ``data`` states them for all three and ``data.<use>_dataloader`` overrides them for one.
    """
    data = cfg["data"]
    common = ("videos_per_gpu", "workers_per_gpu", "persistent_workers")
    settings = {"videos_per_gpu": 1, "workers_per_gpu": 0}
    settings.update({key: data[key] for key in common if key in data})
    settings.update(data.get(f"{use}_dataloader", {}))
    return settings
