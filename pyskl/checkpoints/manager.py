"""Which checkpoints of a run are written, and which may go."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyskl.checkpoints.checkpoint import point_latest_to, prune_checkpoints, save_checkpoint
from pyskl.checkpoints.writer import CheckpointWriter, on_host

_REGULAR = re.compile(r"(epoch|iter)_\d+\.pth")


@dataclass
class Saving:
    """When checkpoints are written.

    Attributes:
        interval: Epochs, or iterations, from one to the next; below 1 only the last is written.
        by_epoch: Which of the two.
        keep: How many to keep; below 1 for all.
    """

    interval: int = 1
    by_epoch: bool = True
    keep: int = -1

    def is_due(self, done: int, *, by_epoch: bool) -> bool:
        """Return whether to save after so many epochs or iterations."""
        return self.by_epoch == by_epoch and self.interval > 0 and done % self.interval == 0


class Keeper:
    """Writes the checkpoints of a run in the background, and deletes those that may go.

    A file is deleted only when the one that takes its place is safe on the disk.

    Args:
        work_dir: Where they go.
        keep: How many regular ones to keep; below 1 for all.
        writer: Who writes them.
    """

    def __init__(self, work_dir: Path, keep: int, writer: CheckpointWriter | None = None) -> None:
        self.work_dir = work_dir
        self.keep = keep
        self.writer = writer or CheckpointWriter()
        # Written where a run was stopped, between the regular ones; goes when the next is there.
        self.interim: Path | None = None

    def save(self, checkpoint: Mapping[str, Any], name: str, *, interim: bool = False) -> None:
        """Write a checkpoint and point ``latest.pth`` to it.

        Args:
            checkpoint: Its content; training may go on and change the tensors in it.
            name: Its file.
            interim: Whether it is there only because the run was stopped.
        """
        content, path = on_host(checkpoint), self.work_dir / name
        done_with, self.interim = self.interim, path if interim else None

        def write() -> None:
            save_checkpoint(content, path)
            point_latest_to(path)
            if not interim:
                prune_checkpoints(path, self.keep)
            if done_with is not None and done_with != path:
                done_with.unlink(missing_ok=True)

        self.writer.submit("regular", write)

    def tidy(self, checkpoint: Path) -> None:
        """Delete what may go since a checkpoint was written, in case its run was killed before.

        Args:
            checkpoint: A regular one, which is whole; others free nothing.
        """
        if checkpoint.parent == self.work_dir.resolve() and _REGULAR.fullmatch(checkpoint.name):
            prune_checkpoints(checkpoint, self.keep)

    def save_best(self, checkpoint: Mapping[str, Any], key: str, name: str) -> None:
        """Write the best checkpoint by the figure ``key``; the one that was the best goes then."""
        content = on_host(checkpoint)

        def write() -> None:
            save_checkpoint(content, self.work_dir / name)
            for old in self.work_dir.glob(f"best_{key}_epoch_*.pth"):
                if old.name != name:
                    old.unlink(missing_ok=True)

        self.writer.submit("best", write)

    def finish(self) -> None:
        """Wait until all is written.

        Raises:
            WriteError: if it can't be.
        """
        self.writer.finish()
