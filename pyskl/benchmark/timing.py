"""Repeated measurements, and what they amount to."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spread:
    """The middle of repeated measurements, and how far they lie apart.

    Attributes:
        median: Half of the measurements lie on either side.
        low: The smallest.
        high: The largest.
        first_quartile: A quarter of the measurements lie below.
        third_quartile: A quarter of the measurements lie above.
    """

    median: float
    low: float
    high: float
    first_quartile: float
    third_quartile: float


def spread(values: Sequence[float]) -> Spread:
    """Summarise measurements; quartiles are interpolated between the nearest two.

    Raises:
        ValueError: where there are none, or one of them is not finite.

    Example:
        >>> spread([3.0, 1.0, 2.0])
        Spread(median=2.0, low=1.0, high=3.0, first_quartile=1.5, third_quartile=2.5)
    """
    if not values:
        raise ValueError("there are no measurements to summarise")
    if not all(map(math.isfinite, values)):
        raise ValueError(f"measurements should be finite, found {list(values)}")
    low, first, median, third, high = map(float, np.percentile(values, [0, 25, 50, 75, 100]))
    return Spread(median, low, high, first, third)


def ratio(values: Sequence[float], reference: Sequence[float]) -> float:
    """Return how many times the reference something is: the median over the rounds.

    What :func:`alternate` measured in one round was measured at about the same time, so a slow
    spell of the machine, which the medians of either may or may not hold, leaves the ratio alone.

    Args:
        values: One measurement a round.
        reference: Those of the reference, in the same rounds.

    Raises:
        ValueError: if there are no rounds, or not as many of both.

    Example:
        >>> ratio([2.0, 4.0, 60.0], [1.0, 2.0, 10.0])
        2.0
    """
    return spread([one / other for one, other in zip(values, reference, strict=True)]).median


def alternate(
    measures: Mapping[str, Callable[[], float]], repeats: int
) -> dict[str, tuple[float, ...]]:
    """Take measurements in turn, A B C A B C ..., so that a slow spell of the machine hits all.

    Args:
        measures: Name → a function that measures once.
        repeats: Measurements of each.

    Returns:
        Name → its measurements, in order.

    Raises:
        ValueError: for less than one repeat.
    """
    if repeats < 1:
        raise ValueError(f"repeats should be at least 1, found {repeats}")
    found: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(repeats):
        for name, measure in measures.items():
            found[name].append(measure())
    return {name: tuple(values) for name, values in found.items()}


def _nothing() -> None:
    """Wait for a device that never runs behind: the CPU."""


@dataclass
class Timed:
    """A piece of work whose throughput is measured again and again.

    How many calls make up one measurement is fixed beforehand, by :meth:`prepare`: a GPU runs
    behind the calls that feed it, so a clock read between two calls says nothing.

    Attributes:
        work: Does one piece; returns how many samples that were.
        wait: Returns once the device has done all that was asked of it.
        calls: Calls of one measurement.
    """

    work: Callable[[], int]
    wait: Callable[[], None] = _nothing
    calls: int = 1

    def prepare(self, seconds: float, *, warm_up: int = 2) -> None:
        """Warm up, and choose :attr:`calls` so that a measurement takes about ``seconds``.

        Args:
            seconds: What a measurement should take; one call is the least that it can be.
            warm_up: Calls beforehand; fewer where one alone takes several measurements' time.
        """
        for _ in range(warm_up):
            if self._seconds()[0] > 4 * seconds:
                break
        took, self.calls = 0.0, 1
        # A single short call is dominated by the clock and by chance: double until it is not.
        while took < seconds / 8:
            took = self._seconds()[0]
            if took < seconds / 8:
                self.calls *= 2
        self.calls = max(1, round(self.calls * seconds / took))

    def rate(self) -> float:
        """Measure once; return samples per second."""
        took, samples = self._seconds()
        return samples / took

    def _seconds(self) -> tuple[float, int]:
        self.wait()
        start = time.perf_counter()
        samples = 0
        for _ in range(self.calls):
            samples += self.work()
        self.wait()
        return time.perf_counter() - start, samples
