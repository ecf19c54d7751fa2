"""Where a run's messages and figures go: console, files, TensorBoard.

``<timestamp>.log`` holds what a person reads, ``<timestamp>.log.json`` one JSON object a line.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import Any

from tqdm import tqdm

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
        hooks: ``log_config.hooks``: :class:`TensorboardLoggerHook` adds TensorBoard, where it is
            installed.
        work_dir: TensorBoard's files go to ``tf_logs`` in it, unless the hook says ``log_dir``.
        first_step: Iterations that are finished: TensorBoard forgets what it was told of later
            ones, as they are taken again.

    Attributes:
        name: The file's, without its ending; None where nothing is written.
    """

    def __init__(
        self,
        path: Path | None,
        hooks: Sequence[Mapping[str, Any]] = (),
        work_dir: Path = Path(),
        *,
        first_step: int = 0,
    ) -> None:
        self.name = None if path is None else path.name.removesuffix(".log.json")
        self._file: FileIO | None = None
        self._unwritten = b""
        self._tensorboard: Any = None
        if path is None:
            return
        # Without a buffer: what could not be written is known, and comes with the next line.
        self._file = path.open("ab", buffering=0)
        for hook in hooks:
            if hook.get("type") == "TensorboardLoggerHook":
                self._open_tensorboard(hook.get("log_dir") or str(work_dir / "tf_logs"), first_step)

    def _open_tensorboard(self, log_dir: str, first_step: int) -> None:
        if importlib.util.find_spec("tensorboard") is None:
            get_logger().warning(
                "log_config asks for TensorboardLoggerHook, but tensorboard is not installed "
                "(pip install tensorboard): going on without it"
            )
            return
        from torch.utils.tensorboard import SummaryWriter

        purge = {"purge_step": first_step + 1} if first_step else {}
        self._tensorboard = SummaryWriter(log_dir, **purge)

    def write(self, figures: Mapping[str, Any], step: int | None = None) -> None:
        """Write a line; numbers also go to TensorBoard where ``step`` is given."""
        if self._file is None:
            return
        self._put(json.dumps(dict(figures)).encode() + b"\n")
        if self._tensorboard is not None and step is not None:
            mode = figures.get("mode", "train")
            for key, value in figures.items():
                if isinstance(value, float):
                    self._tensorboard.add_scalar(f"{mode}/{key}", value, step)
            self._tensorboard.flush()

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
        """Close the files."""
        if self._file is not None:
            if self._unwritten:
                self._put(b"")
            self._file.close()
        if self._tensorboard is not None:
            self._tensorboard.close()
