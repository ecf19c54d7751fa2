"""Where a run's messages and figures go: console, files, trackers of experiments.

``<timestamp>.log`` holds what a person reads, ``<timestamp>.log.json`` one JSON object a line.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

if TYPE_CHECKING:  # trackers tell of their failures through the logger of this module
    from pyskl.logging.trackers import Tracker

LOGGER_NAME = "pyskl"


class _ConsoleHandler(logging.Handler):
    """Writes above a progress bar instead of through it; training lines leave the bar alone."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record to standard error."""
        if getattr(record, "shown_by_bar", False) and sys.stderr.isatty():
            return
        tqdm.write(self.format(record), file=sys.stderr)


class _FileHandler(logging.FileHandler):
    """Writes to a file, and says once that it can't, as on a full disk; the rest goes on."""

    told = False

    def handleError(self, record: logging.LogRecord) -> None:
        """Tell on the console that a record could not be written."""
        if not self.told:
            self.told = True
            tqdm.write(f"{self.baseFilename} can't be written: messages are lost", file=sys.stderr)


def get_logger() -> logging.Logger:
    """Return the package's logger."""
    return logging.getLogger(LOGGER_NAME)


def setup_logging(
    log_file: Path | None = None, level: str = "INFO", *, is_main: bool = True
) -> logging.Logger:
    """Send the package's log to the console, and to ``log_file`` where given.

    Args:
        log_file: The file, appended to.
        level: Name of the lowest level to show.
        is_main: Whether this is the main process; the others show errors only.
    """
    logger = get_logger()
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(level if is_main else "ERROR")
    logger.propagate = False
    handlers: list[logging.Handler] = [_ConsoleHandler()]
    if log_file is not None and is_main:
        handlers.append(_FileHandler(log_file, encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s - %(levelname)s - %(message)s"))
        logger.addHandler(handler)
    return logger


class RunLog:
    """The figures of a run, written as they come.

    Args:
        path: The ``.log.json`` file; None writes nothing, as in all processes but the main one.
        trackers: Where figures of a step and pictures go, too; see :mod:`pyskl.logging.trackers`.

    Attributes:
        name: The file's, without its ending; None where nothing is written.
    """

    def __init__(self, path: Path | None, trackers: Sequence[Tracker] = ()) -> None:
        self.name = None if path is None else path.name.removesuffix(".log.json")
        self._file: FileIO | None = None
        self._unwritten = b""
        self._trackers = list(trackers)
        if path is not None:
            # Without a buffer: what could not be written is known, and comes with the next line.
            self._file = path.open("ab", buffering=0)

    def write(self, figures: Mapping[str, Any], step: int | None = None) -> None:
        """Write a line; its numbers also go to the trackers where ``step`` is given."""
        if self._file is None:
            return
        self._put(json.dumps(dict(figures)).encode() + b"\n")
        if step is not None and self._trackers:
            named = named_figures(figures)
            for tracker in self._trackers:
                tracker.log(named, step)

    def image(self, name: str, make: Callable[[], np.ndarray], step: int) -> None:
        """Give the trackers a picture.

        Args:
            name: Such as ``'test/best/confusion'``.
            make: Returns it, (height, width, 3) uint8; called only if there is a tracker.
            step: Finished iterations.
        """
        if self._file is not None and self._trackers:
            picture = make()
            for tracker in self._trackers:
                tracker.image(name, picture, step)

    def _put(self, line: bytes) -> None:
        """Write a line, and what a full disk kept from being written before."""
        told = bool(self._unwritten)
        self._unwritten += line
        try:
            while self._file is not None and self._unwritten:
                self._unwritten = self._unwritten[self._file.write(self._unwritten) or 0 :]
        except OSError as error:
            if not told:
                get_logger().error(
                    "the log of figures can't be written (%s); its lines are kept, and written "
                    "when that is possible again",
                    error,
                )

    def close(self) -> None:
        """Close the files and the trackers."""
        if self._file is not None:
            if self._unwritten:
                self._put(b"")
            self._file.close()
        for tracker in self._trackers:
            tracker.close()


def named_figures(line: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a line of the ``.log.json`` by the names that trackers know them by.

    Example:
        >>> named_figures({'mode': 'val', 'epoch': 2, 'iter': 6, 'top1_acc': 0.5})
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
