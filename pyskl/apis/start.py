"""Where a run starts: from scratch, from the weights of another run, or from its own checkpoint."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from pyskl.apis.same_run import Change, changes_since, refuse_changes
from pyskl.apis.settings import TrainSettings
from pyskl.checkpoints.checkpoint import OpenedCheckpoint, open_checkpoint
from pyskl.checkpoints.manager import LATEST, newest_usable
from pyskl.checkpoints.resume_check import check_resumable
from pyskl.checkpoints.weights import check_weights_fit, load_weights
from pyskl.config import RunConfig
from pyskl.distributed.collectives import broadcast_object, raise_on_all_ranks
from pyskl.distributed.env import DistEnv
from pyskl.errors import CheckpointError, InputError
from pyskl.logging.log import get_logger
from pyskl.training.trainer import Trainer

# Changes in a warning.
_MAX_LISTED = 20


@dataclass(frozen=True)
class StartPoint:
    """The checkpoint that a run starts from.

    Attributes:
        checkpoint: Its content.
        resumed: Whether the checkpoint's run is resumed; otherwise a new run takes its weights.
        automatic: Whether the checkpoint was found in the work dir, not named by the user.
        note: What is wrong with the newest checkpoint, if this is an older one.
        changes: What differs from the run that is resumed, in the main process; see
            :func:`pyskl.apis.same_run.changes_since`.
    """

    checkpoint: OpenedCheckpoint
    resumed: bool
    automatic: bool = False
    note: str | None = None
    changes: Sequence[Change] = ()

    @property
    def learns_otherwise(self) -> bool:
        """Whether some changes concern what the run learns."""
        return any(one.learned for one in self.changes)

    @property
    def path(self) -> Path:
        """The file."""
        return self.checkpoint.path

    @property
    def meta(self) -> Mapping[str, Any]:
        """The checkpoint's metadata if its run is resumed; empty for a new run."""
        return self.checkpoint.meta if self.resumed else {}

    def compared(self, facts: Mapping[str, Any]) -> StartPoint:
        """Compare the run that is resumed with this one.

        Args:
            facts: See :func:`pyskl.apis.same_run.run_facts`.

        Returns:
            The start point with its ``changes``.

        Raises:
            ConfigError: if changes concern what the run learns, and the user did not ask to resume.
        """
        if not self.resumed:
            return self
        changes = changes_since(self.meta, facts)
        if self.automatic:
            refuse_changes(changes, self.path)
        return replace(self, changes=changes)

    def check_weights(self, model: nn.Module) -> None:
        """Check that the weights fit the model.

        Raises:
            CheckpointError: if not.
        """
        state_dict, source = self.checkpoint.state_dict, self.checkpoint.source
        with self.explaining_errors():
            check_weights_fit(model, state_dict, source, new_head=not self.resumed)

    @contextmanager
    def explaining_errors(self) -> Iterator[None]:
        """Explain in errors why the checkpoint is used, if the user did not name it."""
        try:
            yield
        except CheckpointError as error:
            if not self.automatic:
                raise
            raise CheckpointError(
                str(error),
                hint=f"the run in {self.path.parent} is resumed automatically: another --work-dir, "
                "or --cfg-options auto_resume=False, starts a new run",
            ) from error


def find_start(
    cfg: RunConfig, settings: TrainSettings, work_dir: Path, env: DistEnv
) -> StartPoint | None:
    """Open the checkpoint to start from, if there is one, and check its state."""
    start = chosen = None
    with raise_on_all_ranks():
        if env.is_main:
            start = _choose(cfg, settings, work_dir)
            if start is not None:
                chosen = str(start.path), start.resumed, start.automatic, start.note
    chosen = broadcast_object(chosen)
    if chosen is not None and start is None:
        start = StartPoint(open_checkpoint(chosen[0], trusted=settings.trusted), *chosen[1:])
    if start is None:
        return None
    if start.resumed and cfg.load_from and env.is_main:
        get_logger().warning(
            "load_from=%s is not used: the run in %s continues", cfg.load_from, start.path.parent
        )
    if start.resumed:
        with start.explaining_errors():
            check_resumable(start.checkpoint)
    return start


