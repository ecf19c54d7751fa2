"""The metrics of a run: one JSON object per line in its ``<timestamp>.log.json``, and trackers.

A resumed run appends to the file of its checkpoint. Steps after that checkpoint are taken again, so
their lines are removed first: the file then holds every ``(mode, epoch, iter)`` once, as if the run
had never stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyskl.files.atomic import write_text
from pyskl.logging.log import get_logger

if TYPE_CHECKING:  # trackers import this module
    from pyskl.logging.trackers import Tracker


class RunLog:
    """Writes the metrics of a run.

    Args:
        path: The ``.log.json`` file; None writes nothing, as in all processes but the main one.
        trackers: Also receive metrics and images; see :mod:`pyskl.logging.trackers`.

    Attributes:
        name: Name of the file without its suffix, or None.
    """

    def __init__(self, path: Path | None, trackers: Sequence[Tracker] = ()) -> None:
        self.name = None if path is None else path.name.removesuffix(".log.json")
        self._file: FileIO | None = None
        self._unwritten = b""
        self._trackers = list(trackers) if path is not None else []
        if path is not None:
            # Unbuffered, so that a failed write reports how much was written.
            self._file = path.open("ab", buffering=0)

    def write(self, line: Mapping[str, Any], step: int | None = None) -> None:
        """Write a line; if ``step`` is given its numbers also go to the trackers."""
        if self._file is None:
            return
        self._append(json.dumps(dict(line)).encode() + b"\n")
        if step is not None:
            for tracker in self._trackers:
                tracker.log(named_metrics(line), step)

    def image(self, name: str, draw: Callable[[], np.ndarray], step: int) -> None:
        """Send an image to the trackers.

        Args:
            name: Such as ``'test/best/confusion'``.
            draw: Returns it, (height, width, 3) uint8; called only if there is a tracker.
            step: Finished iterations.
        """
        if self._trackers:
            array = draw()
            for tracker in self._trackers:
                tracker.image(name, array, step)

    def _append(self, line: bytes) -> None:
        """Write a line, after those that could not be written before."""
        failed_before = bool(self._unwritten)
        self._unwritten += line
        try:
            while self._file is not None and self._unwritten:
                written = self._file.write(self._unwritten) or 0
                self._unwritten = self._unwritten[written:]
        except OSError as error:
            if not failed_before:
                get_logger().error(
                    "can't write the .log.json (%s); its lines are kept and written later", error
                )

    def close(self) -> None:
        """Close the file and the trackers."""
        if self._file is not None:
            self._append(b"")
            self._file.close()
        for tracker in self._trackers:
            tracker.close()


def named_metrics(line: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a line of the ``.log.json`` by their names in trackers.

    Example:
        >>> named_metrics({'mode': 'val', 'epoch': 2, 'iter': 6, 'top1_acc': 0.5})
        {'val/epoch': 2.0, 'val/top1_acc': 0.5}
    """
    prefix = str(line.get("mode", "train"))
    if "weights" in line:
        prefix += f"/{line['weights']}"
    return {
        f"{prefix}/{key}": float(value)
        for key, value in line.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and key != "iter"
    }


def truncate_log(path: Path, *, iteration: int, steps_per_epoch: int) -> list[dict[str, float]]:
    """Remove the lines that a run which resumes from a checkpoint will write again.

    An incomplete last line, as after a kill, is removed as well.

    Args:
        path: The ``.log.json``.
        iteration: Finished iterations in the checkpoint.
        steps_per_epoch: Of the run that wrote the file.

    Returns:
        The remaining metrics of exactly that iteration, by their names in trackers.

    Raises:
        OSError: if the file can't be read or replaced.
    """
    kept, last_metrics = [], []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if not isinstance(line, dict):
            continue
        mode, epoch, step = (line.get(key, 0) for key in ("mode", "epoch", "iter"))
        if mode == "test":
            continue  # tests come last
        if mode == "val" and epoch * steps_per_epoch >= iteration:
            continue  # the validation after the epoch that was just saved is repeated
        if mode == "train":
            done = (epoch - 1) * steps_per_epoch + step
            if done > iteration:
                continue
            if done == iteration:
                last_metrics.append(named_metrics(line))
        kept.append(f"{text}\n")
    content = "".join(kept)
    if content.encode() != path.read_bytes():
        write_text(path, content)
    return last_metrics
