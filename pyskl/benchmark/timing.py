"""Repeated measurements and their summary."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Spread:
    """The summary of repeated measurements."""

    median: float
    low: float
    high: float
    first_quartile: float
    third_quartile: float


def spread(values: Sequence[float]) -> Spread:
    """Summarise measurements. Quartiles are interpolated between the nearest two values.

    Raises:
        ValueError: if there are no values, or one of them is not finite.

    Example:
        >>> spread([3.0, 1.0, 2.0])
        Spread(median=2.0, low=1.0, high=3.0, first_quartile=1.5, third_quartile=2.5)
    """
    if not values or not all(map(math.isfinite, values)):
        raise ValueError(f"measurements have to be finite numbers, found {list(values)}")
    low, first, median, third, high = map(float, np.percentile(values, [0, 25, 50, 75, 100]))
    return Spread(median, low, high, first, third)


def ratio(values: Sequence[float], reference: Sequence[float]) -> float:
    """Return the median over the rounds of the ratio to the reference.

    :func:`alternate` takes the measurements of one round at about the same time, so a slow phase of
    the machine affects both and leaves the ratio as it is.

    Args:
        values: One measurement per round.
        reference: Those of the reference, in the same rounds.

    Raises:
        ValueError: if there are no rounds, or the numbers of rounds differ.

    Example:
        >>> ratio([2.0, 4.0, 60.0], [1.0, 2.0, 10.0])
        2.0
    """
    return spread([one / other for one, other in zip(values, reference, strict=True)]).median


def alternate(
    measures: Mapping[str, Callable[[], float]], repeats: int
) -> dict[str, tuple[float, ...]]:
    """Measure in turn, A B C A B C ..., so that a slow phase of the machine affects all alike.

    Args:
        measures: Name → a function that measures once.
        repeats: Measurements of each.

    Returns:
        Name → its measurements, in order.
    """
    found: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(repeats):
        for name, measure in measures.items():
            found[name].append(measure())
    return {name: tuple(values) for name, values in found.items()}


def synchronizer(device: torch.device) -> Callable[[], None]:
    """Return a function that waits until a device has finished all queued work."""
    if device.type == "cuda":
        return lambda: torch.cuda.synchronize(device)
    return lambda: None


@dataclass
class Timed:
    """Work whose throughput is measured repeatedly.

    :meth:`prepare` fixes the number of calls of one measurement. The device is synchronised before
    and after these calls only, because calls of a GPU are asynchronous.

    Attributes:
        work: Does one piece of work; returns its number of samples.
        synchronize: Waits for the device, see :func:`synchronizer`.
        calls: Calls of one measurement.
    """

    work: Callable[[], int]
    synchronize: Callable[[], None] = lambda: None
    calls: int = 1

    def prepare(self, seconds: float) -> None:
        """Warm up, and set :attr:`calls` so that a measurement takes about ``seconds``.

        The warm-up is two calls, or one if it takes longer than four measurements.

        Args:
            seconds: Duration of a measurement, if a single call does not take longer.
        """
        for _ in range(2):
            if self._measure()[0] > 4 * seconds:
                break
        took, self.calls = self._measure()[0], 1
        # Clock resolution and noise dominate a short call, so double the number of calls.
        while took < seconds / 8:
            self.calls *= 2
            took = self._measure()[0]
        self.calls = max(1, round(self.calls * seconds / took))

    def rate(self) -> float:
        """Measure once; return samples per second."""
        seconds, samples = self._measure()
        return samples / seconds

    def _measure(self) -> tuple[float, int]:
        self.synchronize()
        start = time.perf_counter()
        samples = sum(self.work() for _ in range(self.calls))
        self.synchronize()
        return time.perf_counter() - start, samples
