"""Log messages to the console and to a run's ``<timestamp>.log``."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from tqdm import tqdm

from pyskl.files.terminal import shows_bars

LOGGER_NAME = "pyskl"


class _ConsoleHandler(logging.Handler):
    """Writes above a progress bar instead of through it, and omits what the bar shows."""

    def emit(self, record: logging.LogRecord) -> None:
        if not (getattr(record, "shown_by_bar", False) and shows_bars()):
            tqdm.write(self.format(record), file=sys.stderr)


class _FileHandler(logging.FileHandler):
    """Writes to a file; reports the first failure, as on a full disk, and continues."""

    _failed = False

    def handleError(self, record: logging.LogRecord) -> None:
        if not self._failed:
            self._failed = True
            tqdm.write(f"can't write {self.baseFilename}: messages are lost", file=sys.stderr)


def get_logger() -> logging.Logger:
    """Return the package's logger."""
    return logging.getLogger(LOGGER_NAME)


def setup_logging(
    log_file: Path | None = None, level: str = "INFO", *, is_main: bool = True
) -> logging.Logger:
    """Send the package's messages to the console, and to a file.

    Args:
        log_file: The file to append to, if any.
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
