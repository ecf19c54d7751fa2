"""Log the environment, the config and the final tests of a run."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pyskl.apis.start import StartPoint
from pyskl.apis.test_data import score_origin
from pyskl.config import RunConfig, config_text
from pyskl.distributed.collectives import raise_on_all_ranks
from pyskl.distributed.env import DistEnv, warn_of_slow_devices
from pyskl.errors import InputError
from pyskl.evaluation.confusion_image import confusion_image
from pyskl.evaluation.scores import dump_scores
from pyskl.files.atomic import remove_partial_files
from pyskl.files.hashing import sha256_of
from pyskl.logging.environment import environment
from pyskl.logging.log import get_logger, setup_logging
from pyskl.logging.run_log import RunLog, truncate_log
from pyskl.logging.trackers import Metrics, RunInfo, open_trackers
from pyskl.training.trainer import Trainer


def open_logs(
    cfg: RunConfig, work_dir: Path, env: DistEnv, device: torch.device, start: StartPoint | None
) -> RunLog:
    """Set up logging, and log environment, config and seed of a run.

    A run that is resumed in the same work dir appends to its log files. If it has another config
    or other data than before, what it replaces is kept as ``NAME.1``, ``NAME.2``, ...
    """
    log = RunLog(None)
    with raise_on_all_ranks():
        if env.is_main:
            try:
                log = _open_files(cfg, work_dir, start)
            except OSError as error:
                raise InputError(
                    f"the work dir can't be written ({error})",
                    file=work_dir,
                    hint="choose another with --work-dir",
                ) from error
        else:
            setup_logging(is_main=False)
    logger = get_logger()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    warn_of_slow_devices(env, device)
    software, text = environment(), config_text(cfg)
    logger.info("environment:\n%s", "\n".join(f"  {k}: {v}" for k, v in software.items()))
    logger.info("config:\n%s", text)
    logger.info("seed %s, work dir %s", cfg.seed, work_dir)
    logger.info("%s, %d process(es)", name, env.world_size)
    head = {"env": software, "processes": env.world_size, "device": name}
    log.write({**head, "seed": cfg.seed, "config": text})
    return log


def _open_files(cfg: RunConfig, work_dir: Path, start: StartPoint | None) -> RunLog:
    work_dir.mkdir(parents=True, exist_ok=True)
    remove_partial_files(work_dir)
    meta = {} if start is None else start.meta
    done, per_epoch = int(meta.get("iter", 0)), meta.get("iters_per_epoch")
    name = meta.get("log")
    path = work_dir / f"{name}.log.json"
    last_metrics: Sequence[Metrics] = []
    if (
        isinstance(name, str)
        and re.fullmatch(r"[\w-]+", name)
        and path.is_file()
        and isinstance(per_epoch, int)
    ):
        if start is not None and start.learns_otherwise:
            _keep(path)
        last_metrics = truncate_log(path, iteration=done, steps_per_epoch=per_epoch)
    else:
        # Two runs may start in the same second.
        name = timestamp = time.strftime("%Y%m%d_%H%M%S")
        number = 1
        while (work_dir / f"{name}.log.json").exists():
            number += 1
            name = f"{timestamp}_{number}"
        path = work_dir / f"{name}.log.json"
    setup_logging(work_dir / f"{name}.log", cfg.log_level)
    info = RunInfo(work_dir, name, done, last_metrics, cfg.given)
    log = RunLog(path, open_trackers(cfg.log_config.hooks, info))
    # Don't overwrite the config that the run was started with.
    copy, text = work_dir / f"{Path(cfg.filename or 'config').stem}.py", config_text(cfg)
    if not (cfg.filename and copy.exists() and copy.samefile(cfg.filename)):
        if copy.exists() and copy.read_bytes() != text.encode():
            _keep(copy)
        copy.write_text(text, encoding="utf-8")
    return log


def _keep(path: Path) -> None:
    """Copy a file to ``NAME.1``, or the next number that is free."""
    number = 1
    while (kept := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    shutil.copy2(path, kept)


def record_test(
    trainer: Trainer, cfg: RunConfig, dataset: Any, scores: np.ndarray, weights: str
) -> None:
    """Write the scores of a final test to the work dir, and their confusion matrix to trackers.

    Args:
        trainer: The trainer of the run.
        cfg: The config.
        dataset: What was scored.
        scores: (N, classes).
        weights: ``'last'`` or ``'best'``.
    """
    progress = trainer.progress
    epoch, checkpoint = progress.epoch, f"epoch_{progress.epoch}.pth"
    if weights == "best" and progress.best is not None:
        epoch, checkpoint = progress.best["epoch"], progress.best["file"]
    sha256 = sha256_of(trainer.work_dir / checkpoint)
    origin = score_origin(
        *(cfg, dataset, trainer.model, scores, checkpoint), epoch=epoch, sha256=sha256
    )
    dump_scores(scores, trainer.work_dir / f"{weights}_pred.pkl", origin)
    labels = dataset.labels
    if labels.ndim == 1:
        trainer.log.image(
            f"test/{weights}/confusion",
            lambda: confusion_image(scores.argmax(axis=1), labels, scores.shape[1]),
            progress.iteration,
        )
