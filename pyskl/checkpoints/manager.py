"""Choose which checkpoints a run writes, keeps and resumes from."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyskl.checkpoints.checkpoint import OpenedCheckpoint, open_checkpoint, save_checkpoint
from pyskl.checkpoints.writer import BackgroundWriter, copy_to_cpu
from pyskl.errors import CheckpointError, InputError, UntrustedFileError
from pyskl.files.atomic import point_to

LATEST = "latest.pth"

_REGULAR = re.compile(r"(epoch|iter)_(\d+)\.pth")


@dataclass(frozen=True)
class SavePolicy:
    """When checkpoints are written and how many are kept.

    Attributes:
        interval: Epochs or iterations between checkpoints; below 1 only the last one is written.
        by_epoch: Whether the interval counts epochs.
        max_keep: How many to keep; below 1 keeps all.
    """

    interval: int = 1
    by_epoch: bool = True
    max_keep: int = -1

    def is_due(self, done: int, *, by_epoch: bool) -> bool:
        """Return whether to save after ``done`` epochs or iterations."""
        return self.by_epoch == by_epoch and self.interval > 0 and done % self.interval == 0


class CheckpointManager:
    """Writes the checkpoints of a run in the background and deletes those that are not kept.

    A file is deleted only after its replacement is on the disk.

    Args:
        work_dir: The folder of the checkpoints.
        policy: When they are written and how many are kept.
    """

    def __init__(self, work_dir: Path, policy: SavePolicy) -> None:
        self.work_dir = work_dir
        self.policy = policy
        self._writer = BackgroundWriter()
        # The checkpoint of a stopped run, if it lies between two regular ones. It is deleted when
        # the next one is written.
        self._interim: Path | None = None

    def save(self, checkpoint: Mapping[str, Any], name: str, *, interim: bool = False) -> None:
        """Write a checkpoint, and point ``latest.pth`` to it.

        Args:
            checkpoint: Its content; training may change the tensors afterwards.
            name: Its file name.
            interim: Whether it is written only because the run was stopped.
        """
        content, path = copy_to_cpu(checkpoint), self.work_dir / name
        obsolete, self._interim = self._interim, path if interim else None

        def write() -> None:
            save_checkpoint(content, path)
            point_to(path.with_name(LATEST), path)
            if not interim:
                prune_checkpoints(path, self.policy.max_keep)
            if obsolete is not None and obsolete != path:
                obsolete.unlink(missing_ok=True)

        self._writer.submit("regular", write)

    def save_best(self, checkpoint: Mapping[str, Any], key: str, name: str) -> None:
        """Write the best checkpoint by the metric ``key``, and delete the previous best."""
        content = copy_to_cpu(checkpoint)

        def write() -> None:
            save_checkpoint(content, self.work_dir / name)
            for previous in self.work_dir.glob(f"best_{key}_epoch_*.pth"):
                if previous.name != name:
                    previous.unlink(missing_ok=True)

        self._writer.submit("best", write)

    def resume_from(self, checkpoint: OpenedCheckpoint) -> None:
        """Delete the checkpoints that the interrupted run would have deleted.

        Args:
            checkpoint: The one that the run resumes from. If it is in another folder, nothing is
                deleted.
        """
        path = checkpoint.path.resolve()
        if path.parent != self.work_dir.resolve():
            return
        if checkpoint.meta.get("interim"):
            self._interim = path
        elif _REGULAR.fullmatch(path.name):
            prune_checkpoints(path, self.policy.max_keep)

    def finish(self) -> None:
        """Wait until everything is written.

        Raises:
            WriteError: if a file can't be written.
        """
        self._writer.finish()


def prune_checkpoints(newest: Path, keep: int) -> None:
    """Delete the checkpoints before ``newest``, except for the last few.

    Higher numbers belong to another run in the same folder and stay: if they counted as newer, the
    checkpoint that was just written would be deleted.

    Args:
        newest: ``<prefix>_<number>.pth``.
        keep: How many with that prefix to keep, including ``newest``; below 1 keeps all.
    """
    if keep < 1:
        return
    prefix, _, number = newest.stem.rpartition("_")
    older = [
        path for found, path in numbered_checkpoints(newest.parent, prefix) if found < int(number)
    ]
    for path in older[: max(0, len(older) - (keep - 1))]:
        path.unlink(missing_ok=True)


def numbered_checkpoints(work_dir: Path, prefix: str) -> list[tuple[int, Path]]:
    """Return ``(number, path)`` of the files ``<prefix>_<number>.pth``, sorted by number."""
    pattern = re.compile(rf"{re.escape(prefix)}_(\d+)\.pth")
    matches = ((pattern.fullmatch(path.name), path) for path in work_dir.glob(f"{prefix}_*.pth"))
    return sorted((int(match[1]), path) for match, path in matches if match)


def newest_usable(
    work_dir: Path, *, trusted: bool = False
) -> tuple[OpenedCheckpoint, InputError | None]:
    """Open ``latest.pth``, or if that is damaged the newest checkpoint before it.

    Args:
        work_dir: The folder of the run.
        trusted: See :func:`pyskl.checkpoints.checkpoint.open_checkpoint`.

    Returns:
        The checkpoint, and the error of ``latest.pth`` if that is damaged.

    Raises:
        CheckpointError: if none can be read.
    """
    latest = work_dir / LATEST
    try:
        return open_checkpoint(latest, trusted=trusted), None
    except (CheckpointError, UntrustedFileError) as error:  # flipped bits can cause either
        damage: InputError = error
    damaged = latest.resolve()
    usable = []
    for prefix in ("epoch", "iter"):
        for _, path in reversed(numbered_checkpoints(work_dir, prefix)):
            if path.name == damaged.name:
                continue
            try:
                checkpoint = open_checkpoint(path, trusted=trusted)
            except (CheckpointError, UntrustedFileError):
                continue
            # A later checkpoint than the damaged one belongs to another run in the same folder.
            iteration = checkpoint.meta.get("iter")
            if isinstance(iteration, int) and iteration <= _iteration_of(damaged, checkpoint.meta):
                usable.append(checkpoint)
                break
    if not usable:
        raise CheckpointError(
            "the newest checkpoint is damaged and there is no older one that can be read",
            file=work_dir,
            hint="name another with --resume, or delete the folder's checkpoints to start again",
            errors=[damage],
        ) from damage
    # Of two checkpoints of one iteration this takes that of the finished epoch.
    return max(usable, key=lambda checkpoint: checkpoint.meta["iter"]), damage


def _iteration_of(damaged: Path, meta: Mapping[str, Any]) -> float:
    """Return the iteration of a damaged checkpoint, from its name and another's ``meta``."""
    match = _REGULAR.fullmatch(damaged.name)
    if match is None:
        return math.inf
    number = int(match[2])
    if match[1] == "iter":
        return number
    per_epoch = meta.get("iters_per_epoch")
    return number * per_epoch if isinstance(per_epoch, int) else math.inf
