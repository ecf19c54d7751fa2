"""All stop at the same step, and who is lost is missed; with threads in the place of processes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import torch.distributed as dist

from pyskl.distributed import monitor as watch_module
from pyskl.distributed.monitor import Watch
from pyskl.distributed.processes import Place
from pyskl.distributed.stop_signals import StopSignals
from pyskl.distributed.timeouts import Patience


@pytest.fixture(autouse=True)
def _quick_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "_ROUND", 0.01)


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Exit statuses with which a process would have ended itself."""
    statuses: list[int] = []
    monkeypatch.setattr(os, "_exit", statuses.append)
    return statuses


def _store() -> dist.Store:
    store = dist.HashStore()
    store.set_timeout(timedelta(seconds=5))
    return store


def test_alone_a_request_counts_at_once() -> None:
    stop = StopSignals()
    with Watch(stop=stop) as watch:
        assert watch.may_enter()
        assert not watch.is_stopping()
        stop.requested = "SIGTERM"
        assert watch.is_stopping()
        assert not watch.may_enter()
        assert watch.reason == "SIGTERM"


@pytest.mark.parametrize("seed", range(6))
def test_all_stop_at_the_same_step_whoever_is_asked_and_when(seed: int) -> None:
    rng = np.random.default_rng(seed)
    processes, store = int(rng.integers(2, 5)), _store()
    together = threading.Barrier(processes)  # what processes do together needs all of them
    stops = [StopSignals() for _ in range(processes)]
    entered = [0] * processes
    errors: list[BaseException] = []

    def run(rank: int) -> None:
        own = np.random.default_rng((seed, rank))
        try:
            with Watch(Place(rank, processes), stops[rank], store=store) as watch:
                for _ in range(2000):
                    if not watch.may_enter():
                        return
                    entered[rank] += 1
                    time.sleep(float(own.uniform(0, 0.003)))
                    together.wait(timeout=10)
        except BaseException as error:  # must reach the test
            errors.append(error)

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(processes)]
    for thread in threads:
        thread.start()
    time.sleep(float(rng.uniform(0, 0.15)))
    for rank in rng.choice(processes, size=int(rng.integers(1, processes + 1)), replace=False):
        stops[rank].requested = "SIGUSR1"
    for thread in threads:
        thread.join(timeout=20)
    assert errors == []
    assert len(set(entered)) == 1
    assert 0 < entered[0] < 2000


def _until(condition: Callable[[], Any], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(condition())


def test_one_without_a_sign_of_life_is_named(
    ended: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    store = _store()
    store.set("beat/1", "alive|7|7|in iteration 3 of epoch 2")
    with Watch(Place(0, 2), patience=Patience(timeout=0.3), store=store):
        assert _until(lambda: ended)
    assert ended[0] == 69
    assert "process 1 has given no sign of life" in caplog.text
    assert "it was in iteration 3 of epoch 2" in caplog.text


def test_one_that_failed_is_missed_after_a_while(
    ended: list[int], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "_GRACE", 0.2)
    store = _store()
    other = Watch(Place(1, 2), store=store)
    other.__enter__()
    other.doing("validating")
    time.sleep(0.1)
    other.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
    with Watch(Place(0, 2), store=store):
        assert _until(lambda: ended)
    assert "process 1 failed (ZeroDivisionError)" in caplog.text


def test_one_that_is_done_is_not_missed(ended: list[int]) -> None:
    store = _store()
    with Watch(Place(1, 2), patience=Patience(timeout=0.2), store=store):
        time.sleep(0.05)
    with Watch(Place(0, 2), patience=Patience(timeout=0.2), store=store):
        time.sleep(0.6)
    assert ended == []


def test_a_run_in_which_nobody_gets_on_is_stuck(
    ended: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    store = _store()
    with (
        Watch(Place(1, 2), patience=Patience(stall=0.5), store=store) as other,
        Watch(Place(0, 2), patience=Patience(stall=0.5), store=store) as watch,
    ):
        other.doing("waiting for the data of iteration 5")
        for step in range(20):  # who gets on is not stuck, however long it takes in all
            watch.doing("in iteration", step)
            time.sleep(0.05)
        assert ended == []
        assert _until(lambda: ended)
    assert "process 1: waiting for the data of iteration 5" in caplog.text


def test_what_is_no_training_may_take_its_time(ended: list[int]) -> None:
    store = _store()
    with (
        Watch(Place(1, 2), patience=Patience(stall=0.2), store=store) as other,
        Watch(Place(0, 2), patience=Patience(stall=0.2), store=store) as watch,
    ):
        for one in (other, watch):
            one.doing("in iteration 1")
            one.rest()
        time.sleep(0.6)
    assert ended == []


def test_the_one_who_was_frozen_blames_nobody(
    ended: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After SIGSTOP and SIGCONT a process has heard nobody for long, through its own fault."""
    store = _store()
    offset = [0.0]
    real = time.monotonic
    monkeypatch.setattr(watch_module.time, "monotonic", lambda: real() + offset[0])
    with (
        Watch(Place(1, 2), patience=Patience(timeout=1), store=store),
        Watch(Place(0, 2), patience=Patience(timeout=1), store=store),
    ):
        time.sleep(0.2)
        offset[0] = 100.0
        time.sleep(0.4)
    assert ended == []