def _choose(cfg: RunConfig, settings: TrainSettings, work_dir: Path) -> StartPoint | None:
    latest = work_dir / LATEST
    resumed: Path | None = None
    automatic = False
    if isinstance(settings.resume, (str, Path)):
        resumed = Path(settings.resume)
    elif settings.resume is True:
        resumed = latest
    elif settings.resume is None and cfg.resume_from:
        resumed = Path(cfg.resume_from).expanduser()
    elif settings.resume is None and cfg.auto_resume:
        if latest.is_symlink() and not latest.exists():
            raise InputError(
                f"{latest} points to {latest.readlink()}, which does not exist",
                hint="name another checkpoint with --resume, or delete the link to start a new run",
            )
        automatic = latest.exists()
        resumed = latest if automatic else None
    if resumed == latest and latest.exists():
        checkpoint, damage = newest_usable(work_dir, trusted=settings.trusted)
        note = None
        if damage is not None:
            note = (
                f"{damage}; continuing from {checkpoint.path} instead, from iteration "
                f"{checkpoint.meta.get('iter')}"
            )
        return StartPoint(checkpoint, True, automatic, note)
    source = os.path.expanduser(cfg.load_from or "") if resumed is None else resumed
    if not source:
        return None
    checkpoint = open_checkpoint(source, trusted=settings.trusted)
    return StartPoint(checkpoint, resumed=resumed is not None)


def apply_start(trainer: Trainer, start: StartPoint, *, trusted: bool) -> None:
    """Load the checkpoint's state or weights into a trainer."""
    if start.note is not None:
        get_logger().error("%s", start.note)
    if start.changes:
        listed = [f"{one.key} {one.before} → {one.now}" for one in start.changes[:_MAX_LISTED]]
        more = len(start.changes) - len(listed)
        get_logger().log(
            logging.WARNING if start.learns_otherwise else logging.INFO,
            "the run continues with other values than before: %s%s",
            "; ".join(listed),
            f"; and {more} more" if more else "",
        )
    if not start.resumed:
        checkpoint = start.checkpoint
        load_weights(trainer.model, checkpoint.state_dict, checkpoint.source, new_head=True)
        get_logger().info("starting from the weights of %s", checkpoint.source)
        return
    with start.explaining_errors():
        trainer.resume(start.checkpoint)
    with raise_on_all_ranks():
        if trainer.env.is_main:
            _find_best(trainer, start.path.parent, trusted=trusted)
    trainer.progress.best = broadcast_object(trainer.progress.best)


def _find_best(trainer: Trainer, folder: Path, *, trusted: bool) -> None:
    """Find the best checkpoint so far; copy it if the run continues in another work dir."""
    known = trainer.progress.best
    if known is None or (trainer.work_dir / known["file"]).is_file():
        return
    best: dict[str, Any] | None = known
    if not (folder / known["file"]).is_file():
        best = _later_best(known, folder, trainer.progress.epoch, trusted=trusted)
    if best is None:
        get_logger().warning(
            "the best checkpoint so far, %s, no longer exists: the next validation picks a new one",
            folder / known["file"],
        )
    elif not (trainer.work_dir / best["file"]).is_file():
        shutil.copyfile(folder / best["file"], trainer.work_dir / best["file"])
    trainer.progress.best = best


def _later_best(
    known: Mapping[str, Any], folder: Path, epoch: int, *, trusted: bool
) -> dict[str, Any] | None:
    """Return the best checkpoint that replaced the known one, if there is one.

    An epoch is saved before it is validated. If it is the new best, its checkpoint still names the
    previous best one, which is then deleted.

    Args:
        known: The best checkpoint that the epoch's checkpoint names.
        folder: The folder of both.
        epoch: Finished epochs; best checkpoints of later epochs are ignored.
        trusted: See :func:`pyskl.checkpoints.checkpoint.open_checkpoint`.
    """
    for path in folder.glob("best_*_epoch_*.pth"):
        try:
            checkpoint = open_checkpoint(path, trusted=trusted)
            check_resumable(checkpoint)
        except InputError:  # damaged, or written by another program
            continue
        best = checkpoint.meta.get("best")
        if (
            best is not None
            and (best["key"], best["file"]) == (known["key"], path.name)
            and known["epoch"] < best["epoch"] <= epoch
        ):
            return dict(best)
    return None
