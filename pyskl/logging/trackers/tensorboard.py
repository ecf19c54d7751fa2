"""``TensorboardLoggerHook``: event files for TensorBoard."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyskl.logging.trackers.base import Figures, RunInfo, Tracker, installed
from pyskl.registry import LOGGER_HOOKS


@LOGGER_HOOKS.register_module()
class TensorboardLoggerHook:
    """Writes event files.

    Args:
        log_dir: Where to; by default ``tf_logs`` in the work dir.

    A run that goes on makes TensorBoard forget what it was told of that and later iterations, as
    they are taken and told again.
    """

    def __init__(self, log_dir: str | None = None) -> None:
        self.log_dir = log_dir

    def open(self, run: RunInfo) -> Tracker | None:
        """Open an event file."""
        if not installed("tensorboard", "TensorboardLoggerHook"):
            return None
        from torch.utils.tensorboard import SummaryWriter

        log_dir = self.log_dir or str(run.work_dir / "tf_logs")
        purge = {"purge_step": run.first_step} if run.first_step else {}
        tracker = _EventFile(SummaryWriter(log_dir, **purge))
        for figures in run.told:
            tracker.log(figures, run.first_step)
        return tracker


class _EventFile:
    """Figures and pictures in an event file."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def log(self, figures: Figures, step: int) -> None:
        """Write figures."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def image(self, name: str, array: np.ndarray, step: int) -> None:
        """Write a picture."""
        self._writer.add_image(name, array, step, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()
