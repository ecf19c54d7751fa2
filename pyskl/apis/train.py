"""Train a recognizer, from a config or from objects."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from pyskl.apis.data import build_data, build_loader, loader_settings
from pyskl.apis.data_checks import check_training_set, warn_of_shared_samples
from pyskl.apis.records import open_logs, record_test
from pyskl.apis.settings import TrainSettings
from pyskl.apis.start import StartPoint, find_start, set_off
from pyskl.apis.test import check_measurable, test_model
from pyskl.checkpoints.checkpoint import load_checkpoint, load_weights
from pyskl.checkpoints.manager import Saving
from pyskl.config import check_config, config_text, load_config
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
from pyskl.models import build_model
from pyskl.models.units.norm import replace_sync_batchnorm
from pyskl.training.memory import keep_freed_memory
from pyskl.training.optimizer import build_optimizer
from pyskl.training.schedule import LearningRate
from pyskl.training.seeding import init_random_seed, set_random_seed
from pyskl.training.trainer import Trainer
from pyskl.training.validation import Validation

# Clips a step that a config's learning rate is for unless it says otherwise (`auto_scale_lr`): the
# published configs were trained with 8 GPUs x 16 clips.
BASE_BATCH_SIZE = 128

Result = TypeVar("Result")
SomeTrainer = TypeVar("SomeTrainer", bound=Trainer)


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
        settings: What the command line decides.
        cfg_options: ``key=value`` overrides.
        work_dir: Where to write; overrides the config's.
        launcher: How the processes were started.

    Returns:
        The figures of ``'last'`` and ``'best'``, as far as they were tested.

    Raises:
        ConfigError: listing all faults of the config, before anything is started.
        DeviceError: if the machine has fewer GPUs than processes.
    """
    return run_from_config(
        train_model,
        config,
        settings,
        cfg_options=cfg_options,
        work_dir=work_dir,
        launcher=launcher,
    )


def run_from_config(
    run: Callable[..., Result],
    config: str | Path | Mapping[str, Any] | Config,
    settings: TrainSettings | None = None,
    *,
    cfg_options: Sequence[str] = (),
    work_dir: str | Path | None = None,
    launcher: Launcher = "none",
) -> Result:
    """Check a config, bring the processes together, build model and data, and hand them to ``run``.

    Args:
        run: :func:`train_model`, or what takes the same arguments.
        config: As for :func:`train_from_config`, as are the others.
        settings: Likewise.
        cfg_options: Likewise.
        work_dir: Likewise.
        launcher: Likewise.

    Returns:
        What ``run`` returns.

    Raises:
        ConfigError: as :func:`train_from_config`.
        DeviceError: likewise.
    """
    settings = settings or TrainSettings()
    env = DistEnv.from_launcher(launcher)
    device = choose_device(env)
    if device.type == "cpu":
        keep_freed_memory()
    cfg = load_config(config, cfg_options)
    uses = ["train"]
    uses += ["val"] * settings.validate + ["test"] * (settings.test_last or settings.test_best)
    check_config(cfg, uses, trusted=settings.trusted)
    if work_dir is not None:
        cfg.work_dir = str(work_dir)
    elif cfg.get("work_dir") is None:
        cfg.work_dir = str(Path("work_dirs") / Path(cfg.filename or "run").stem)
    with distributed_run(env, device, cfg.get("dist_params")) as monitor:
        check_same_on_all_ranks({"command": run.__name__, **_what_runs(cfg, settings)})
        given = settings.seed if settings.seed is not None else cfg.get("seed")
        cfg.seed = init_random_seed(given)
        settings = replace(settings, seed=given)  # None: a run that is resumed keeps its own
        set_random_seed(cfg.seed, deterministic=settings.deterministic)
        model = build_model(cfg.model)
        dataset = build_data(cfg, "train", trusted=settings.trusted)
        return run(model, dataset, cfg, settings, env=env, device=device, monitor=monitor)


def _what_runs(cfg: Config, settings: TrainSettings) -> dict[str, str]:
    """Return what has to be the same on every process of a run."""
    return {
        "config": config_text(cfg),
        "options": "\n".join(f"{key}={value!r}" for key, value in asdict(settings).items()),
        "torch and numpy version": f"torch {torch.__version__}, numpy {np.__version__}",
        "pyskl source code": source_digest(),
    }


