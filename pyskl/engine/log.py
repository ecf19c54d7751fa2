"""Where a run's messages and figures go: console, files, TensorBoard.

``<timestamp>.log`` holds what a person reads, ``<timestamp>.log.json`` one JSON object a line.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

LOGGER_NAME = "pyskl"


class _ConsoleHandler(logging.Handler):
    """Writes above a progress bar instead of through it; training lines leave the bar alone."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record to standard error."""
        if getattr(record, "shown_by_bar", False) and sys.stderr.isatty():
            return
        tqdm.write(self.format(record), file=sys.stderr)


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
        handlers.append(logging.FileHandler(log_file, encoding="utf-8"))
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
    """

    def __init__(
        self, path: Path | None, hooks: Sequence[Mapping[str, Any]] = (), work_dir: Path = Path()
    ) -> None:
        self._file: IO[str] | None = None
        self._tensorboard: Any = None
        if path is None:
            return
        self._file = path.open("a", encoding="utf-8")
        for hook in hooks:
            if hook.get("type") == "TensorboardLoggerHook":
                self._open_tensorboard(hook.get("log_dir") or str(work_dir / "tf_logs"))

    def _open_tensorboard(self, log_dir: str) -> None:
        if importlib.util.find_spec("tensorboard") is None:
            get_logger().warning(
                "log_config asks for TensorboardLoggerHook, but tensorboard is not installed "
                "(pip install tensorboard): going on without it"
            )
            return
        from torch.utils.tensorboard import SummaryWriter

        self._tensorboard = SummaryWriter(log_dir)

    def write(self, figures: Mapping[str, Any], step: int | None = None) -> None:
        """Write a line; numbers also go to TensorBoard where ``step`` is given."""
        if self._file is None:
            return
        self._file.write(json.dumps(dict(figures)) + "\n")
        self._file.flush()
        if self._tensorboard is not None and step is not None:
            mode = figures.get("mode", "train")
            for key, value in figures.items():
                if isinstance(value, float):
                    self._tensorboard.add_scalar(f"{mode}/{key}", value, step)
            self._tensorboard.flush()

    def close(self) -> None:
        """Close the files."""
        if self._file is not None:
            self._file.close()
        if self._tensorboard is not None:
            self._tensorboard.close()
