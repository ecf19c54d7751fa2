"""Means of the losses and metrics of training steps."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pyskl.distributed.collectives import mean_over_ranks


class Meter:
    """Sums the metrics of the steps of one log line on the device, without waiting for it.

    Checkpoints hold the sums, so an interruption does not change the mean of a log line.

    Attributes:
        steps: Number of steps in the sums.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Start a new log line."""
        self.totals: dict[str, Tensor] = {}
        self.steps = 0
        self._timed_steps = 0
        self._samples = 0
        self._data_time = 0.0
        self._start = self._last = time.perf_counter()

    def restart_clock(self) -> None:
        """Ignore the time since the last step, which was not spent on training."""
        passed = time.perf_counter() - self._last
        self._start += passed
        self._last += passed

    def data_arrived(self) -> None:
        """Add the time that the loop waited for the batch."""
        self._data_time += time.perf_counter() - self._last

    def add(self, metrics: Mapping[str, Tensor], samples: int) -> None:
        """Add the metrics of a step, scalars on the device."""
        for name, value in metrics.items():
            value = value.detach()
            self.totals[name] = self.totals[name] + value if name in self.totals else value
        self.steps += 1
        self._timed_steps += 1
        self._samples += samples
        self._last = time.perf_counter()

    def discount_step(self) -> None:
        """Do not count a step whose metrics were added as zeros."""
        self.steps -= 1

    def log_line(self, epoch: int, step: int, lr: float, device: torch.device) -> dict[str, Any]:
        """Return a line of the ``.log.json``: means over the steps and all processes.

        This waits for the device.

        Args:
            epoch: From 1.
            step: The last step of the line, from 1 within the epoch.
            lr: The learning rate of that step.
            device: The device of the run.
        """
        means = mean_over_ranks(torch.stack(list(self.totals.values())).float() / self.steps)
        timed_steps = max(1, self._timed_steps)
        line = {
            "mode": "train",
            "epoch": epoch,
            "iter": step,
            "lr": lr,
            "time": round((time.perf_counter() - self._start) / timed_steps, 5),
            "data_time": round(self._data_time / timed_steps, 5),
            **{name: round(value, 5) for name, value in zip(self.totals, means.tolist())},
        }
        if device.type == "cuda":
            line["memory"] = torch.cuda.max_memory_allocated(device) // 2**20
        return line

    def samples_per_second(self) -> float:
        """Return the samples of this process per second since the last line."""
        return self._samples / (time.perf_counter() - self._start)

    def state_dict(self) -> dict[str, Any]:
        """Return the sums; the times belong to this process only."""
        return {"totals": dict(self.totals), "steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Continue with the sums of an interrupted run.

        Raises:
            ValueError: if the state is invalid.
        """
        totals, steps = dict(state["totals"]), int(state["steps"])
        if steps < 0 or (steps and not totals) or any(one.ndim > 0 for one in totals.values()):
            raise ValueError(f"invalid sums for {steps} steps: {totals}")
        self.clear()
        self.totals = {name: value.to(device) for name, value in totals.items()}
        self.steps = steps