def train_model(
    model: nn.Module,
    dataset: Any,
    cfg: Config,
    settings: TrainSettings | None = None,
    *,
    env: DistEnv | None = None,
    device: torch.device | None = None,
    monitor: Monitor | None = None,
) -> dict[str, dict[str, float]]:
    """Train a recognizer on a data set, as the config says.

    Args:
        model: The recognizer.
        dataset: The training set.
        cfg: The config: everything but ``model`` and ``data.train`` is read from it. ``work_dir``
            must be there.
        settings: What the command line decides.
        env: Which of the processes this is; by default the only one.
        device: Where to train; by default the first GPU, else the CPU.
        monitor: Where requests to stop arrive; by default nobody asks.

    Returns:
        The figures of ``'last'`` and ``'best'``, as far as they were tested.
    """
    settings = settings or TrainSettings()
    env = env or DistEnv()
    monitor = monitor or Monitor(env)
    device = device or choose_device(env)
    timestamp = time.strftime("%Y%m%d_%H%M%S")
    start, tests = prepare(model, dataset, cfg, settings, env)
    # What could be found wrong was; from here on the run leaves traces.
    log = open_logs(cfg, Path(cfg.work_dir), timestamp, env, device, start)
    try:
        trainer = build_trainer(
            Trainer, model, dataset, tests, cfg, settings, start, env, device, log, monitor
        )
        trainer.run()
        return _final_tests(trainer, tests.get("test"), cfg, settings)
    finally:
        log.close()


def prepare(
    model: nn.Module, dataset: Any, cfg: Config, settings: TrainSettings, env: DistEnv
) -> tuple[StartPoint | None, dict[str, Any]]:
    """Do what comes before a run leaves traces: find its start, open its test sets, check all.

    Args:
        model: The recognizer.
        dataset: The training set.
        cfg: The config; a run that goes on gets the seed that it had.
        settings: What the command line decides.
        env: Which of the processes this is.

    Returns:
        Where the run starts, and the sets that it measures, ``'val'`` and ``'test'``.
    """
    start = find_start(model, cfg, settings, Path(cfg.work_dir), env)
    if start is not None and start.seed is not None and settings.seed is None:
        cfg.seed = start.seed
        set_random_seed(start.seed, deterministic=settings.deterministic)
    tests = {
        use: build_data(cfg, use, trusted=settings.trusted)
        for use, wanted in (
            ("val", settings.validate),
            ("test", settings.test_last or settings.test_best),
        )
        if wanted
    }
    check_training_set(dataset, model)
    _check_tests(model, cfg, settings, tests)
    return start, tests


def _check_tests(
    model: nn.Module, cfg: Config, settings: TrainSettings, tests: Mapping[str, Any]
) -> None:
    """Check that what is to be measured can be."""
    if "val" in tests:
        check_measurable(_validation_metrics(cfg), model, tests["val"].labels)
    if "test" in tests:
        labels = tests["test"].labels
        check_measurable(_test_metrics(labels), model, labels)
    if settings.test_best and cfg.get("evaluation", {}).get("save_best", "auto") is None:
        raise InputError(
            "--test-best needs a best checkpoint, but evaluation.save_best=None keeps none"
        )


def build_trainer(
    kind: type[SomeTrainer],
    model: nn.Module,
    dataset: Any,
    tests: Mapping[str, Any],
    cfg: Config,
    settings: TrainSettings,
    start: StartPoint | None,
    env: DistEnv,
    device: torch.device,
    log: RunLog,
    monitor: Monitor,
) -> SomeTrainer:
    """Return the trainer of a run, where it starts.

    Args:
        kind: Its class.
        model: The recognizer.
        dataset: The training set.
        tests: The sets to measure; see :func:`prepare`.
        cfg: The config.
        settings: What the command line decides.
        start: Where the run starts.
        env: Which of the processes this is.
        device: Where to train.
        log: Where figures go.
        monitor: Where requests to stop arrive.
    """
    warn_of_shared_samples(dataset, tests)
    if device.type == "cpu":
        model = replace_sync_batchnorm(model)
    else:
        torch.backends.cudnn.benchmark = bool(cfg.get("cudnn_benchmark", False)) and not (
            settings.deterministic
        )
    model = model.to(device)
    if settings.compile:
        model.get_submodule("backbone").compile()
    seed = cfg.get("seed") or 0
    loader = build_loader(dataset, device=device, seed=seed, **loader_settings(cfg, "train"))
    if len(loader) == 0:
        raise InputError(
            f"the training set's {len(dataset)} samples do not fill one batch of each of the "
            f"{env.world_size} processes, and drop_last leaves out the rest"
        )
    optimizer_cfg = dict(cfg.optimizer)
    batch = loader.batch_sampler.batch_size * env.world_size  # type: ignore[union-attr]
    optimizer_cfg["lr"] = _scaled_lr(optimizer_cfg["lr"], batch, cfg, settings)
    saving = cfg.get("checkpoint_config", {})
    if saving is None:
        saving = {"interval": 0}  # only the last
    trainer = kind(
        model=model,
        optimizer=build_optimizer(model, optimizer_cfg),
        schedule=LearningRate(
            optimizer_cfg["lr"], cfg.total_epochs, len(loader), **cfg.get("lr_config", {})
        ),
        loader=loader,
        device=device,
        work_dir=Path(cfg.work_dir),
        epochs=cfg.total_epochs,
        seed=seed,
        env=env,
        validation=_validation(tests["val"], cfg, seed, device) if "val" in tests else None,
        saving=Saving(
            saving.get("interval", 1),
            saving.get("by_epoch", True),
            saving.get("max_keep_ckpts", -1),
        ),
        grad_clip=(cfg.get("optimizer_config") or {}).get("grad_clip"),
        amp=settings.amp,
        on_nonfinite=cfg.get("on_nonfinite", "stop"),
        log=log,
        log_interval=cfg.get("log_config", {}).get("interval", 100),
        meta={"config": config_text(cfg), **environment()},
        find_unused_parameters=cfg.get("find_unused_parameters", False),
        monitor=monitor,
    )
    if start is not None:
        set_off(trainer, start, settings)
    if trainer.progress.epoch >= trainer.epochs:
        get_logger().info(
            "this run is finished; for more epochs raise total_epochs, for a new run choose "
            "another --work-dir"
        )
    return trainer


