"""Find all that is wrong with a config, before anything expensive starts.

In three steps, each only where the one before found nothing in the way: keys and types, by
:mod:`pyskl.config.schema` and the signatures of the classes that the config names; values, by
building the model and the transforms; files, by opening the annotations and looking for the
splits, labels and joints that the model expects.
"""

from __future__ import annotations

import collections.abc
import inspect
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import numpy as np
from mmengine.config import Config

from pyskl.config.fault import Faults
from pyskl.config.schema import KNOWN_KEYS, OTHER_WORDS, REQUIRED, ConfigSchema
from pyskl.config.source import unread_names
from pyskl.config.values import describe, matches
from pyskl.datasets.pose import PoseDataset
from pyskl.datasets.wrappers import ConcatDataset, RepeatDataset
from pyskl.engine.optimizer import optimizer_class
from pyskl.engine.schedule import LearningRate
from pyskl.errors import ConfigError, InputError, did_you_mean, nearest
from pyskl.models import build_model
from pyskl.registry import DATASETS, PIPELINES, Registry

# Arguments that only a class which takes `**kwargs` knows of, by this method of the class.
_EXTRA_OPTIONS = "extra_options"


def check_config(
    config: Config | Mapping[str, Any],
    uses: Sequence[str] = ("train",),
    *,
    source: str | Path | None = None,
    trusted: bool = False,
) -> None:
    """Check a config for what it is going to be used for.

    Args:
        config: The config.
        uses: Some of ``'train'``, ``'val'``, ``'test'``: which data sets are going to be read.
        source: The file it came from; by default the one it knows itself.
        trusted: Open annotation files with plain pickle.

    Raises:
        ConfigError: listing all faults, each with its key.
    """
    filename = source
    if isinstance(config, Config):
        filename = source or config.filename
        config = config.to_dict()
    faults = Faults(str(filename or "config"))
    _check_top_level(config, uses, filename, faults)
    _check_optimizer(config.get("optimizer"), faults)
    model = _check_model(config, faults)
    for use in uses:
        key = f"data.{use}"
        for leaf_key, leaf in _leaf_datasets(config.get("data", {}).get(use), key):
            if not faults.under(leaf_key):
                _check_pipeline(leaf_key, leaf, faults)
            if not faults.under(leaf_key):
                _check_data(leaf_key, leaf, use, model, faults, trusted=trusted)
    faults.raise_if_any()


# --- keys and types -------------------------------------------------------------------------------


def _check_top_level(
    config: Mapping[str, Any], uses: Sequence[str], filename: Any, faults: Faults
) -> None:
    hints = typing.get_type_hints(ConfigSchema, include_extras=True)
    for key in config:
        if key in hints:
            _check_value(key, config[key], hints[key], faults)
    unread = unread_names(filename) if filename and str(filename).endswith(".py") else set(config)
    for key in sorted(set(config) - KNOWN_KEYS):
        meant = OTHER_WORDS.get(key) or nearest(key, KNOWN_KEYS)
        if meant and key in unread:
            faults.add(key, f"there is no such key; did you mean {meant!r}?")
    for use in uses:
        for path in REQUIRED[use]:
            section: Any = config
            for part in path.split("."):
                section = section.get(part) if isinstance(section, Mapping) else None
            if section is None:
                faults.add(path, "is missing")


def _check_value(key: str, value: Any, hint: Any, faults: Faults) -> None:
    """Check a value against a type hint, and what is inside it."""
    options = get_args(hint) if get_origin(hint) in _UNIONS else (hint,)
    for option in options:
        registry = _registry_of(option)
        if isinstance(value, Mapping) and registry is not None:
            return _check_built(key, value, registry, faults)
        if isinstance(value, Mapping) and typing.is_typeddict(option):
            return _check_section(key, value, option, faults)
        if _is_list_of_configs(option) and isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                _check_value(f"{key}[{index}]", item, get_args(option)[0], faults)
            return None
    if not any(matches(value, _plain(option)) for option in options):
        wanted = " or ".join(dict.fromkeys(describe(_plain(option)) for option in options))
        faults.add(key, f"should be {wanted}, found {type(value).__name__}: {value!r}")
    return None


