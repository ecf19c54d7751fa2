"""Where a training run starts: fresh, from the weights of another, or where it was interrupted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import nn

from pyskl.apis.settings import TrainSettings
from pyskl.checkpoints.checkpoint import (
    LATEST,
    load_checkpoint,
    load_weights,
    misfits,
)
from pyskl.checkpoints.recovery import newest_usable
from pyskl.checkpoints.resume_config import check_resumable
from pyskl.distributed.collectives import broadcast_object, raise_on_all_ranks
from pyskl.distributed.env import DistEnv
from pyskl.errors import CheckpointError, InputError
from pyskl.files.download import local_checkpoint
from pyskl.logging.log import get_logger
from pyskl.training.trainer import Trainer


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
        unasked: Whether the run goes on only because its work dir holds one.
    """

    path: Path
    source: str
    resumed: bool
    seed: int | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    note: str | None = None
    unasked: bool = False

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Say in errors about the checkpoint why it was taken, where nobody named it."""
        try:
            yield
        except CheckpointError as error:
            if not self.unasked:
                raise
            raise CheckpointError(
                f"{error}\n(going on with the run in {self.path.parent}; another --work-dir, or "
                "--cfg-options auto_resume=False, starts anew)"
            ) from error


def find_start(
    model: nn.Module, cfg: Config, settings: TrainSettings, work_dir: Path, env: DistEnv
) -> StartPoint | None:
    """Return the checkpoint to start from, if any, and check that it fits."""
    start = None
    with raise_on_all_ranks():
        if env.is_main:
            start = _chosen_start(cfg, settings, work_dir)
    start = broadcast_object(start)
    if start is not None:
        if start.resumed and cfg.get("load_from") and env.is_main:
            get_logger().warning(
                "load_from=%s is not used: the run in %s goes on", cfg.load_from, start.path.parent
            )
        checkpoint = load_checkpoint(start.path, trusted=settings.trusted)
        with start.explained():
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
        unasked = settings.resume is None and not cfg.get("resume_from")
        return StartPoint(resumed, str(resumed), resumed=True, note=note, unasked=unasked)
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
        with start.explained():
            trainer.resume(start.path, trusted=settings.trusted)
        with raise_on_all_ranks():
            if trainer.env.is_main:
                _adopt_best(trainer, start.path.parent, trusted=settings.trusted)
        trainer.progress.best = broadcast_object(trainer.progress.best)
        return
    checkpoint = load_checkpoint(start.path, trusted=settings.trusted)
    load_weights(trainer.model, checkpoint["state_dict"], start.source, new_head=True)
    get_logger().info("starting from the weights of %s", start.source)


def _adopt_best(trainer: Trainer, folder: Path, *, trusted: bool) -> None:
    """Copy the best checkpoint of a run that is resumed in another work dir; forget a lost one."""
    known = trainer.progress.best
    if known is None or (trainer.work_dir / known["file"]).is_file():
        return
    best: dict[str, Any] | None = known
    if not (folder / known["file"]).is_file():
        best = _successor(known, folder, trainer.progress.epoch, trusted=trusted)
    if best is None:
        get_logger().warning(
            "the best checkpoint so far, %s, is gone: the next validation decides anew",
            folder / known["file"],
        )
    elif not (trainer.work_dir / best["file"]).is_file():
        shutil.copyfile(folder / best["file"], trainer.work_dir / best["file"])
    trainer.progress.best = best


def _successor(
    best: Mapping[str, Any], folder: Path, epoch: int, *, trusted: bool
) -> dict[str, Any] | None:
    """Return what took the place of the best checkpoint that a regular one knows of, if anything.

    An epoch is saved before it is validated: if it is the best then, the checkpoint that it knows
    as the best is replaced by one that it does not know of.

    Args:
        best: What the regular checkpoint says.
        folder: Where both were.
        epoch: That of the regular one; what is better later is not yet known to the run.
        trusted: See :func:`pyskl.checkpoints.checkpoint.load_checkpoint`.
    """
    for path in folder.glob("best_*_epoch_*.pth"):
        try:
            checkpoint = load_checkpoint(path, trusted=trusted)
            check_resumable(checkpoint, path)
        except InputError:  # damaged, or of other makers
            continue
        found = checkpoint["meta"].get("best")
        if (
            found is not None
            and (found["key"], found["file"]) == (best["key"], path.name)
            and best["epoch"] < found["epoch"] <= epoch
        ):
            return dict(found)
    return None
