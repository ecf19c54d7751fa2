"""Where a training run starts: fresh, from the weights of another, or where it was interrupted."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import nn

from pyskl.apis.settings import TrainSettings
from pyskl.engine.checkpoint import (
    LATEST,
    load_checkpoint,
    load_weights,
    misfits,
)
from pyskl.engine.distributed import Place, failing_together, from_main
from pyskl.engine.download import local_checkpoint
from pyskl.engine.log import get_logger
from pyskl.engine.recovery import newest_usable
from pyskl.engine.resumable import check_resumable
from pyskl.engine.trainer import Trainer
from pyskl.errors import InputError


@dataclass(frozen=True)
class StartPoint:
    """The checkpoint that a run starts from.

    Attributes:
        path: The file.
        source: Where it came from, for messages.
        resumed: Whether the run that wrote it goes on, or a new one takes its weights.
        seed: The seed of the run that goes on, if the checkpoint has it.
        meta: What the checkpoint of a run that goes on says of it.
        note: What else the user should know.
    """

    path: Path
    source: str
    resumed: bool
    seed: int | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    note: str | None = None


def find_start(
    model: nn.Module, cfg: Config, settings: TrainSettings, work_dir: Path, place: Place
) -> StartPoint | None:
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
            meta = checkpoint["meta"]
            start = replace(start, seed=meta.get("seed"), meta=meta)
        misfits(model, checkpoint["state_dict"], start.source, new_head=not start.resumed)
    return start


def _chosen_start(cfg: Config, settings: TrainSettings, work_dir: Path) -> StartPoint | None:
    resumed = _resume_path(cfg, settings, work_dir)
    if resumed == work_dir / LATEST and resumed.exists():
        resumed, note = newest_usable(work_dir, trusted=settings.trusted)
        return StartPoint(resumed, str(resumed), resumed=True, note=note)
    if resumed is not None:
        return StartPoint(resumed, str(resumed), resumed=True)
    source = cfg.get("load_from")
    if not source:
        return None
    path = local_checkpoint(source, trusted=settings.trusted)
    return StartPoint(path, str(source), resumed=False)


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


def set_off(trainer: Trainer, start: StartPoint, settings: TrainSettings) -> None:
    """Give a trainer the state or the weights that it starts from."""
    if start.note is not None:
        get_logger().error("%s", start.note)
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
