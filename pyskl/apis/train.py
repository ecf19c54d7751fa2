"""Train a recognizer, from a config or from objects."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from pyskl.apis.data import build_data, loader_settings
from pyskl.apis.test import check_measurable, test_model
from pyskl.config import check_config, config_text, load_config
from pyskl.core.results import dump_scores
from pyskl.datasets import build_dataloader
from pyskl.engine.checkpoint import (
    LATEST,
    check_resumable,
    load_checkpoint,
    load_weights,
    misfits,
)
from pyskl.engine.distributed import (
    Launcher,
    Place,
    choose_device,
    failing_together,
    from_main,
    join,
    leave,
    place_from_environment,
)
from pyskl.engine.download import local_checkpoint
from pyskl.engine.environment import environment
from pyskl.engine.evaluation import describe_metrics, evaluate
from pyskl.engine.log import RunLog, get_logger, setup_logging
from pyskl.engine.optimizer import build_optimizer
from pyskl.engine.schedule import LearningRate
from pyskl.engine.seeding import init_random_seed, set_random_seed
from pyskl.engine.trainer import Saving, Trainer, Validation
from pyskl.errors import InputError
from pyskl.models import build_model
from pyskl.models.units.norm import replace_sync_batchnorm

# Clips a step that a config's learning rate is for unless it says otherwise (`auto_scale_lr`): the
# published configs were trained with 8 GPUs x 16 clips.
BASE_BATCH_SIZE = 128


@dataclass
class TrainSettings:
    """What the command line decides about a training run.

    Attributes:
        validate: Measure ``data.val`` between epochs and keep the best checkpoint.
        test_last: Test the last weights on ``data.test`` at the end.
        test_best: Test the best weights, too; needs ``validate``.
        seed: None draws one (and writes it down).
        deterministic: See :func:`pyskl.engine.seeding.set_random_seed`.
        compile: Compile the backbone with ``torch.compile``.
        amp: ``'bf16'``, ``'fp16'`` or None.
        auto_scale_lr: Scale the learning rate to the number of clips a step.
        resume: Whether to resume from ``latest.pth``, or the checkpoint to resume from; None
            leaves it to the config (``resume_from``, ``auto_resume``).
        trusted: Load files with plain pickle, which runs what they say.

    Raises:
        InputError: for settings that don't go together.
    """

    validate: bool = False
    test_last: bool = False
    test_best: bool = False
    seed: int | None = None
    deterministic: bool = False
    compile: bool = False
    amp: str | None = None
    auto_scale_lr: bool = False
    resume: bool | str | Path | None = None
    trusted: bool = False

    def __post_init__(self) -> None:
        """Check what needs no config."""
        if self.test_best and not self.validate:
            raise InputError("--test-best needs --validate: without it no checkpoint is the best")


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
    settings = settings or TrainSettings()
    place = place_from_environment(launcher)
    device = choose_device(place)
    cfg = load_config(config, cfg_options)
    uses = ["train"]
    uses += ["val"] * settings.validate + ["test"] * (settings.test_last or settings.test_best)
    check_config(cfg, uses, trusted=settings.trusted)
    if work_dir is not None:
        cfg.work_dir = str(work_dir)
    elif cfg.get("work_dir") is None:
        cfg.work_dir = str(Path("work_dirs") / Path(cfg.filename or "run").stem)
    join(place, device, cfg.get("dist_params", {}).get("backend"))
    try:
        seed = init_random_seed(settings.seed if settings.seed is not None else cfg.get("seed"))
        set_random_seed(seed, deterministic=settings.deterministic)
        cfg.seed = seed
        model = build_model(cfg.model)
        dataset = build_data(cfg, "train", trusted=settings.trusted)
        return train_model(model, dataset, cfg, settings, place=place, device=device)
    finally:
        leave()


def train_model(
    model: nn.Module,
    dataset: Any,
    cfg: Config,
    settings: TrainSettings | None = None,
    *,
    place: Place | None = None,
    device: torch.device | None = None,
) -> dict[str, dict[str, float]]:
    """Train a recognizer on a data set, as the config says.

    Args:
        model: The recognizer.
        dataset: The training set.
        cfg: The config: everything but ``model`` and ``data.train`` is read from it. ``work_dir``
            must be there.
        settings: What the command line decides.
        place: Which of the processes this is; by default the only one.
        device: Where to train; by default the first GPU, else the CPU.

    Returns:
        The figures of ``'last'`` and ``'best'``, as far as they were tested.
    """
    settings = settings or TrainSettings()
    place = place or Place()
    device = device or choose_device(place)
    work_dir = Path(cfg.work_dir)
    timestamp = time.strftime("%Y%m%d_%H%M%S")
    start = _find_start(model, cfg, settings, work_dir, place)
    tests = {
        use: build_data(cfg, use, trusted=settings.trusted)
        for use, wanted in (
            ("val", settings.validate),
            ("test", settings.test_last or settings.test_best),
        )
        if wanted
    }
    _check_tests(model, cfg, settings, tests)
    # What could be found wrong was; from here on the run leaves traces.
    log = _open_logs(cfg, work_dir, timestamp, place)
    try:
        trainer = _build_trainer(
            model, dataset, tests.get("val"), cfg, settings, place, device, log
        )
        if start is not None:
            _set_off(trainer, start, settings)
        if trainer.progress.epoch >= trainer.epochs:
            get_logger().info(
                "this run is finished; for more epochs raise total_epochs, for a new run choose "
                "another --work-dir"
            )
        trainer.run()
        return _final_tests(trainer, tests.get("test"), cfg, settings)
    finally:
        log.close()


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


def _open_logs(cfg: Config, work_dir: Path, timestamp: str, place: Place) -> RunLog:
    """Set up logging and write down what the run is: environment, config, seed."""
    log = RunLog(None)
    text = config_text(cfg)
    with failing_together():
        if place.is_main:
            log = _open_files(cfg, work_dir, timestamp, text)
        else:
            setup_logging(is_main=False)
    logger = get_logger()
    found = environment()
    logger.info("environment:\n%s", "\n".join(f"  {k}: {v}" for k, v in found.items()))
    logger.info("config:\n%s", text)
    logger.info("seed %s, work dir %s", cfg.get("seed"), work_dir)
    log.write({"env": found, "seed": cfg.get("seed"), "config": text})
    return log


def _open_files(cfg: Config, work_dir: Path, timestamp: str, text: str) -> RunLog:
    config_copy = work_dir / f"{Path(cfg.filename or 'config').stem}.py"
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        setup_logging(work_dir / f"{timestamp}.log", cfg.get("log_level", "INFO"))
        hooks = cfg.get("log_config", {}).get("hooks", ())
        log = RunLog(work_dir / f"{timestamp}.log.json", hooks, work_dir)
        # A config that was written into its own work dir is the user's: it stays as it is.
        if not (cfg.filename and config_copy.exists() and config_copy.samefile(cfg.filename)):
            config_copy.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{work_dir}: the work dir can't be written ({error}); choose another with --work-dir"
        ) from error
    return log


def _build_trainer(
    model: nn.Module,
    dataset: Any,
    validation_set: Any,
    cfg: Config,
    settings: TrainSettings,
    place: Place,
    device: torch.device,
    log: RunLog,
) -> Trainer:
    if device.type == "cpu":
        model = replace_sync_batchnorm(model)
    else:
        torch.backends.cudnn.benchmark = bool(cfg.get("cudnn_benchmark", True)) and not (
            settings.deterministic
        )
    model = model.to(device)
    if settings.compile:
        model.get_submodule("backbone").compile()
    seed = cfg.get("seed") or 0
    loader = build_dataloader(dataset, seed=seed, **loader_settings(cfg, "train"))
    if len(loader) == 0:
        raise InputError(
            f"the training set's {len(dataset)} samples do not fill one batch of each of the "
            f"{place.world_size} processes, and drop_last leaves out the rest"
        )
    optimizer_cfg = dict(cfg.optimizer)
    batch = loader.batch_sampler.batch_size * place.world_size  # type: ignore[union-attr]
    optimizer_cfg["lr"] = _scaled_lr(optimizer_cfg["lr"], batch, cfg, settings)
    saving = cfg.get("checkpoint_config") or {"interval": 0}
    return Trainer(
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
        place=place,
        validation=None if validation_set is None else _validation(validation_set, cfg, seed),
        saving=Saving(
            saving.get("interval", 1),
            saving.get("by_epoch", True),
            saving.get("max_keep_ckpts", -1),
        ),
        grad_clip=(cfg.get("optimizer_config") or {}).get("grad_clip"),
        amp=settings.amp,
        log=log,
        log_interval=cfg.get("log_config", {}).get("interval", 100),
        meta={"config": config_text(cfg), **environment()},
        find_unused_parameters=cfg.get("find_unused_parameters", False),
    )


def _validation(dataset: Any, cfg: Config, seed: int) -> Validation:
    chosen = {**cfg.get("evaluation", {}), "metrics": _validation_metrics(cfg)}
    topk = chosen.pop("topk", (1, 5))
    return Validation(
        loader=build_dataloader(dataset, shuffle=False, seed=seed, **loader_settings(cfg, "val")),
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


@dataclass(frozen=True)
class _Start:
    """The checkpoint that a run starts from.

    Attributes:
        path: The file.
        source: Where it came from, for messages.
        resumed: Whether the run that wrote it goes on, or a new one takes its weights.
    """

    path: Path
    source: str
    resumed: bool


def _find_start(
    model: nn.Module, cfg: Config, settings: TrainSettings, work_dir: Path, place: Place
) -> _Start | None:
    """Return the checkpoint to start from, if any, and check that it fits."""
    start = None
    with failing_together():
        if place.is_main:
            start = _chosen_start(cfg, settings, work_dir)
    start = from_main(start)
    if start is not None:
        checkpoint = load_checkpoint(start.path, trusted=settings.trusted)
        if start.resumed:
            check_resumable(checkpoint, start.source)
        misfits(model, checkpoint["state_dict"], start.source, new_head=not start.resumed)
    return start


def _chosen_start(cfg: Config, settings: TrainSettings, work_dir: Path) -> _Start | None:
    resumed = _resume_path(cfg, settings, work_dir)
    if resumed is not None:
        return _Start(resumed, str(resumed), resumed=True)
    source = cfg.get("load_from")
    if not source:
        return None
    path = local_checkpoint(source, trusted=settings.trusted)
    return _Start(path, str(source), resumed=False)


def _resume_path(cfg: Config, settings: TrainSettings, work_dir: Path) -> Path | None:
    if isinstance(settings.resume, (str, Path)):
        return Path(settings.resume)
    if settings.resume is None and cfg.get("resume_from"):
        return Path(cfg.resume_from)
    latest = work_dir / LATEST
    if settings.resume is True:
        return latest
    if settings.resume is False or not cfg.get("auto_resume", True):
        return None
    if latest.is_symlink() and not latest.exists():
        raise InputError(
            f"{latest} points to {latest.readlink()}, which is gone: name another checkpoint with "
            "--resume, or delete the link to start anew"
        )
    return latest if latest.exists() else None


def _set_off(trainer: Trainer, start: _Start, settings: TrainSettings) -> None:
    """Give a trainer the state or the weights that it starts from."""
    if start.resumed:
        trainer.resume(start.path, trusted=settings.trusted)
        with failing_together():
            if trainer.place.is_main:
                _adopt_best(trainer, start.path.parent)
        trainer.progress.best = from_main(trainer.progress.best)
        return
    checkpoint = load_checkpoint(start.path, trusted=settings.trusted)
    load_weights(trainer.model, checkpoint["state_dict"], start.source, new_head=True)
    get_logger().info("starting from the weights of %s", start.source)


def _adopt_best(trainer: Trainer, folder: Path) -> None:
    """Copy the best checkpoint of a run that is resumed in another work dir; forget a lost one."""
    best = trainer.progress.best
    if best is None or (trainer.work_dir / best["file"]).is_file():
        return
    theirs = folder / best["file"]
    if theirs.is_file():
        shutil.copyfile(theirs, trainer.work_dir / best["file"])
        return
    get_logger().warning(
        "the best checkpoint so far, %s, is gone: the next validation decides anew", theirs
    )
    trainer.progress.best = None


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
        found = evaluate(scores, dataset.labels, _test_metrics(dataset.labels))
        results[name] = found
        with failing_together():
            if trainer.place.is_main:
                dump_scores(scores, trainer.work_dir / f"{name}_pred.pkl")
        get_logger().info("test of the %s weights: %s", name, describe_metrics(found))
        trainer.log.write({"mode": "test", "weights": name, **found})
    return results


def _load_best(trainer: Trainer) -> bool:
    best = trainer.progress.best
    if best is None:
        get_logger().warning("--test-best: no validation was due, so no checkpoint is the best")
        return False
    weights = None
    with failing_together():
        if trainer.place.is_main:
            weights = load_checkpoint(trainer.work_dir / best["file"])["state_dict"]
    load_weights(trainer.model, from_main(weights), best["file"])
    return True
