"""A line of the training log: for the file of figures, for people, and on the progress bar."""

from __future__ import annotations

import sys
from typing import Any

import torch
from tqdm import tqdm

from pyskl.evaluation.evaluate import describe_metrics
from pyskl.logging.log import get_logger
from pyskl.training.meter import Meter


class TrainLine:
    """Words the figures of one epoch.

    Args:
        epoch: From 1.
        epochs: Of the run.
        per_epoch: Iterations of an epoch.
        device: Where the run computes.
        bar: Whether to show a bar, where there is a terminal.
    """

    def __init__(
        self, epoch: int, epochs: int, per_epoch: int, *, device: torch.device, bar: bool
    ) -> None:
        self.epoch = epoch
        self.epochs = epochs
        self.per_epoch = per_epoch
        self.device = device
        self._show = bar and sys.stderr.isatty()
        self._bar: tqdm | None = None

    def bar_from(self, done: int) -> tqdm:
        """Return the bar of the epoch, of which so many iterations are done."""
        self._bar = tqdm(
            total=self.per_epoch,
            initial=done,
            desc=f"epoch {self.epoch}/{self.epochs}",
            disable=not self._show,
            leave=False,
        )
        return self._bar

    def write(self, meter: Meter, step: int, lr: float, *, world_size: int) -> dict[str, Any]:
        """Tell people of the steps that the meter has summed; this waits for the device.

        Args:
            meter: Their sums.
            step: The last of them, from 1 within the epoch.
            lr: Its learning rate.
            world_size: Processes of the run.

        Returns:
            The line for the file of figures.
        """
        values = meter.means()
        per_step, data_time, rate = meter.speed()
        rate *= world_size
        left = ((self.epochs - self.epoch + 1) * self.per_epoch - step) * per_step
        get_logger().info(
            "epoch %d [%d/%d] lr %.3g, %.0f samples/s, data %.3f s/it, eta %s, %s",
            self.epoch,
            step,
            self.per_epoch,
            lr,
            rate,
            data_time,
            tqdm.format_interval(left),
            describe_metrics(values),
            extra={"shown_by_bar": True},
        )
        if self._bar is not None:
            shown = {"loss": f"{values['loss']:.3f}", "lr": f"{lr:.3g}", "rate": f"{rate:.0f}/s"}
            self._bar.set_postfix(shown)
        figures = {
            "mode": "train",
            "epoch": self.epoch,
            "iter": step,
            "lr": lr,
            "time": round(per_step, 5),
            "data_time": round(data_time, 5),
            **{name: round(value, 5) for name, value in values.items()},
        }
        if self.device.type == "cuda":
            figures["memory"] = torch.cuda.max_memory_allocated(self.device) // 2**20
        return figures
