"""Repeated measurements and their summary."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.benchmark import timing
from pyskl.benchmark.timing import Timed, alternate, ratio, spread

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20)


@given(VALUES)
def test_the_summary_is_ordered_and_holds_the_extremes(values: list[float]) -> None:
    found = spread(values)
    assert found.low == min(values)
    assert found.high == max(values)
    assert found.median == pytest.approx(statistics.median(values), abs=1e-9)
    assert found.low <= found.first_quartile <= found.median + 1e-9
    assert found.median <= found.third_quartile + 1e-9
    assert found.third_quartile <= found.high


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_only_finite_measurements_are_summarised(values: list[float]) -> None:
    with pytest.raises(ValueError, match=r"measurements"):
        spread(values)


@given(
    st.lists(st.floats(0.5, 2), min_size=1, max_size=9), st.floats(0.1, 10), st.integers(1, 1000)
)
def test_a_slow_phase_leaves_the_ratio_as_it_is(
    reference: list[float], factor: float, slow: int
) -> None:
    values = [factor * value for value in reference]
    for rounds in range(len(values)):  # the machine gets slower at some point
        values[rounds:] = [value / slow for value in values[rounds:]]
        reference[rounds:] = [value / slow for value in reference[rounds:]]
        assert ratio(values, reference) == pytest.approx(factor)


def test_a_ratio_is_of_measurements_of_the_same_rounds() -> None:
    assert ratio([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]) == 2.0
    with pytest.raises(ValueError, match="shorter"):
        ratio([1.0, 2.0], [1.0])


def test_variants_take_turns() -> None:
    order = []

    def measure(name: str) -> Callable[[], float]:
        def once() -> float:
            order.append(name)
            return float(len(order))

        return once

    assert alternate({"a": measure("a"), "b": measure("b")}, 3) == {
        "a": (1.0, 3.0, 5.0),
        "b": (2.0, 4.0, 6.0),
    }
    assert order == ["a", "b"] * 3


class Clock:
    """Time that passes only when work is done, or while the device catches up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float, *, on_device: bool) -> None:
        self.now = self.pending = 0.0
        self.seconds = seconds
        self.on_device = on_device
        self.waits = 0
        monkeypatch.setattr(timing.time, "perf_counter", lambda: self.now)

    def work(self) -> int:
        """Take the time now, or leave it to the device."""
        if self.on_device:
            self.pending += self.seconds
        else:
            self.now += self.seconds
        return 8

    def wait(self) -> None:
        """Let the device catch up."""
        self.waits += 1
        self.now += self.pending
        self.pending = 0.0


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize("seconds", [0.0003, 0.004, 0.7, 3.0])
def test_a_rate_is_samples_over_the_time_until_the_device_is_done(
    monkeypatch: pytest.MonkeyPatch, seconds: float, on_device: bool
) -> None:
    clock = Clock(monkeypatch, seconds, on_device=on_device)
    timed = Timed(clock.work, clock.wait)
    timed.prepare(1.0)
    # As many calls as come nearest to a second, and never none.
    assert timed.calls == max(1, round(1 / seconds))
    before = clock.now
    assert timed.rate() == pytest.approx(8 / seconds)
    assert clock.now - before == pytest.approx(timed.calls * seconds)
    assert clock.pending == 0


def test_one_long_call_is_warm_up_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, 10.0, on_device=False)
    Timed(clock.work, clock.wait).prepare(1.0)
    assert clock.now == 20  # one to warm up, one to measure how long it takes
