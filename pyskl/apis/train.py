"""Train a recognizer, from a config or from objects."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from pyskl.apis.test import loader_settings, test_model
from pyskl.config import check_config, known_part, load_config
from pyskl.core.results import dump_scores
from pyskl.datasets import build_dataloader, build_dataset
from pyskl.engine.checkpoint import LATEST, load_checkpoint, load_weights
from pyskl.engine.distributed import (
    Launcher,
    Place,
    barrier,
    choose_device,
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

_TEST_METRICS = ("top_k_accuracy", "mean_class_accuracy")


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


def train_from_config(
    config: str | Path | Config,
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
    if settings.test_best and not settings.validate:
        raise InputError("--test-best needs --validate: without it no checkpoint is the best")
    place = place_from_environment(launcher)
    device = choose_device(place)
    cfg = config if isinstance(config, Config) else load_config(config, cfg_options)
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
        dataset = build_dataset(cfg.data.train, {"trusted": True} if settings.trusted else None)
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
    log = _open_logs(cfg, work_dir, timestamp, place)
    try:
        trainer = _build_trainer(model, dataset, cfg, settings, place, device, log)
        _start_point(trainer, cfg, settings, work_dir)
        trainer.run()
        return _final_tests(trainer, cfg, settings, work_dir)
    finally:
        log.close()


def _open_logs(cfg: Config, work_dir: Path, timestamp: str, place: Place) -> RunLog:
    """Set up logging and write down what the run is: environment, config, seed."""
    if not place.is_main:
        setup_logging(is_main=False)
        return RunLog(None)
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        logger = setup_logging(work_dir / f"{timestamp}.log", cfg.get("log_level", "INFO"))
        hooks = cfg.get("log_config", {}).get("hooks", ())
        log = RunLog(work_dir / f"{timestamp}.log.json", hooks, work_dir)
        text = known_part(cfg).pretty_text
        (work_dir / f"{Path(cfg.filename or 'config').stem}.py").write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{work_dir}: the work dir can't be written ({error}); choose another with --work-dir"
        ) from error
    found = environment()
    logger.info("environment:\n%s", "\n".join(f"  {k}: {v}" for k, v in found.items()))
    logger.info("config:\n%s", text)
    logger.info("seed %s, work dir %s", cfg.get("seed"), work_dir)
    log.write({"env": found, "seed": cfg.get("seed"), "config": text})
    return log


def _build_trainer(
    model: nn.Module,
    dataset: Any,
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
        validation=_validation(cfg, settings, seed) if settings.validate else None,
        saving=Saving(
            saving.get("interval", 1),
            saving.get("by_epoch", True),
            saving.get("max_keep_ckpts", -1),
        ),
        grad_clip=(cfg.get("optimizer_config") or {}).get("grad_clip"),
        amp=settings.amp,
        log=log,
        log_interval=cfg.get("log_config", {}).get("interval", 100),
        meta={"config": str(known_part(cfg).to_dict()), **environment()},
        find_unused_parameters=cfg.get("find_unused_parameters", False),
    )


def _validation(cfg: Config, settings: TrainSettings, seed: int) -> Validation:
    dataset = _test_dataset(cfg, "val", settings)
    chosen = dict(cfg.get("evaluation", {}))
    metrics = chosen.pop("metrics", ["top_k_accuracy"])
    topk = chosen.pop("topk", (1, 5))
    return Validation(
        loader=build_dataloader(dataset, shuffle=False, seed=seed, **loader_settings(cfg, "val")),
        labels=dataset.labels,
        metrics=[metrics] if isinstance(metrics, str) else list(metrics),
        topk=(topk,) if isinstance(topk, int) else tuple(topk),
        **chosen,
    )


def _test_dataset(cfg: Config, use: str, settings: TrainSettings) -> Any:
    trust = {"trusted": True} if settings.trusted else {}
    return build_dataset(cfg.data[use], {"test_mode": True, **trust})


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


def _start_point(trainer: Trainer, cfg: Config, settings: TrainSettings, work_dir: Path) -> None:
    """Resume the run, or load the weights that it starts from."""
    chosen = from_main(_resume_path(cfg, settings, work_dir) if trainer.place.is_main else None)
    if chosen is not None:
        trainer.resume(chosen, trusted=settings.trusted)
    elif cfg.get("load_from"):
        source = cfg.load_from
        path = from_main(
            local_checkpoint(source, trusted=settings.trusted) if trainer.place.is_main else None
        )
        checkpoint = load_checkpoint(path, trusted=settings.trusted)
        load_weights(trainer.model, checkpoint["state_dict"], str(source), new_head=True)
        get_logger().info("starting from the weights of %s", source)


def _resume_path(cfg: Config, settings: TrainSettings, work_dir: Path) -> Path | None:
    if isinstance(settings.resume, (str, Path)):
        return Path(settings.resume)
    if settings.resume is None and cfg.get("resume_from"):
        return Path(cfg.resume_from)
    latest = work_dir / LATEST
    if settings.resume is True:
        return latest
    if settings.resume is None and cfg.get("auto_resume", True) and latest.exists():
        return latest
    return None


def _final_tests(
    trainer: Trainer, cfg: Config, settings: TrainSettings, work_dir: Path
) -> dict[str, dict[str, float]]:
    """Test the last and the best weights; write ``last_pred.pkl`` and ``best_pred.pkl``."""
    wanted = [name for name in ("last", "best") if getattr(settings, f"test_{name}")]
    if not wanted:
        return {}
    dataset = _test_dataset(cfg, "test", settings)
    metrics = list(_TEST_METRICS) if dataset.labels.ndim == 1 else ["mean_average_precision"]
    results = {}
    for name in wanted:
        if name == "best" and not _load_best(trainer, work_dir):
            continue
        scores = test_model(
            trainer.model,
            dataset,
            device=trainer.device,
            amp=settings.amp,
            **loader_settings(cfg, "test"),
        )
        found = evaluate(scores, dataset.labels, metrics)
        results[name] = found
        if trainer.place.is_main:
            dump_scores(scores, work_dir / f"{name}_pred.pkl")
        get_logger().info("test of the %s weights: %s", name, describe_metrics(found))
        trainer.log.write({"mode": "test", "weights": name, **found})
    barrier()
    return results


def _load_best(trainer: Trainer, work_dir: Path) -> bool:
    best = trainer.progress.best
    if best is None:
        get_logger().warning("--test-best: no validation took place, so no checkpoint is the best")
        return False
    weights = None
    if trainer.place.is_main:
        weights = load_checkpoint(work_dir / best["file"])["state_dict"]
    load_weights(trainer.model, from_main(weights), best["file"])
    return True