def _validation(dataset: Any, cfg: Config, seed: int, device: torch.device) -> Validation:
    chosen = {**cfg.get("evaluation", {}), "metrics": _validation_metrics(cfg)}
    topk = chosen.pop("topk", (1, 5))
    return Validation(
        loader=build_loader(
            dataset, device=device, shuffle=False, seed=seed, **loader_settings(cfg, "val")
        ),
        labels=dataset.labels,
        topk=(topk,) if isinstance(topk, int) else tuple(topk),
        **chosen,
    )


def _validation_metrics(cfg: Config) -> list[str]:
    metrics = cfg.get("evaluation", {}).get("metrics", ["top_k_accuracy"])
    return [metrics] if isinstance(metrics, str) else list(metrics)


def _test_metrics(labels: np.ndarray) -> list[str]:
    if labels.ndim > 1:
        return ["mean_average_precision"]
    return ["top_k_accuracy", "mean_class_accuracy"]


def _scaled_lr(lr: float, batch: int, cfg: Mapping[str, Any], settings: TrainSettings) -> float:
    """Return the learning rate for ``batch`` clips a step, or warn that it is not scaled."""
    base = cfg.get("auto_scale_lr", {}).get("base_batch_size", BASE_BATCH_SIZE)
    if batch == base:
        return lr
    scaled = lr * batch / base
    if settings.auto_scale_lr:
        get_logger().info("lr scaled from %g (for %d clips a step) to %g", lr, base, scaled)
        return scaled
    get_logger().warning(
        "a step takes %d clips, but lr %g is for %d: in proportion it would be %g "
        "(--auto-scale-lr does that)",
        batch,
        lr,
        base,
        scaled,
    )
    return lr


def _final_tests(
    trainer: Trainer, dataset: Any, cfg: Config, settings: TrainSettings
) -> dict[str, dict[str, float]]:
    """Test the last and the best weights; write ``last_pred.pkl`` and ``best_pred.pkl``."""
    results = {}
    for name in ("last", "best"):
        if not getattr(settings, f"test_{name}") or (name == "best" and not _load_best(trainer)):
            continue
        scores = test_model(
            trainer.model,
            dataset,
            device=trainer.device,
            amp=settings.amp,
            **loader_settings(cfg, "test"),
        )
        topk = cfg.get("evaluation", {}).get("topk", (1, 5))
        found = evaluate(scores, dataset.labels, _test_metrics(dataset.labels), topk)
        results[name] = found
        with raise_on_all_ranks():
            if trainer.env.is_main:
                record_test(trainer, cfg, dataset, scores, name)
        get_logger().info("test of the %s weights: %s", name, describe_metrics(found))
        figures = {"mode": "test", "weights": name, **found}
        trainer.log.write(figures, step=trainer.progress.iteration)
    return results


def _load_best(trainer: Trainer) -> bool:
    best = trainer.progress.best
    if best is None:
        get_logger().warning("--test-best: no validation was due, so no checkpoint is the best")
        return False
    weights = None
    with raise_on_all_ranks():
        if trainer.env.is_main:
            weights = load_checkpoint(trainer.work_dir / best["file"])["state_dict"]
    load_weights(trainer.model, broadcast_object(weights), best["file"])
    return True