_UNIONS = (typing.Union, type(int | str))


def _plain(hint: Any) -> Any:
    """Return what a section or a config to build is outwardly: a dict."""
    return Mapping if typing.is_typeddict(hint) or _registry_of(hint) is not None else hint


def _registry_of(hint: Any) -> Registry | None:
    if get_origin(hint) is Annotated:
        return next((note for note in get_args(hint)[1:] if isinstance(note, Registry)), None)
    return None


def _is_list_of_configs(hint: Any) -> bool:
    origin = get_origin(hint)
    if not (isinstance(origin, type) and issubclass(origin, collections.abc.Sequence)):
        return False
    item = get_args(hint)[0]
    options = get_args(item) if get_origin(item) in _UNIONS else (item,)
    return any(_plain(option) is Mapping for option in options)


def _check_section(key: str, section: Mapping[str, Any], schema: Any, faults: Faults) -> None:
    hints = typing.get_type_hints(schema, include_extras=True)
    for name, value in section.items():
        if name in hints:
            _check_value(f"{key}.{name}", value, hints[name], faults)
        else:
            faults.add(f"{key}.{name}", f"there is no such key{did_you_mean(name, hints)}")


def _check_built(key: str, cfg: Mapping[str, Any], registry: Registry, faults: Faults) -> None:
    kind = cfg.get("type")
    if kind is None:
        faults.add(f"{key}.type", f"is missing; it names the {registry.name}")
        return
    try:
        cls = registry.get(kind) if isinstance(kind, str) else kind
    except ConfigError as error:
        faults.add(f"{key}.type", str(error))
        return
    check_arguments(key, cfg, cls, faults)


def check_arguments(key: str, cfg: Mapping[str, Any], cls: type, faults: Faults) -> None:
    """Check a config's keys and value types against the signature of the class that it names."""
    parameters = dict(inspect.signature(cls).parameters)
    open_ended = False
    for name, parameter in list(parameters.items()):
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            open_ended |= parameter.kind == parameter.VAR_KEYWORD
            del parameters[name]
    hints = _signature_hints(cls)
    if hasattr(cls, _EXTRA_OPTIONS):
        open_ended = False
        with faults.collecting(key):
            extra = getattr(cls, _EXTRA_OPTIONS)(cfg)
            parameters.update(extra)
    for name, value in cfg.items():
        if name == "type":
            continue
        if name in parameters:
            hint = hints.get(name, Any)
            if hint is not Any:
                _check_value(f"{key}.{name}", value, hint, faults)
        elif not open_ended:
            faults.add(
                f"{key}.{name}", f"{cls.__name__} takes no {name!r}{did_you_mean(name, parameters)}"
            )
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in cfg:
            faults.add(f"{key}.{name}", f"is missing; {cls.__name__} needs it")


def _signature_hints(cls: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls.__init__, include_extras=True)  # type: ignore[misc]
    except (NameError, TypeError):  # a user's class whose hints can't be evaluated has none to us
        return {}


# --- values ---------------------------------------------------------------------------------------


def _check_optimizer(cfg: Any, faults: Faults) -> None:
    if not isinstance(cfg, Mapping) or faults.under("optimizer"):
        return
    try:
        cls = optimizer_class(cfg.get("type"))
    except ConfigError as error:
        faults.add("optimizer.type", str(error))
        return
    parameters = dict(inspect.signature(cls).parameters)
    parameters.pop("params")
    for name, value in cfg.items():
        if name != "type" and name not in parameters:
            faults.add(
                f"optimizer.{name}",
                f"{cls.__name__} takes no {name!r}{did_you_mean(name, parameters)}",
            )
        numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
        if name in ("lr", "momentum", "weight_decay") and not (numeric and value >= 0):
            faults.add(f"optimizer.{name}", f"should be a number from 0 up, found {value!r}")
    if "lr" not in cfg:
        faults.add("optimizer.lr", "is missing")


