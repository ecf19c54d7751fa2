"""The data sets in a config, including those inside ``RepeatDataset`` and ``ConcatDataset``.

A leaf is the config of a data set that does not wrap others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pyskl.errors import ConfigError

# Arguments of a data set that hold the data set, or the list of data sets, that it wraps.
_INNER = ("dataset", "datasets")


def walk(cfg: Any, key: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the config of a data set and of all those inside it with their keys, outer ones first.

    Args:
        cfg: The config of a data set, or a list of such; anything else yields nothing.
        key: Its own key.

    Example:
        >>> cfg = dict(type='RepeatDataset', times=5, dataset=dict(ann_file='a.pkl'))
        >>> [key for key, _ in walk(cfg, 'data.train')]
        ['data.train', 'data.train.dataset']
    """
    if isinstance(cfg, (list, tuple)):
        for index, one in enumerate(cfg):
            yield from walk(one, f"{key}[{index}]")
    elif isinstance(cfg, Mapping):
        yield key, cfg
        inner = inner_key(cfg)
        if inner is not None:
            yield from walk(cfg[inner], f"{key}.{inner}")


def leaves(cfg: Any, key: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the leaves of a data set's config with their keys; arguments as of :func:`walk`."""
    return ((own, one) for own, one in walk(cfg, key) if inner_key(one) is None)


def map_leaves(cfg: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """Return a data set's config with ``change`` applied to each leaf."""
    if not isinstance(cfg, Mapping):
        return [map_leaves(one, change) for one in cfg]
    inner = inner_key(cfg)
    if inner is None:
        return change(dict(cfg))
    return {**cfg, inner: map_leaves(cfg[inner], change)}


def with_key(cfg: Mapping[str, Any], use: str, key: str) -> Iterator[Mapping[str, Any]]:
    """Yield the data sets of ``data.<use>`` in a whole config that have a key, outer ones first."""
    for _, one in walk((cfg.get("data") or {}).get(use)):
        if one.get(key) is not None:
            yield one


def first_with(cfg: Mapping[str, Any], use: str, key: str = "pipeline") -> Mapping[str, Any]:
    """Return the first data set of ``data.<use>`` that has a key, outer ones before inner ones.

    Args:
        cfg: A whole config.
        use: ``'train'``, ``'val'`` or ``'test'``.
        key: The key.

    Raises:
        ConfigError: if no data set has it.
    """
    for found in with_key(cfg, use, key):
        return found
    raise ConfigError(
        f"no data set has a {key!r}", file=getattr(cfg, "filename", None), key=f"data.{use}"
    )


def transforms(cfg: Mapping[str, Any], use: str) -> Iterator[Mapping[str, Any]]:
    """Yield the configs of all transforms in the pipelines of ``data.<use>``."""
    for one in with_key(cfg, use, "pipeline"):
        for transform in one["pipeline"]:
            if isinstance(transform, Mapping):
                yield transform


def inner_key(cfg: Mapping[str, Any]) -> str | None:
    """Return the argument that holds the data sets inside a data set; None for a leaf.

    A class of the user's may give another meaning to ``dataset``, such as a name.
    """
    for key in _INNER:
        value = cfg.get(key)
        listed = value if isinstance(value, (list, tuple)) else [value]
        if listed and all(isinstance(one, Mapping) for one in listed):
            return key
    return None
