"""A dry run of a training: everything is built, a few steps are taken, nothing is kept."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import nn
from torch.utils.data import DataLoader

from pyskl.apis.data import build_loader, loader_settings
from pyskl.apis.dry_run_report import DryRunReport, SplitCounts
from pyskl.apis.rehearsal import Rehearsal
from pyskl.apis.settings import TrainSettings
from pyskl.apis.start import StartPoint
from pyskl.apis.train import build_trainer, prepare, run_from_config
from pyskl.checkpoints.checkpoint import LATEST
from pyskl.distributed.collectives import raise_on_all_ranks
from pyskl.distributed.env import DistEnv, Launcher, choose_device
from pyskl.distributed.monitor import Monitor
from pyskl.errors import InputError
from pyskl.logging.log import setup_logging
from pyskl.logging.run_log import RunLog
from pyskl.models.cost import StepCost, step_cost


def dry_run_from_config(
    config: str | Path | Mapping[str, Any] | Config,
    settings: TrainSettings | None = None,
    *,
    cfg_options: Sequence[str] = (),
    work_dir: str | Path | None = None,
    launcher: Launcher = "none",
) -> DryRunReport:
    """Do what ``tools/train.py --dry-run`` does.

    Args:
        config: As for :func:`pyskl.apis.train.train_from_config`, as are the others.
        settings: Likewise.
        cfg_options: Likewise.
        work_dir: Likewise; nothing is written to it.
        launcher: Likewise.

    Returns:
        What was found, on every process.

    Raises:
        InputError: as a training would, and if it could not write its work dir.
    """
    return run_from_config(
        dry_run,
        config,
        settings,
        cfg_options=cfg_options,
        work_dir=work_dir,
        launcher=launcher,
    )


def dry_run(
    model: nn.Module,
    dataset: Any,
    cfg: Config,
    settings: TrainSettings | None = None,
    *,
    env: DistEnv | None = None,
    device: torch.device | None = None,
    monitor: Monitor | None = None,
) -> DryRunReport:
    """Build all that :func:`pyskl.apis.train.train_model` builds, and take a few steps.

    The arguments are those of that function. The model's weights change.
    """
    settings = settings or TrainSettings()
    env = env or DistEnv()
    monitor = monitor or Monitor(env)
    device = device or choose_device(env)
    setup_logging(level=cfg.get("log_level", "INFO"), is_main=env.is_main)
    start, tests = prepare(model, dataset, cfg, settings, env)
    work_dir = Path(cfg.work_dir)
    with raise_on_all_ranks():
        if env.is_main:
            _check_writable(work_dir)
    with tempfile.TemporaryDirectory(prefix="dry_run_") as folder:
        # Whatever a run writes beside its logs goes there.
        cfg = copy.deepcopy(cfg)
        cfg.work_dir = folder
        trainer = build_trainer(
            Rehearsal,
            model,
            dataset,
            tests,
            cfg,
            settings,
            start,
            env,
            device,
            RunLog(None),
            monitor,
        )
        done = trainer.progress.epoch
        begun = _in_words(start, work_dir, trainer)
        loaders = {use: _loader(trainer, use, one, cfg) for use, one in tests.items()}
        steps, scored = trainer.rehearse(loaders)
    last = max(0, trainer.epochs * len(trainer.loader) - 1)
    validation = trainer.validation
    return DryRunReport(
        config=str(cfg.filename or "a config"),
        work_dir=work_dir,
        start=begun,
        seed=trainer.seed,
        model=f"{type(model).__name__} with {type(model.get_submodule('backbone')).__name__}",
        computing=_computing(env, device, settings),
        memory=_memory(device),
        parameters=sum(p.numel() for p in model.parameters()),
        trained=sum(p.numel() for p in model.parameters() if p.requires_grad),
        cost=_cost(model, steps.batch.shape),
        steps=steps,
        scored=scored,
        batch=trainer.loader.batch_sampler.batch_size * env.world_size,  # type: ignore[union-attr]
        per_epoch=len(trainer.loader),
        epochs=trainer.epochs,
        epochs_left=max(0, trainer.epochs - done),
        validations_left=sum(
            validation is not None and validation.is_due(epoch)
            for epoch in range(done + 1, trainer.epochs + 1)
        ),
        rates=(trainer.schedule.at(0), trainer.schedule.at(last // 2), trainer.schedule.at(last)),
        splits=_splits({"train": dataset, **tests}, model),
        label_names=getattr(_once(dataset)[0], "label_names", ()),
    )


def _check_writable(work_dir: Path) -> None:
    """Check that a run could write its work dir, without making it."""
    folder = work_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(
            f"{work_dir}: the work dir can't be written ({folder} is no folder that may be "
            "written); choose another with --work-dir"
        )


def _in_words(start: StartPoint | None, work_dir: Path, trainer: Rehearsal) -> str:
    """Say where a run starts, and where --resume would start it."""
    if start is not None and start.resumed:
        progress = trainer.progress
        path = start.path.resolve() if start.path.is_symlink() else start.path
        finished = ", so it is finished" if progress.epoch >= trainer.epochs else ""
        return (
            f"goes on from {start.path.with_name(path.name)}: {progress.epoch} of "
            f"{trainer.epochs} epochs and {progress.iteration:,} steps are done{finished}"
        )
    words = "a new run" if start is None else f"a new run with the weights of {start.source}"
    latest = work_dir / LATEST
    return f"{words}; --resume would go on from {latest}" if latest.exists() else words


def _computing(env: DistEnv, device: torch.device, settings: TrainSettings) -> str:
    words = [torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"]
    words.append("1 process" if env.world_size == 1 else f"{env.world_size} processes")
    words += [settings.amp] if settings.amp is not None else []
    words += ["compiled"] if settings.compile else []
    return ", ".join(words)


def _memory(device: torch.device) -> int | None:
    """Return the memory of a GPU, or of the machine."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf, others lack the names
        return None


def _cost(model: nn.Module, shape: tuple[int, ...]) -> StepCost | None:
    """Count a step for one clip of a batch (N, clips, M, T, V, C), of a model that is known."""
    try:
        return step_cost(model, frames=shape[3], persons=shape[2])
    except TypeError:
        return None


def _loader(trainer: Rehearsal, use: str, dataset: Any, cfg: Config) -> DataLoader:
    """Return the batches of a set that is measured."""
    if use == "val" and trainer.validation is not None:
        return trainer.validation.loader
    settings = loader_settings(cfg, use)
    return build_loader(dataset, device=trainer.device, shuffle=False, **settings)


def _once(dataset: Any) -> tuple[Any, int]:
    """Return the data set that another repeats, and how many times."""
    times = 1
    while hasattr(dataset, "times"):
        times *= dataset.times
        dataset = dataset.dataset
    return dataset, times


def _splits(datasets: Mapping[str, Any], model: nn.Module) -> list[SplitCounts]:
    """Count the samples of each class."""
    once = {use: _once(dataset) for use, dataset in datasets.items()}
    counts = {}
    for use, (dataset, _) in once.items():
        labels = np.asarray(dataset.labels)
        # Of a sample with several classes they are 0/1, (len, classes).
        counts[use] = labels.sum(axis=0).astype(int) if labels.ndim > 1 else np.bincount(labels)
    classes = getattr(getattr(model, "cls_head", None), "num_classes", 0)
    classes = max(classes, *map(len, counts.values()))
    return [
        SplitCounts(
            use, np.pad(counts[use], (0, classes - len(counts[use]))).tolist(), len(dataset), times
        )
        for use, (dataset, times) in once.items()
    ]
