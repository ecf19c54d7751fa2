"""What the figures of a run hold after it was interrupted and resumed.

A resumed run goes on in the file of figures that its checkpoint names. Steps that were taken after
that checkpoint are going to be taken again, so their lines leave the file first: read as a whole,
it has every ``(mode, epoch, iter)`` once, as if nothing had happened.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pyskl.files.atomic import write_text


def drop_later_lines(path: Path, *, iteration: int, per_epoch: int) -> None:
    """Take the lines out of a file that a run which goes on from a checkpoint writes again.

    A last line that was cut off by a kill goes, too.

    Args:
        path: The ``.log.json``.
        iteration: Finished iterations, by the checkpoint.
        per_epoch: Iterations of an epoch of the run that wrote it.

    Raises:
        OSError: if the file can't be read or replaced.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    kept = [line for line in lines if _stays(line, iteration, per_epoch)]
    text = "".join(f"{line}\n" for line in kept)
    if text.encode() != path.read_bytes():
        write_text(path, text)


def _stays(line: str, iteration: int, per_epoch: int) -> bool:
    try:
        figures = json.loads(line)
    except ValueError:
        return False
    if not isinstance(figures, dict):
        return False
    mode = figures.get("mode")
    if mode not in ("train", "val", "test"):
        return True  # what the run ran on
    if mode == "test":  # comes last
        return False
    epoch, step = _number(figures, "epoch"), _number(figures, "iter")
    if mode == "train":
        return (epoch - 1) * per_epoch + step <= iteration
    # The validation after the epoch that has just been saved is made again.
    return epoch * per_epoch < iteration


def _number(figures: dict[str, Any], key: str) -> int:
    value = figures.get(key, 0)
    return value if isinstance(value, int) else 0
