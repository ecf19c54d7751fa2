"""Find all that is wrong with a config, before anything expensive starts.

In three steps, and in each all that the faults before it leave open: keys and types, by
:mod:`pyskl.config.schema` and the signatures of the classes that the config names; values, by
building the model, the optimizer, the schedule and the transforms; files, by opening the
annotations and looking for the splits, labels and joints that the model expects.
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
from torch import nn

from pyskl.config.fault import Faults
from pyskl.config.schema import AT_LEAST, KNOWN_KEYS, OTHER_WORDS, REQUIRED, ConfigSchema
from pyskl.config.source import unread_names
from pyskl.config.values import describe, matches
from pyskl.datasets.device import check_batch_form, check_data_device
from pyskl.datasets.packed.ahead import leading_transforms
from pyskl.datasets.pose import PoseDataset
from pyskl.datasets.wrappers import ConcatDataset, RepeatDataset
from pyskl.errors import ConfigError, InputError, did_you_mean, nearest
from pyskl.evaluation.evaluate import check_metrics, metric_keys
from pyskl.models import build_model
from pyskl.registry import DATASETS, PIPELINES, Registry
from pyskl.skeleton import names_fault
from pyskl.training.optimizer import build_optimizer, optimizer_class
from pyskl.training.schedule import LearningRate

# Arguments that only a class which takes `**kwargs` knows of, by this method of the class.
_EXTRA_OPTIONS = "extra_options"

# How much a top-level name has to look like a key to be taken for a slip rather than for a helper
# variable that nothing reads: above "modality" and "model", "data_root" and "data".
_SLIP = 0.7


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
    _check_numbers(config, faults)
    _check_workflow(config.get("workflow"), faults)
    _check_optimizer(config.get("optimizer"), faults)
    _check_schedule(config.get("lr_config"), faults)
    _check_evaluation(config.get("evaluation"), faults)
    model = _check_model(config.get("model"), faults)
    for use in uses:
        device = _data_device(config, use, faults)
        for key, leaf in _leaf_datasets(_at(config, f"data.{use}"), f"data.{use}", faults):
            _check_pipeline(key, leaf, faults, in_batches=device is not None)
            _check_data(key, leaf, use, model, faults, trusted=trusted)
    faults.raise_if_any()


def _at(config: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path, or None where there is none."""
    section: Any = config
    for part in path.split("."):
        section = section.get(part) if isinstance(section, Mapping) else None
    return section


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
        meant = OTHER_WORDS.get(key) or nearest(key, KNOWN_KEYS, likeness=_SLIP)
        if meant and key in unread:
            faults.add(key, f"there is no such key; did you mean {meant!r}?")
    for use in uses:
        for path in REQUIRED[use]:
            if _at(config, path) is None:
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
    for name in sorted(schema.__required_keys__ - set(section)):
        faults.add(f"{key}.{name}", "is missing")


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
    if not callable(cls):
        faults.add(f"{key}.type", f"should be the name of a {registry.name}, found {kind!r}")
        return
    _check_arguments(key, cfg, cls, faults)


def _check_arguments(key: str, cfg: Mapping[str, Any], cls: type, faults: Faults) -> None:
    """Check a config's keys and value types against the signature of the class that it names."""
    parameters = dict(inspect.signature(cls).parameters)
    open_ended = False
    for name, parameter in list(parameters.items()):
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            open_ended |= parameter.kind == parameter.VAR_KEYWORD
            del parameters[name]
    hints = _signature_hints(cls)
    if hasattr(cls, _EXTRA_OPTIONS):
        open_ended = True  # as long as it can't say what it takes
        with faults.collecting(key):
            parameters.update(getattr(cls, _EXTRA_OPTIONS)(cfg))
            open_ended = False
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
    if not faults.under("optimizer"):
        with faults.collecting("optimizer"):
            build_optimizer(nn.Linear(1, 1), cfg)


def _check_schedule(cfg: Any, faults: Faults) -> None:
    if isinstance(cfg, Mapping) and not faults.under("lr_config"):
        with faults.collecting("lr_config"):
            LearningRate(base_lr=1.0, epochs=1, iters_per_epoch=1, **cfg)


def _check_evaluation(cfg: Any, faults: Faults) -> None:
    if not isinstance(cfg, Mapping) or faults.under("evaluation"):
        return
    metrics = cfg.get("metrics", ())
    metrics = [metrics] if isinstance(metrics, str) else list(metrics)
    for metric in metrics:
        with faults.collecting("evaluation.metrics"):
            check_metrics([metric])
    topk = cfg.get("topk", (1, 5))
    if min([topk] if isinstance(topk, int) else topk, default=0) < 1:
        faults.add("evaluation.topk", f"should be numbers from 1 up, found {topk!r}")
    key = cfg.get("save_best")
    names = metric_keys(metrics or ["top_k_accuracy"], topk)
    if key not in (None, "auto", *names) and not faults.under("evaluation"):
        faults.add(
            "evaluation.save_best", f"{key!r} is not measured{did_you_mean(str(key), names)}"
        )


def _check_numbers(config: Mapping[str, Any], faults: Faults) -> None:
    for key, least in AT_LEAST.items():
        value = _at(config, key)
        if isinstance(value, (int, float)) and value < least:
            faults.add(key, f"should be at least {least}, found {value}")


def _check_workflow(cfg: Any, faults: Faults) -> None:
    if cfg is not None and not faults.under("workflow") and [name for name, _ in cfg] != ["train"]:
        faults.add(
            "workflow", f"should be [('train', 1)], found {cfg!r}; --validate measures data.val"
        )


