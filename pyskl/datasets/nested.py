"""The data sets in a config's ``data``, inside those that repeat and concatenate others.

A leaf is the config of a data set that is not made of others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pyskl.errors import ConfigError

# Arguments of a data set that hold the data set, or the list of those, that it is made of.
_INNER = ("dataset", "datasets")


def leaves(cfg: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the leaves of a data set's config, in order.

    Args:
        cfg: The config of a data set or of a wrapper, or a list of such; anything else has none.
    """
    return (leaf for _, leaf in keyed_leaves(cfg, ""))


def keyed_leaves(cfg: Any, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the leaves of a data set's config with their keys.

    Args:
        cfg: As of :func:`leaves`.
        key: Its own key.

    Example:
        >>> cfg = dict(type='RepeatDataset', times=5, dataset=dict(ann_file='a.pkl'))
        >>> list(keyed_leaves(cfg, 'data.train'))
        [('data.train.dataset', {'ann_file': 'a.pkl'})]
    """
    if isinstance(cfg, (list, tuple)):
        for index, one in enumerate(cfg):
            yield from keyed_leaves(one, f"{key}[{index}]")
    elif isinstance(cfg, Mapping):
        inner = _inner(cfg)
        if inner is None:
            yield key, cfg
        else:
            yield from keyed_leaves(cfg[inner], f"{key}.{inner}")


def map_leaves(cfg: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """Return a data set's config with other leaves.

    Args:
        cfg: The config of a data set or of a wrapper, or a list of such.
        change: Maps a leaf to another.
    """
    if not isinstance(cfg, Mapping):
        return [map_leaves(one, change) for one in cfg]
    inner = _inner(cfg)
    if inner is None:
        return change(dict(cfg))
    return {**cfg, inner: map_leaves(cfg[inner], change)}


def first_leaf(cfg: Mapping[str, Any], use: str, key: str = "pipeline") -> Mapping[str, Any]:
    """Return the first leaf of ``data.<use>`` that has a key.

    Args:
        cfg: A whole config.
        use: ``'train'``, ``'val'`` or ``'test'``.
        key: The key.

    Raises:
        ConfigError: if there is none.
    """
    for leaf in leaves((cfg.get("data") or {}).get(use)):
        if key in leaf:
            return leaf
    named = getattr(cfg, "filename", None) or "the config"
    raise ConfigError(f"{named} has no data set in data.{use} that has a {key!r}")


def transforms(cfg: Mapping[str, Any], use: str) -> Iterator[Mapping[str, Any]]:
    """Yield the configs of all transforms in the pipelines of ``data.<use>``."""
    for leaf in leaves((cfg.get("data") or {}).get(use)):
        for transform in leaf.get("pipeline") or ():
            if isinstance(transform, Mapping):
                yield transform


def _inner(cfg: Mapping[str, Any]) -> str | None:
    """Return the argument that holds what a data set is made of; None for a leaf."""
    return next((key for key in _INNER if cfg.get(key) is not None), None)
