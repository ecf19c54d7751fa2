"""The checkpoint that an interrupted run goes on from: the newest that can be read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyskl.checkpoints.checkpoint import LATEST, load_checkpoint, numbered_checkpoints
from pyskl.errors import CheckpointError, InputError, UntrustedFileError

_NUMBERED = re.compile(r"(epoch|iter)_(\d+)\.pth")


def newest_usable(work_dir: Path, *, trusted: bool = False) -> tuple[Path, str | None]:
    """Return ``latest.pth``, or if that is damaged the newest checkpoint before it.

    With it comes what the user should be told: that, and of which file.

    Args:
        work_dir: The folder.
        trusted: See :func:`pyskl.checkpoints.checkpoint.load_checkpoint`.

    Raises:
        CheckpointError: if none can be read.
    """
    latest = work_dir / LATEST
    try:
        load_checkpoint(latest, trusted=trusted)
        return latest, None
    except (CheckpointError, UntrustedFileError) as error:  # wrong bytes may read like either
        damage: InputError = error
    before = _newest_before(latest.resolve(), work_dir, trusted=trusted)
    if before is None:
        raise CheckpointError(
            f"{damage}; there is no older checkpoint in {work_dir} that can be read: name another "
            "with --resume, or delete the folder's checkpoints to start anew"
        ) from damage
    path, meta = before
    told = f"{damage}; going on from {path} instead, which is of iteration {meta.get('iter')}"
    return path, told


def _newest_before(
    damaged: Path, work_dir: Path, *, trusted: bool
) -> tuple[Path, Mapping[str, Any]] | None:
    """Return the newest checkpoint that can be read, of those that are not newer than another.

    Higher numbers than the damaged one's are of another run in the same folder.
    """
    found: list[tuple[int, Path, Mapping[str, Any]]] = []
    for prefix in ("iter", "epoch"):  # where they are of the same iteration, the latter is ahead
        for _, path in numbered_checkpoints(work_dir, prefix):
            if path.name == damaged.name:
                continue
            try:
                meta = load_checkpoint(path, trusted=trusted)["meta"]
            except (CheckpointError, UntrustedFileError):
                continue
            done = meta.get("iter")
            if isinstance(done, int) and done <= _limit(damaged, meta):
                found.append((done, path, meta))
    if not found:
        return None
    _, path, meta = max(reversed(found), key=lambda one: one[0])
    return path, meta


def _limit(damaged: Path, meta: Mapping[str, Any]) -> float:
    """Return the iteration of the damaged checkpoint, as far as its name and another tell."""
    match = _NUMBERED.fullmatch(damaged.name)
    if match is None:
        return math.inf
    number = int(match[2])
    if match[1] == "iter":
        return number
    per_epoch = meta.get("iters_per_epoch")
    return number * per_epoch if isinstance(per_epoch, int) else math.inf
