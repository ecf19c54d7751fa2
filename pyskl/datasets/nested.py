"""The data sets in a config's ``data``, inside those that repeat and concatenate others.

A leaf is the config of a data set that is not made of others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pyskl.errors import ConfigError

# Arguments of a data set that hold the data set, or the list of those, that it is made of.
_INNER = ("dataset", "datasets")


def keyed_data_sets(cfg: Any, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the config of a data set and of all those inside it with their keys, outer ones first.

    Args:
        cfg: The config of a data set or of a wrapper, or a list of such; anything else has none.
        key: Its own key.

    Example:
        >>> cfg = dict(type='RepeatDataset', times=5, dataset=dict(ann_file='a.pkl'))
        >>> [key for key, _ in keyed_data_sets(cfg, 'data.train')]
        ['data.train', 'data.train.dataset']
    """
    if isinstance(cfg, (list, tuple)):
        for index, one in enumerate(cfg):
            yield from keyed_data_sets(one, f"{key}[{index}]")
    elif isinstance(cfg, Mapping):
        yield key, cfg
        inner = _inner(cfg)
        if inner is not None:
            yield from keyed_data_sets(cfg[inner], f"{key}.{inner}")


def keyed_leaves(cfg: Any, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the leaves of a data set's config with their keys; see :func:`keyed_data_sets`."""
    return ((own, one) for own, one in keyed_data_sets(cfg, key) if _inner(one) is None)


def leaves(cfg: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the leaves of a data set's config, in order."""
    return (leaf for _, leaf in keyed_leaves(cfg, ""))


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


def with_key(cfg: Mapping[str, Any], use: str, key: str) -> Iterator[Mapping[str, Any]]:
    """Yield the data sets of ``data.<use>`` in a whole config that have a key, outer ones first."""
    for _, one in keyed_data_sets((cfg.get("data") or {}).get(use), ""):
        if one.get(key) is not None:
            yield one


def first_with(cfg: Mapping[str, Any], use: str, key: str = "pipeline") -> Mapping[str, Any]:
    """Return the first data set of ``data.<use>`` that has a key, outer ones before inner ones.

    Args:
        cfg: A whole config.
        use: ``'train'``, ``'val'`` or ``'test'``.
        key: The key.

    Raises:
        ConfigError: if there is none.
    """
    for found in with_key(cfg, use, key):
        return found
    named = getattr(cfg, "filename", None) or "the config"
    raise ConfigError(f"{named} has no data set in data.{use} that has a {key!r}")


def transforms(cfg: Mapping[str, Any], use: str) -> Iterator[Mapping[str, Any]]:
    """Yield the configs of all transforms in the pipelines of ``data.<use>``."""
    for one in with_key(cfg, use, "pipeline"):
        for transform in one["pipeline"]:
            if isinstance(transform, Mapping):
                yield transform


def _inner(cfg: Mapping[str, Any]) -> str | None:
    """Return the argument that holds what a data set is made of; None for a leaf.

    A class of the user's may well call something else ``dataset``, such as a name.
    """
    for key in _INNER:
        value = cfg.get(key)
        listed = value if isinstance(value, (list, tuple)) else [value]
        if listed and all(isinstance(one, Mapping) for one in listed):
            return key
    return None