def _check_model(cfg: Any, faults: Faults) -> Any:
    """Build the model for what its constructors have to say; None where they object."""
    if not isinstance(cfg, Mapping) or faults.under("model"):
        return None
    model = None
    with faults.collecting("model"):
        model = build_model(cfg)
        width = getattr(model.backbone, "out_channels", None)
        takes = getattr(model.cls_head, "in_channels", width)
        if takes != width and width is not None:
            faults.add(
                "model.cls_head.in_channels",
                f"is {takes}, but the backbone's features have {width} channels",
            )
    return model


def _leaf_datasets(cfg: Any, key: str, faults: Faults) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the data sets that read files, inside those that repeat and concatenate others."""
    if isinstance(cfg, (list, tuple)):
        for index, item in enumerate(cfg):
            yield from _leaf_datasets(item, f"{key}[{index}]", faults)
    elif isinstance(cfg, Mapping):
        cls = _dataset_class(cfg)
        if cls in _WRAPPERS:
            inner = _WRAPPERS[cls]
            _check_wrapper(key, cfg, cls, inner, faults)
            yield from _leaf_datasets(cfg.get(inner), f"{key}.{inner}", faults)
        elif cls is not None:
            yield key, cfg


# Data sets made of other data sets, and the argument that holds those.
_WRAPPERS: dict[Any, str] = {RepeatDataset: "dataset", ConcatDataset: "datasets"}


def _dataset_class(cfg: Mapping[str, Any]) -> Any:
    """Return the class that a data set's config names; None where it names none."""
    kind = cfg.get("type")
    try:
        found = DATASETS.get(kind) if isinstance(kind, str) else kind
        return found if isinstance(found, type) else None
    except ConfigError:  # already among the faults
        return None


def _check_wrapper(key: str, cfg: Mapping[str, Any], cls: Any, inner: str, faults: Faults) -> None:
    """Let a wrapper's constructor have its say, around empty data sets."""
    names = {*cfg, *inspect.signature(cls).parameters} - {inner}
    if any(faults.under(f"{key}.{name}") for name in names):
        return
    arguments = {name: value for name, value in cfg.items() if name != "type"}
    content = cfg.get(inner)
    arguments[inner] = [()] * len(content) if isinstance(content, (list, tuple)) else ()
    with faults.collecting(key):
        cls(**arguments)


def _data_device(config: Mapping[str, Any], use: str, faults: Faults) -> str | None:
    """Return where the data set of a use is kept and its batches are made; None for nowhere."""
    found = None
    for key in ("data.device", f"data.{use}_dataloader.device"):
        *section, name = key.split(".")
        holder = _at(config, ".".join(section))
        if isinstance(holder, Mapping) and name in holder and not faults.under(key):
            found = holder[name]
            if found is not None:
                with faults.collecting(key):
                    check_data_device(found)
    return found


def _check_pipeline(key: str, cfg: Mapping[str, Any], faults: Faults, *, in_batches: bool) -> None:
    pipeline = cfg.get("pipeline")
    pipeline = pipeline if isinstance(pipeline, (list, tuple)) else ()
    ahead = len(leading_transforms(pipeline)) if in_batches else len(pipeline)
    for index, transform in enumerate(pipeline):
        where = f"{key}.pipeline[{index}]"
        if isinstance(transform, Mapping) and not faults.under(where):
            with faults.collecting(where):
                built = PIPELINES.build(transform)
                if index >= ahead:
                    check_batch_form(built)


# --- files ----------------------------------------------------------------------------------------


def _check_data(
    key: str, cfg: Mapping[str, Any], use: str, model: Any, faults: Faults, *, trusted: bool
) -> None:
    """Open the annotations and hold the first sample against the model."""
    cls = _dataset_class(cfg)
    if not issubclass(cls, PoseDataset) or faults.under(f"{key}.ann_file"):
        return
    trusted = trusted or bool(cfg.get("trusted", False))
    try:
        annotations = cls.read_annotations(
            cfg["ann_file"],
            pipeline=cfg.get("pipeline", ()),
            trusted=trusted,
            pack=cfg.get("pack", "auto"),
        )
    except InputError as error:
        faults.add(f"{key}.ann_file", str(error))
        return
    if not faults.under(f"{key}.split"):
        split = cfg.get("split")
        try:
            annotations.select(split)
        except InputError as error:
            faults.add(f"{key}.split", str(error))
            return
        with faults.collecting(f"{key}.ann_file"):
            annotations.check(
                split,
                num_classes=getattr(getattr(model, "cls_head", None), "num_classes", None),
                multi_class=bool(cfg.get("multi_class", False)),
            )
    graph = getattr(getattr(model, "backbone", None), "graph", None)
    names = getattr(annotations, "joint_names", None)
    wrong_joints = None if graph is None else names_fault(names, graph.layout)
    if wrong_joints is not None:
        faults.add(
            f"{key}.ann_file",
            f"{cfg['ann_file']}: {wrong_joints}; convert the recordings with the layout "
            "(--layout), or name the layout that they are of in the config",
        )
    if faults.under(key):
        return
    with faults.collecting(key):
        arguments = {name: value for name, value in cfg.items() if name != "type"}
        arguments["test_mode"] = use != "train"
        if trusted:
            arguments["trusted"] = True
        dataset = cls(**arguments)
        dataset.draw_weights()
        sample = dataset[0]
        if model is not None:
            _check_fit(sample, use, model)


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
    clips, persons, _, joints, channels = shape
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
    if getattr(backbone, "data_bn_type", None) == "MVC" and persons != backbone.num_person:
        raise ConfigError(
            f"the pipeline yields {persons} persons, but the backbone's data_bn_type='MVC' takes "
            f"num_person={backbone.num_person}"
        )
    if use == "train" and clips != 1:
        raise ConfigError(f"training takes one clip of a sample, but the pipeline yields {clips}")
