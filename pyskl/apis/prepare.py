"""Build what a config describes, and report all of its errors at once.

The run uses the objects that are checked, so each model and data set is built once. Nothing here
starts a process group or uses a GPU.

Shapes: M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from pyskl.apis.data import build_dataset_for
from pyskl.apis.data_checks import (
    Shape,
    check_batches,
    check_measurable,
    check_samples,
    check_several_classes,
)
from pyskl.apis.settings import TrainSettings
from pyskl.config import RunConfig, read_config
from pyskl.config.check import check_arguments
from pyskl.config.error_collector import ErrorCollector
from pyskl.config.schema import EvaluationConfig
from pyskl.datasets import AnnotationFiles, ConcatDataset, PoseDataset, RepeatDataset
from pyskl.datasets.dataset_tree import leaves, walk
from pyskl.datasets.loader import check_data_device
from pyskl.datasets.sample_checks import label_hint
from pyskl.datasets.wrappers import wrapped_datasets
from pyskl.errors import (
    AnnotationError,
    ConfigError,
    RunError,
    UntrustedFileError,
    did_you_mean,
)
from pyskl.evaluation.evaluate import check_metrics, metric_keys
from pyskl.models import build_model
from pyskl.registry import DATASETS, PIPELINES
from pyskl.skeleton import joint_names_problem
from pyskl.training.optimizer import ParamwiseOptions, optimizer_class
from pyskl.training.schedule import LearningRate, policy_name
from pyskl.training.seeding import init_random_seed, set_random_seed


@dataclass
class Prepared:
    """A config and what was built from it.

    Attributes:
        cfg: The config with all defaults.
        model: The recognizer, on the CPU; None if the config has none.
        datasets: The data set of each use. ``'val'`` and ``'test'`` are one object if their
            configs are equal.
        seed: The seed that was set before the model was built.
    """

    cfg: RunConfig
    model: Any = None
    datasets: dict[str, Any] = field(default_factory=dict)
    seed: int = 0


def prepare(
    config: Config | Mapping[str, Any],
    uses: Sequence[str],
    *,
    trusted: bool = False,
    training: TrainSettings | None = None,
    files: AnnotationFiles | None = None,
    errors: ErrorCollector | None = None,
) -> Prepared:
    """Check a config and build its model and data sets.

    Args:
        config: The config, as :func:`pyskl.config.load_config` returns it.
        uses: Some of ``'train'``, ``'val'``, ``'test'``: the data sets to build.
        trusted: Open annotation files with plain pickle.
        training: The settings of a training run, which seeds before it builds the model; None for
            a test.
        files: Opens annotation files.
        errors: The errors so far, to report with those that are found here.

    Raises:
        ConfigError: its ``errors`` are all errors in the config, each with its key.
    """
    source = str(getattr(config, "filename", None) or "config")
    errors = ErrorCollector(source) if errors is None else errors
    cfg = read_config(config, uses, errors)
    prepared = Prepared(cfg)
    if training is not None:
        prepared.seed = init_random_seed(cfg.seed if training.seed is None else training.seed)
        set_random_seed(prepared.seed, deterministic=training.deterministic)
    if cfg.lr_config and not errors.under("lr_config"):
        run_length = {"base_lr": 1.0, "epochs": 1, "iters_per_epoch": 1}
        check_arguments("lr_config", cfg.lr_config, LearningRate, errors, leave_out=[*run_length])
        if isinstance(cfg.lr_config.get("policy"), str):
            with errors.collecting("lr_config.policy"):
                policy_name(cfg.lr_config["policy"])
        if not errors.under("lr_config"):
            with errors.collecting("lr_config"):
                LearningRate(**run_length, **cfg.lr_config)  # type: ignore[arg-type]
    _check_evaluation(cfg.evaluation, errors)
    if [name for name, _ in cfg.workflow] != ["train"]:
        errors.add(
            "workflow",
            "only training is supported",
            found=cfg.workflow,
            expected="[('train', 1)]",
            hint="--validate measures data.val",
        )
    if cfg.model and not errors.under("model"):
        with errors.collecting("model"):
            prepared.model = build_model(cfg.model)
            _check_head(prepared.model, errors)
    _check_optimizer(cfg.optimizer, prepared.model, errors)
    files = files or AnnotationFiles()
    shapes: dict[str, dict[Shape, str]] = {}
    for use in uses:
        key, given = f"data.{use}", getattr(cfg.data, use)
        if not given or errors.at(key):
            continue
        if use == "test" and "val" in prepared.datasets and given == cfg.data.val:
            prepared.datasets["test"] = prepared.datasets["val"]
            continue
        error: Exception | None = None
        if not errors.under(key):
            try:
                prepared.datasets[use] = build_dataset_for(given, use, trusted=trusted, files=files)
            except RunError:  # such as a request to stop
                raise
            except Exception as caught:  # users' classes may raise anything
                error = caught
        if use not in prepared.datasets:
            _locate_errors(key, given, use, errors, trusted=trusted, error=error)
            continue
        _check_device(cfg, use, errors)
        built = list(wrapped_datasets(prepared.datasets[use]))
        keys = [leaf_key for leaf_key, _ in leaves(given, key)]
        if len(built) != len(keys):  # a wrapper class of the user
            built, keys = [prepared.datasets[use]], [key]
        for where, dataset in zip(keys, built):
            found = check_against_model(where, dataset, use, prepared.model, errors)
            shapes.setdefault(use, {}).update({**found, **shapes.get(use, {})})
    for use, dataset in prepared.datasets.items():
        key = f"data.{use}"
        if errors.under(key):
            continue
        found = shapes.get(use, shapes.get("val", {}))
        check_batches(key, found, cfg.data.loader(use).videos_per_gpu, errors)
        labels = np.asarray(dataset.labels)
        with errors.collecting(key):
            if use == "train":
                check_several_classes(labels, _num_classes(prepared.model))
            elif use == "val" and not errors.under("evaluation.metrics"):
                check_measurable(cfg.evaluation.metric_names, prepared.model, labels)
    errors.raise_if_any()
    return prepared


def _check_optimizer(cfg: Mapping[str, Any], model: Any, errors: ErrorCollector) -> None:
    if not cfg or errors.under("optimizer"):
        return
    try:
        cls = optimizer_class(cfg.get("type"))
    except ConfigError as error:
        errors.add("optimizer.type", str(error))
        return
    if "lr" not in cfg:
        errors.add("optimizer.lr", "is missing")
    arguments = dict(cfg)
    paramwise = arguments.pop("paramwise_cfg", None)
    constructor = arguments.pop("constructor", None)
    if constructor not in (None, "DefaultOptimizerConstructor"):
        errors.add("optimizer.constructor", "not supported", found=constructor)
    if isinstance(paramwise, Mapping):
        key = "optimizer.paramwise_cfg"
        check_arguments(key, paramwise, ParamwiseOptions, errors)
        if model is not None and not errors.under(key):
            with errors.collecting(key):
                ParamwiseOptions(**paramwise).factors(model)
    elif paramwise is not None:
        errors.add("optimizer.paramwise_cfg", "is not a dict", found=paramwise)
    check_arguments("optimizer", arguments, cls, errors, leave_out=["params"])
    if not errors.under("optimizer"):
        del arguments["type"]
        with errors.collecting("optimizer"):
            cls([nn.Parameter(torch.zeros(1))], **arguments)


def _check_evaluation(cfg: EvaluationConfig, errors: ErrorCollector) -> None:
    for metric in cfg.metric_names:
        with errors.collecting("evaluation.metrics"):
            check_metrics([metric])
    values = metric_keys(cfg.metric_names, cfg.ks)
    known = cfg.save_best in (None, "auto", *values)
    if not known and not errors.under("evaluation"):
        errors.add(
            "evaluation.save_best",
            f"{cfg.save_best!r} is not measured",
            hint=did_you_mean(str(cfg.save_best), values).removeprefix("; "),
        )


def _check_head(model: Any, errors: ErrorCollector) -> None:
    width = getattr(model.backbone, "out_channels", None)
    takes = getattr(model.cls_head, "in_channels", width)
    if width is not None and takes != width:
        errors.add(
            "model.cls_head.in_channels",
            "does not fit the backbone",
            found=takes,
            expected=f"{width}, as the backbone's features have {width} channels",
        )


# --- data sets ------------------------------------------------------------------------------------


def _locate_errors(
    key: str, cfg: Any, use: str, errors: ErrorCollector, *, trusted: bool, error: Exception | None
) -> None:
    """Build each part of a data set separately, to find those that can't be built.

    Args:
        key: Key of the data set.
        cfg: Its config.
        use: ``'train'``, ``'val'`` or ``'test'``.
        errors: Collects the errors.
        trusted: Open annotation files with plain pickle.
        error: The exception from building the whole data set, if that was tried.
    """
    before = len(errors.found)
    leaf_keys = {leaf_key for leaf_key, _ in leaves(cfg, key)}
    for where, part in walk(cfg, key):
        if errors.under(f"{where}.type"):
            continue
        kind = part.get("type")
        cls = DATASETS.get(kind) if isinstance(kind, str) else kind
        if where in leaf_keys:
            _locate_in_leaf(where, part, cls, use, errors, trusted=trusted)
        elif cls in (RepeatDataset, ConcatDataset):
            # Empty data sets, to check only the arguments of the wrapper.
            inner = "dataset" if cls is RepeatDataset else "datasets"
            if not any(errors.at(f"{where}.{name}") for name in ("times", "test_mode")):
                with errors.collecting(where):
                    DATASETS.build({**part, inner: () if cls is RepeatDataset else [()]})
    if error is not None and len(errors.found) == before:
        with errors.collecting(key):
            raise error


def _locate_in_leaf(
    where: str,
    leaf: Mapping[str, Any],
    cls: Any,
    use: str,
    errors: ErrorCollector,
    *,
    trusted: bool,
) -> None:
    pipeline = leaf.get("pipeline")
    for index, transform in enumerate(pipeline if isinstance(pipeline, (list, tuple)) else ()):
        inner = f"{where}.pipeline[{index}]"
        if isinstance(transform, Mapping) and not errors.under(inner):
            with errors.collecting(inner):
                PIPELINES.build(transform)
    # Without the pipeline, which may have errors too.
    reads_file = isinstance(cls, type) and issubclass(cls, PoseDataset) and "ann_file" in leaf
    if reads_file and not any(errors.under(f"{where}.{name}") for name in ("ann_file", "split")):
        try:
            build_dataset_for({**leaf, "pipeline": []}, use, trusted=trusted)
        except (AnnotationError, UntrustedFileError) as error:
            of_split = (error.key or "").startswith("split") and not error.errors
            errors.add(f"{where}.{'split' if of_split else 'ann_file'}", str(error))
            return
        except ValueError:
            pass  # reported below
    if not errors.under(where):
        with errors.collecting(where):
            build_dataset_for(leaf, use, trusted=trusted)


def _check_device(cfg: RunConfig, use: str, errors: ErrorCollector) -> None:
    device = cfg.data.loader(use).device
    if device is None:
        return
    own = cfg.given["data"].get(f"{use}_dataloader", {})
    with errors.collecting(f"data.{use}_dataloader.device" if "device" in own else "data.device"):
        check_data_device(device)


def _num_classes(model: Any) -> int | None:
    return getattr(getattr(model, "cls_head", None), "num_classes", None)


def check_against_model(
    where: str, dataset: Any, use: str, model: Any, errors: ErrorCollector
) -> dict[Shape, str]:
    """Check labels, joints and samples of a data set against the model; see `check_samples`."""
    file = getattr(dataset, "ann_file", "the data set")
    classes = _num_classes(model)
    labels = np.asarray(dataset.labels)
    if classes is not None and len(labels):
        if labels.ndim > 1:  # 0/1, (N, classes)
            wrong = np.flatnonzero(labels[:, classes:].any(axis=1))
            listed = [np.flatnonzero(row) for row in labels]
        else:
            wrong, listed = np.flatnonzero((labels < 0) | (labels >= classes)), labels.tolist()
        if len(wrong):
            ids = dataset.sample_ids
            errors.add(
                f"{where}.ann_file",
                f"{len(wrong)} sample(s) have a label that the model has no class for",
                found=f"label {labels[wrong[0]]} of sample {ids[wrong[0]]!r} in {file}",
                expected=f"0 to {classes - 1}",
                hint=label_hint(listed, classes, lambda position: ids[position]),
            )
    graph = getattr(getattr(model, "backbone", None), "graph", None)
    other_joints = graph and joint_names_problem(
        getattr(dataset, "joint_names", None), graph.layout
    )
    if other_joints:
        errors.add(
            f"{where}.ann_file",
            f"{file}: {other_joints}",
            hint="convert the recordings with the layout of the config (--layout), or name their "
            "layout in the config",
        )
    if errors.under(where):
        return {}
    with errors.collecting(where):
        dataset.draw_weights()
    return check_samples(where, dataset, use, model, errors)
