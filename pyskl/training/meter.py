"""What a stretch of training steps amounts to."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pyskl.distributed.processes import mean_over_ranks


class Meter:
    """Sums the figures of steps on the device, without waiting for it.

    The sums are part of a run's state: a line of the log that an interruption falls into is the
    mean of the same steps as without it.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Start a new stretch."""
        self.totals: dict[str, Tensor] = {}
        self.steps = 0
        self._timed_steps = 0
        self._samples = 0
        self._data_time = 0.0
        self._start = self._last = time.perf_counter()

    def restart_clock(self) -> None:
        """Leave the time out that passed since the last step, as it was spent otherwise."""
        passed = time.perf_counter() - self._last
        self._start += passed
        self._last += passed

    def data_arrived(self) -> None:
        """Note how long the loader kept the loop waiting."""
        self._data_time += time.perf_counter() - self._last

    def add(self, figures: Mapping[str, Tensor], samples: int) -> None:
        """Add the figures of a step."""
        for name, value in figures.items():
            value = value.detach()
            self.totals[name] = self.totals[name] + value if name in self.totals else value
        self.steps += 1
        self._timed_steps += 1
        self._samples += samples
        self._last = time.perf_counter()

    def leave_out_one(self) -> None:
        """Take a step back whose figures came as zeros."""
        self.steps -= 1

    def means(self) -> dict[str, float]:
        """Return the means over the steps and all processes; this waits for the device."""
        values = torch.stack(list(self.totals.values())).float() / self.steps
        return dict(zip(self.totals, mean_over_ranks(values).tolist()))

    def speed(self) -> tuple[float, float, float]:
        """Return seconds a step, seconds of it spent waiting for data, samples a second."""
        seconds = time.perf_counter() - self._start
        steps = max(1, self._timed_steps)
        return seconds / steps, self._data_time / steps, self._samples / seconds

    def state(self) -> dict[str, Any]:
        """Return the sums; the times are those of this process."""
        return {"totals": dict(self.totals), "steps": self.steps}

    def load_state(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on from the sums of a run that was interrupted.

        Raises:
            ValueError: if these are no sums of steps.
        """
        totals, steps = dict(state["totals"]), int(state["steps"])
        if steps < 0 or (steps and not totals) or any(one.ndim > 0 for one in totals.values()):
            raise ValueError(f"the sums of {steps} steps can't be {totals}")
        self.clear()
        self.totals = {name: value.to(device) for name, value in totals.items()}
        self.steps = steps
