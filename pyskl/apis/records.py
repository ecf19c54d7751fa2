"""What a run writes down about itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

from pyskl.apis.origin import score_origin
from pyskl.apis.start import StartPoint
from pyskl.config import config_text, known_part
from pyskl.distributed.collectives import raise_on_all_ranks
from pyskl.distributed.env import DistEnv
from pyskl.errors import InputError
from pyskl.evaluation.confusion_image import confusion_image
from pyskl.evaluation.results import dump_scores
from pyskl.files.atomic import remove_partial_files
from pyskl.logging.environment import environment
from pyskl.logging.log import get_logger, setup_logging
from pyskl.logging.run_log import RunLog, truncate_log
from pyskl.logging.trackers import Metrics, RunInfo, open_trackers
from pyskl.training.trainer import Trainer


def open_logs(
    cfg: Config,
    work_dir: Path,
    timestamp: str,
    env: DistEnv,
    device: torch.device,
    start: StartPoint | None = None,
) -> RunLog:
    """Set up logging and write down what the run is: environment, config, seed.

    A run that goes on in the same work dir goes on in the same files.
    """
    log = RunLog(None)
    text = config_text(cfg)
    with raise_on_all_ranks():
        if env.is_main:
            log = _open_files(cfg, work_dir, timestamp, text, start)
        else:
            setup_logging(is_main=False)
    logger = get_logger()
    found = environment()
    logger.info("environment:\n%s", "\n".join(f"  {k}: {v}" for k, v in found.items()))
    logger.info("config:\n%s", text)
    logger.info("seed %s, work dir %s", cfg.get("seed"), work_dir)
    logger.info("%s, %d process(es)", _named(device), env.world_size)
    head = {"env": found, "processes": env.world_size, "device": _named(device)}
    log.write({**head, "seed": cfg.get("seed"), "config": text})
    return log


def _named(device: torch.device) -> str:
    """Say where a run computes, and that a GPU was looked for where torch could use one."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if torch.version.cuda is not None:
        return f"CPU (torch {torch.__version__} finds no GPU that it can use)"
    return "CPU"


def _open_files(
    cfg: Config, work_dir: Path, timestamp: str, text: str, start: StartPoint | None
) -> RunLog:
    config_copy = work_dir / f"{Path(cfg.filename or 'config').stem}.py"
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        remove_partial_files(work_dir)
        done = int(start.meta["iter"]) if start is not None and start.resumed else 0
        name, last_metrics = _continued(work_dir, start) or (_unused(work_dir, timestamp), [])
        setup_logging(work_dir / f"{name}.log", cfg.get("log_level", "INFO"))
        path = work_dir / f"{name}.log.json"
        info = RunInfo(work_dir, name, done, last_metrics, known_part(cfg).to_dict())
        hooks = cfg.get("log_config", {}).get("hooks", ())
        log = RunLog(path, open_trackers(hooks, info))
        # A config that was written into its own work dir is the user's: it stays as it is.
        if not (cfg.filename and config_copy.exists() and config_copy.samefile(cfg.filename)):
            config_copy.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{work_dir}: the work dir can't be written ({error}); choose another with --work-dir"
        ) from error
    return log


def _continued(work_dir: Path, start: StartPoint | None) -> tuple[str, list[Metrics]] | None:
    """Return the name of the logs of the run that goes on, without what is going to come again."""
    if start is None or not start.resumed:
        return None
    name = start.meta.get("log")
    if not isinstance(name, str) or not re.fullmatch(r"[\w-]+", name):
        return None
    path = work_dir / f"{name}.log.json"
    per_epoch = start.meta.get("iters_per_epoch")
    if not path.is_file() or not isinstance(per_epoch, int):
        return None
    last_metrics = truncate_log(path, iteration=int(start.meta["iter"]), steps_per_epoch=per_epoch)
    return name, list(last_metrics)


def _unused(work_dir: Path, timestamp: str) -> str:
    """Return a name that no run has: two may start in the same second, or a clock be set back."""
    name, number = timestamp, 1
    while (work_dir / f"{name}.log.json").exists():
        number += 1
        name = f"{timestamp}_{number}"
    return name


def record_test(
    trainer: Trainer, cfg: Config, dataset: Any, scores: np.ndarray, weights: str
) -> None:
    """Write the scores of a final test to the work dir, and their confusions to the trackers.

    Args:
        trainer: Of the run.
        cfg: The config.
        dataset: What was scored.
        scores: (N, L).
        weights: ``'last'`` or ``'best'``.
    """
    progress = trainer.progress
    checkpoint = f"epoch_{progress.epoch}.pth"
    if weights == "best" and progress.best is not None:
        checkpoint = progress.best["file"]
    origin = score_origin(cfg, dataset, trainer.model, scores, checkpoint)
    dump_scores(scores, trainer.work_dir / f"{weights}_pred.pkl", origin)
    labels = dataset.labels
    if labels.ndim == 1:
        trainer.log.image(
            f"test/{weights}/confusion",
            lambda: confusion_image(scores.argmax(axis=1), labels, scores.shape[1]),
            progress.iteration,
        )
