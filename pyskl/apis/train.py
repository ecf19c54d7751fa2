"""Train a recognizer, from a config or from objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from pyskl.apis.data import build_data, build_loader, loader_settings
from pyskl.apis.data_checks import check_measurable
from pyskl.apis.data_warnings import (
    warn_of_assumptions,
    warn_of_shared_samples,
    warn_of_unused_classes,
)
from pyskl.apis.prepare import check_against_model, prepare
from pyskl.apis.records import open_logs, record_test
from pyskl.apis.same_run import run_facts
from pyskl.apis.settings import TrainSettings
from pyskl.apis.start import StartPoint, apply_start, find_start
from pyskl.apis.test import test_model
from pyskl.checkpoints.checkpoint import open_checkpoint
from pyskl.checkpoints.manager import SavePolicy
from pyskl.checkpoints.weights import load_weights
from pyskl.config import RunConfig, config_text, known_part, load_config, read_config
from pyskl.config.error_collector import ErrorCollector
from pyskl.config.schema import KEYS_WITHOUT_EFFECT, CheckpointConfig
from pyskl.datasets.wrappers import wrapped_datasets
from pyskl.distributed.collectives import (
    broadcast_object,
    check_same_on_all_ranks,
    raise_on_all_ranks,
)
from pyskl.distributed.env import DistEnv, Launcher, choose_device
from pyskl.distributed.monitor import Monitor, distributed_run
from pyskl.errors import InputError
from pyskl.evaluation.evaluate import describe_metrics, evaluate
from pyskl.logging.environment import environment, source_digest
from pyskl.logging.log import get_logger
from pyskl.logging.run_log import RunLog
from pyskl.models.convert import replace_sync_batchnorm
from pyskl.training.memory import keep_freed_memory
from pyskl.training.optimizer import build_optimizer
from pyskl.training.schedule import LearningRate
from pyskl.training.seeding import set_random_seed
from pyskl.training.trainer import Trainer
from pyskl.training.validation import Validation

AnyTrainer = TypeVar("AnyTrainer", bound=Trainer)


@dataclass
class TrainingRun:
    """Everything that a training run uses; a dry run uses the same.

    Attributes:
        cfg: The config; ``seed`` and ``work_dir`` are those of the run.
        settings: The settings of the command line.
        model: The recognizer.
        datasets: ``'train'`` and, if the run uses them, ``'val'`` and ``'test'``.
        env: Rank and number of processes.
        device: Where to compute.
        monitor: Handles requests to stop and lost processes.
        start: The checkpoint to start from.
        facts: What checkpoints record of the run; see :func:`pyskl.apis.same_run.run_facts`.
    """

    cfg: RunConfig
    settings: TrainSettings
    model: nn.Module
    datasets: Mapping[str, Any]
    env: DistEnv
    device: torch.device
    monitor: Monitor
    start: StartPoint | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def work_dir(self) -> Path:
        """Where the run writes."""
        return Path(str(self.cfg.work_dir))


def train_from_config(
    config: str | Path | Mapping[str, Any] | Config,
    settings: TrainSettings | None = None,
    *,
    cfg_options: Sequence[str] = (),
    work_dir: str | Path | None = None,
    launcher: Launcher = "none",
) -> dict[str, dict[str, float]]:
    """Do what ``tools/train.py`` does.

    Args:
        config: The config, or its path.
        settings: The settings of the command line.
        cfg_options: ``key=value`` overrides.
        work_dir: Where to write; overrides the config's.
        launcher: How the processes were started.

    Returns:
        The metrics of ``'last'`` and ``'best'``, if they were tested.

    Raises:
        ConfigError: with all errors in the config, before anything is started.
        DeviceError: if the machine has fewer GPUs than processes.
    """
    with open_run("train", config, settings, cfg_options, work_dir, launcher) as run:
        return train(run)


def train_model(
    model: nn.Module,
    dataset: Any,
    cfg: Config | Mapping[str, Any],
    settings: TrainSettings | None = None,
) -> dict[str, dict[str, float]]:
    """Train a recognizer on a data set in this process, with the settings of a config.

    Args:
        model: The recognizer.
        dataset: The training set.
        cfg: The config; its ``model`` and ``data.train`` are not used. It must have ``work_dir``.
        settings: The settings of the command line.

    Returns:
        The metrics of ``'last'`` and ``'best'``, if they were tested.
    """
    config = read_config(cfg, ())
    settings = (settings or TrainSettings()).with_config(config)
    if config.work_dir is None:
        raise InputError("is missing", key="work_dir")
    datasets = {"train": dataset}
    for use in settings.uses[1:]:
        datasets[use] = build_data(config.given, use, trusted=settings.trusted)
    errors = ErrorCollector("the data set")
    for leaf in wrapped_datasets(dataset):
        check_against_model("data.train", leaf, "train", model, errors)
    errors.raise_if_any()
    env = DistEnv()
    run = TrainingRun(config, settings, model, datasets, env, choose_device(env), Monitor(env))
    return train(_started(run, seed_given=settings.seed is not None or config.seed is not None))


@contextmanager
def open_run(
    action: str,
    config: str | Path | Mapping[str, Any] | Config,
    settings: TrainSettings | None,
    cfg_options: Sequence[str],
    work_dir: str | Path | None,
    launcher: Launcher,
) -> Iterator[TrainingRun]:
    """Check a config, build what it describes and join the process group for a ``with`` block.

    ``action`` names the command, which must be the same on all processes; the other arguments are
    those of :func:`train_from_config`.
    """
    settings = settings or TrainSettings()
    env = DistEnv.from_launcher(launcher)
    device = choose_device(env)
    if device.type == "cpu":
        keep_freed_memory()
    errors = ErrorCollector(str(config) if isinstance(config, (str, Path)) else "config")
    loaded = load_config(config, cfg_options, errors)
    prepared = prepare(
        loaded, settings.uses, trusted=settings.trusted, training=settings, errors=errors
    )
    cfg = prepared.cfg
    settings = settings.with_config(cfg)
    if work_dir is None:
        work_dir = cfg.work_dir or Path("work_dirs") / Path(cfg.filename or "run").stem
    cfg = cfg.with_values(work_dir=str(Path(work_dir).expanduser()))
    with distributed_run(env, device, asdict(cfg.dist_params)) as monitor:
        check_same_on_all_ranks(
            {
                "command": action,
                "config": config_text(cfg),
                "options": "\n".join(f"{k}={v!r}" for k, v in asdict(settings).items()),
                "torch and numpy version": f"torch {torch.__version__}, numpy {np.__version__}",
                "pyskl source code": source_digest(),
            }
        )
        seed_given = settings.seed is not None or cfg.seed is not None
        seed = broadcast_object(prepared.seed)
        if seed != prepared.seed:  # each process drew its own; rank 0's is used
            set_random_seed(seed, deterministic=settings.deterministic)
        cfg = cfg.with_values(seed=seed)
        run = TrainingRun(cfg, settings, prepared.model, prepared.datasets, env, device, monitor)
        yield _started(run, seed_given=seed_given)


def _started(run: TrainingRun, *, seed_given: bool) -> TrainingRun:
    """Find the checkpoint to start from, and check everything that needs more than the config."""
    settings = run.settings
    run.start = find_start(run.cfg, settings, run.work_dir, run.env)
    seed = run.start.meta.get("seed") if run.start is not None else None
    if seed is not None and not seed_given:  # keep the random seed of the resumed run
        run.cfg = run.cfg.with_values(seed=seed)
        set_random_seed(seed, deterministic=settings.deterministic)
    with raise_on_all_ranks():
        if run.env.is_main:
            run.facts = run_facts(run.cfg, settings, run.datasets)
            if run.start is not None:
                run.start = run.start.compared(run.facts)
    run.facts = broadcast_object(run.facts)
    if run.start is not None:
        run.start.check_weights(run.model)
    for use in settings.uses[1:]:
        found = run.datasets[use].labels
        metrics = run.cfg.evaluation.metric_names if use == "val" else _test_metrics(found)
        check_measurable(metrics, run.model, found)
    if settings.test_best and run.cfg.evaluation.save_best is None:
        raise InputError(
            "--test-best needs a best checkpoint, but evaluation.save_best=None keeps none"
        )
    return run


def train(run: TrainingRun) -> dict[str, dict[str, float]]:
    """Train; test the last and the best weights if the settings say so."""
    log = open_logs(run.cfg, run.work_dir, run.env, run.device, run.start)
    try:
        trainer = build_trainer(Trainer, run, log, run.work_dir)
        trainer.run()
        results = {}
        for weights in ("last", "best"):
            if getattr(run.settings, f"test_{weights}") and (
                weights == "last" or _load_best(trainer)
            ):
                results[weights] = _final_test(trainer, run, weights)
        return results
    finally:
        log.close()


def build_trainer(
    kind: type[AnyTrainer], run: TrainingRun, log: RunLog, work_dir: Path
) -> AnyTrainer:
    """Return the trainer of a run, with the state that it starts from.

    Args:
        kind: Its class.
        run: The run.
        log: Where the metrics go.
        work_dir: Where it writes.
    """
    cfg, settings, model, device = run.cfg, run.settings, run.model, run.device
    without_effect = sorted(KEYS_WITHOUT_EFFECT & set(known_part(cfg)))
    if without_effect:
        get_logger().warning(
            "the config sets %s, which has no effect here", " and ".join(without_effect)
        )
    warn_of_shared_samples(run.datasets)
    warn_of_unused_classes(run.datasets, model)
    warn_of_assumptions(run.datasets)
    if device.type == "cpu":
        model = replace_sync_batchnorm(model)
    else:
        torch.backends.cudnn.benchmark = cfg.cudnn_benchmark and not settings.deterministic
    model = model.to(device)
    if settings.compile:
        backbone = model.get_submodule("backbone")
        if getattr(backbone, "with_cp", False):
            raise InputError(
                "can't be combined with --compile, where the compiler chooses what to keep",
                key="model.backbone.with_cp",
                found=True,
                expected="False",
            )
        backbone.compile()
    dataset, seed = run.datasets["train"], cfg.seed or 0
    loader = build_loader(dataset, device=device, seed=seed, **loader_settings(cfg, "train"))
    if len(loader) == 0:
        raise InputError(
            f"the {len(dataset)} samples of data.train do not fill one batch of each of the "
            f"{run.env.world_size} processes, and drop_last leaves out the rest"
        )
    clips = loader.batch_sampler.batch_size * run.env.world_size  # type: ignore[union-attr]
    lr = _scaled_lr(clips, cfg, settings)
    validation = None
    if "val" in run.datasets:
        val_loader = build_loader(
            run.datasets["val"],
            device=device,
            shuffle=False,
            seed=seed,
            **loader_settings(cfg, "val"),
        )
        validation = Validation(
            loader=val_loader,
            labels=run.datasets["val"].labels,
            metrics=cfg.evaluation.metric_names,
            topk=cfg.evaluation.ks,
            interval=cfg.evaluation.interval,
            start=cfg.evaluation.start,
            save_best=cfg.evaluation.save_best,
        )
    saving = cfg.checkpoint_config or CheckpointConfig(interval=0)  # None saves only the last
    grad_clip = cfg.optimizer_config.grad_clip
    trainer = kind(
        model=model,
        optimizer=build_optimizer(model, {**cfg.optimizer, "lr": lr}),
        schedule=LearningRate(lr, cfg.total_epochs, len(loader), **cfg.lr_config),
        loader=loader,
        device=device,
        work_dir=work_dir,
        epochs=cfg.total_epochs,
        seed=seed,
        env=run.env,
        validation=validation,
        saving=SavePolicy(saving.interval, saving.by_epoch, saving.max_keep_ckpts),
        grad_clip=None if grad_clip is None else asdict(grad_clip),
        amp=settings.amp,
        on_nonfinite=cfg.on_nonfinite,
        log=log,
        log_interval=cfg.log_config.interval,
        meta={**run.facts, **environment()},
        find_unused_parameters=cfg.find_unused_parameters,
        monitor=run.monitor,
    )
    if run.start is not None:
        apply_start(trainer, run.start, trusted=settings.trusted)
    if trainer.progress.epoch >= trainer.epochs:
        get_logger().info(
            "this run is finished; to train longer raise total_epochs and add --resume, for a new "
            "run choose another --work-dir"
        )
    return trainer


def _scaled_lr(clips: int, cfg: RunConfig, settings: TrainSettings) -> float:
    """Return the learning rate for steps of ``clips`` clips, or warn that it is not scaled."""
    lr, base = cfg.optimizer["lr"], cfg.auto_scale_lr.base_batch_size
    scaled = lr * clips / base
    if clips == base:
        return lr
    if settings.auto_scale_lr:
        get_logger().info("lr scaled from %g (for %d clips a step) to %g", lr, base, scaled)
        return scaled
    get_logger().warning(
        "a step takes %d clips, but lr %g is meant for %d: scaled linearly it would be %g "
        "(--auto-scale-lr does that)",
        clips,
        lr,
        base,
        scaled,
    )
    return lr


def _test_metrics(labels: np.ndarray) -> list[str]:
    if labels.ndim > 1:
        return ["mean_average_precision"]
    return ["top_k_accuracy", "mean_class_accuracy"]


def _final_test(trainer: Trainer, run: TrainingRun, weights: str) -> dict[str, float]:
    """Test the current weights; write ``last_pred.pkl`` or ``best_pred.pkl``."""
    dataset = run.datasets["test"]
    scores = test_model(
        trainer.model,
        dataset,
        device=run.device,
        amp=run.settings.amp,
        **loader_settings(run.cfg, "test"),
    )
    metrics = _test_metrics(dataset.labels)
    found = evaluate(scores, dataset.labels, metrics, run.cfg.evaluation.ks)
    with raise_on_all_ranks():
        if run.env.is_main:
            record_test(trainer, run.cfg, dataset, scores, weights)
    get_logger().info("test of the %s weights: %s", weights, describe_metrics(found))
    line = {"mode": "test", "weights": weights, **found}
    trainer.log.write(line, step=trainer.progress.iteration)
    return found


def _load_best(trainer: Trainer) -> bool:
    best = trainer.progress.best
    if best is None:
        get_logger().warning("--test-best: no validation was due, so there is no best checkpoint")
        return False
    weights = None
    with raise_on_all_ranks():
        if trainer.env.is_main:
            weights = open_checkpoint(trainer.work_dir / best["file"]).state_dict
    load_weights(trainer.model, broadcast_object(weights), best["file"])
    return True
