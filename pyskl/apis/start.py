"""Where a training run starts: fresh, from the weights of another, or where it was interrupted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import nn

from pyskl.apis.settings import TrainSettings
from pyskl.checkpoints.checkpoint import OpenedCheckpoint, open_checkpoint
from pyskl.checkpoints.manager import LATEST, newest_usable
from pyskl.checkpoints.resume_check import check_resumable
from pyskl.checkpoints.weights import check_weights_fit, load_weights
from pyskl.distributed.processes import Place, failing_together, from_main
from pyskl.errors import CheckpointError, InputError
from pyskl.logging.log import get_logger
from pyskl.training.trainer import Trainer


@dataclass(frozen=True)
class StartPoint:
    """The checkpoint that a run starts from.

    Attributes:
        checkpoint: Its content.
        resumed: Whether the run that wrote it goes on, or a new one takes its weights.
        note: What else the user should know.
        unasked: Whether the run goes on only because its work dir holds one.
    """

    checkpoint: OpenedCheckpoint
    resumed: bool
    note: str | None = None
    unasked: bool = False

    @property
    def path(self) -> Path:
        """The file."""
        return self.checkpoint.path

    @property
    def meta(self) -> Mapping[str, Any]:
        """What the checkpoint of a run that goes on says of it."""
        return self.checkpoint.meta if self.resumed else {}

    @property
    def seed(self) -> int | None:
        """The seed of the run that goes on, if the checkpoint has it."""
        return self.meta.get("seed")

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
    model: nn.Module, cfg: Config, settings: TrainSettings, work_dir: Path, place: Place
) -> StartPoint | None:
    """Return the checkpoint to start from, if any, and check that it fits."""
    start = chosen = None
    with failing_together():
        if place.is_main:
            start = _chosen_start(cfg, settings, work_dir)
            if start is not None:
                chosen = start.checkpoint.source, start.resumed, start.note, start.unasked
    chosen = from_main(chosen)
    if chosen is not None and start is None:
        source, *others = chosen
        start = StartPoint(open_checkpoint(source, trusted=settings.trusted), *others)
    if start is not None:
        if start.resumed and cfg.get("load_from") and place.is_main:
            get_logger().warning(
                "load_from=%s is not used: the run in %s goes on", cfg.load_from, start.path.parent
            )
        checkpoint = start.checkpoint
        with start.explained():
            if start.resumed:
                check_resumable(checkpoint)
            check_weights_fit(
                model, checkpoint.state_dict, checkpoint.source, new_head=not start.resumed
            )
    return start


def _chosen_start(cfg: Config, settings: TrainSettings, work_dir: Path) -> StartPoint | None:
    resumed = _resume_path(cfg, settings, work_dir)
    if resumed == work_dir / LATEST and resumed.exists():
        checkpoint, damage = newest_usable(work_dir, trusted=settings.trusted)
        unasked = settings.resume is None and not cfg.get("resume_from")
        note = None
        if damage is not None:
            note = (
                f"{damage}; going on from {checkpoint.path} instead, which is of iteration "
                f"{checkpoint.meta.get('iter')}"
            )
        return StartPoint(checkpoint, resumed=True, note=note, unasked=unasked)
    source = resumed if resumed is not None else cfg.get("load_from")
    if not source:
        return None
    checkpoint = open_checkpoint(source, trusted=settings.trusted)
    return StartPoint(checkpoint, resumed=resumed is not None)


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
            trainer.resume(start.checkpoint)
        with failing_together():
            if trainer.place.is_main:
                _adopt_best(trainer, start.path.parent, trusted=settings.trusted)
        trainer.progress.best = from_main(trainer.progress.best)
        return
    source = start.checkpoint.source
    load_weights(trainer.model, start.checkpoint.state_dict, source, new_head=True)
    get_logger().info("starting from the weights of %s", source)


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
        trusted: See :func:`pyskl.checkpoints.checkpoint.open_checkpoint`.
    """
    for path in folder.glob("best_*_epoch_*.pth"):
        try:
            checkpoint = open_checkpoint(path, trusted=trusted)
            check_resumable(checkpoint)
        except InputError:  # damaged, or of other makers
            continue
        found = checkpoint.meta.get("best")
        if (
            found is not None
            and (found["key"], found["file"]) == (best["key"], path.name)
            and best["epoch"] < found["epoch"] <= epoch
        ):
            return dict(found)
    return None