def _check_model(config: Mapping[str, Any], faults: Faults) -> Any:
    """Build the model and the schedule for what their constructors have to say."""
    lr_config = config.get("lr_config")
    if isinstance(lr_config, Mapping) and not faults.under("lr_config"):
        with faults.collecting("lr_config"):
            LearningRate(**{"base_lr": 1.0, "epochs": 1, "iters_per_epoch": 1, **lr_config})
    for key in (
        "data.videos_per_gpu",
        "total_epochs",
        "log_config.interval",
        "checkpoint_config.interval",
        "evaluation.interval",
    ):
        section: Any = config
        for part in key.split("."):
            section = section.get(part) if isinstance(section, Mapping) else None
        if isinstance(section, int) and section < 1 and not key.startswith("checkpoint"):
            faults.add(key, f"should be at least 1, found {section}")
    model = config.get("model")
    if not isinstance(model, Mapping) or faults.under("model"):
        return None
    with faults.collecting("model"):
        return build_model(model)
    return None


def _leaf_datasets(cfg: Any, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the data sets that read files, inside those that repeat and concatenate others."""
    if isinstance(cfg, (list, tuple)):
        for index, item in enumerate(cfg):
            yield from _leaf_datasets(item, f"{key}[{index}]")
    elif isinstance(cfg, Mapping):
        cls = DATASETS.module_dict.get(cfg.get("type"))
        if cls is RepeatDataset:
            yield from _leaf_datasets(cfg.get("dataset"), f"{key}.dataset")
        elif cls is ConcatDataset:
            yield from _leaf_datasets(cfg.get("datasets"), f"{key}.datasets")
        else:
            yield key, cfg


def _check_pipeline(key: str, cfg: Mapping[str, Any], faults: Faults) -> None:
    for index, transform in enumerate(cfg.get("pipeline", ())):
        if isinstance(transform, Mapping):
            with faults.collecting(f"{key}.pipeline[{index}]"):
                PIPELINES.build(transform)


# --- files ----------------------------------------------------------------------------------------


def _check_data(
    key: str, cfg: Mapping[str, Any], use: str, model: Any, faults: Faults, *, trusted: bool
) -> None:
    """Open the annotations and hold the first sample against the model."""
    cls: Any = DATASETS.get(cfg["type"]) if isinstance(cfg["type"], str) else cfg["type"]
    if not issubclass(cls, PoseDataset):
        return
    trusted = trusted or cfg.get("trusted", False)
    try:
        annotations = cls.read_annotations(cfg["ann_file"], trusted=trusted)
    except InputError as error:
        faults.add(f"{key}.ann_file", str(error))
        return
    num_classes = getattr(getattr(model, "cls_head", None), "num_classes", None)
    try:
        split = cfg.get("split")
        annotations.select(split)
        annotations.check(split, num_classes=num_classes, multi_class=cfg.get("multi_class", False))
    except InputError as error:
        faults.add(f"{key}.split", str(error))
        return
    if model is not None:
        with faults.collecting(key):
            arguments = {name: value for name, value in cfg.items() if name != "type"}
            arguments.update(test_mode=use != "train", trusted=trusted)
            _check_fit(cls(**arguments)[0], use, model)


def _check_fit(sample: Mapping[str, Any], use: str, model: Any) -> None:
    """Hold the shape of what the pipeline yields against what the model takes."""
    for name in ("keypoint", "label"):
        if name not in sample:
            raise ConfigError(f"the pipeline yields {sorted(sample)} but the model needs {name!r}")
    shape = tuple(np.shape(sample["keypoint"]))
    if len(shape) != 5:
        raise ConfigError(
            f"the pipeline should yield keypoint (clips, M, T, V, C), found shape {shape}; "
            "does it end with FormatGCNInput?"
        )
    clips, _, _, joints, channels = shape
    backbone = model.backbone
    if hasattr(backbone, "graph") and joints != backbone.graph.num_node:
        raise ConfigError(
            f"the samples have {joints} joints, but the model's layout "
            f"{backbone.graph.layout.name!r} has {backbone.graph.num_node}"
        )
    if hasattr(backbone, "in_channels") and channels != backbone.in_channels:
        raise ConfigError(
            f"the pipeline yields {channels} channels, but the backbone takes "
            f"in_channels={backbone.in_channels}"
        )
    if use == "train" and clips != 1:
        raise ConfigError(f"training takes one clip of a sample, but the pipeline yields {clips}")
