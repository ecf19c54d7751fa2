"""Requests to stop, in one process and in several."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.utils.data import DataLoader

from pyskl.distributed.stop_signals import StopSignals, prepare_workers
from pyskl.errors import StoppedError

RunRanks = Callable[..., dict[int, Any]]

NUMBERS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_a_request_and_the_handlers_are_restored(number: signal.Signals) -> None:
    before = [signal.getsignal(one) for one in NUMBERS]
    with StopSignals() as stop:
        stop.raise_at_once = False
        assert stop.should_continue()
        os.kill(os.getpid(), number)
        assert not stop.should_continue()
        assert stop.reason == number.name
    assert [signal.getsignal(one) for one in NUMBERS] == before


def test_with_nothing_to_save_the_run_ends_at_once() -> None:
    with pytest.raises(StoppedError) as caught, StopSignals():
        os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.exit_status == 75


def test_the_second_ctrl_c_is_a_keyboard_interrupt() -> None:
    with StopSignals() as stop:
        stop.raise_at_once = False
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("seed", range(4))
def test_all_ranks_stop_at_the_same_step(run_ranks: RunRanks, seed: int) -> None:
    rng = np.random.default_rng(seed)
    processes = int(rng.integers(2, 4))
    signalled = rng.choice(processes, size=int(rng.integers(1, processes + 1)), replace=False)
    steps = {int(rank): int(rng.integers(0, 30)) for rank in signalled}

    def train(rank: int, monitor: Any) -> tuple[int, str]:
        stop = monitor.stop
        stop.raise_at_once = False
        for step in range(100):
            if not stop.should_continue():
                return step, stop.reason
            if step == steps.get(rank):
                os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(float(np.random.default_rng((seed, rank, step)).uniform(0, 0.003)))
            dist.all_reduce(torch.zeros(1))
        return -1, ""

    found = run_ranks(train, processes)
    assert len(set(found.values())) == 1, found
    step, reason = found[0]
    assert step == min(steps.values()) + 2
    first = max(rank for rank, at in steps.items() if at == min(steps.values()))
    assert reason == f"SIGUSR1 to process {first}"


def test_a_request_in_the_last_step_can_be_waited_for(run_ranks: RunRanks) -> None:
    def train(rank: int, monitor: Any) -> tuple[bool, bool]:
        monitor.stop.raise_at_once = False
        before = monitor.stop.should_continue(wait=True)
        if rank == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return before, monitor.stop.should_continue(wait=True)

    assert run_ranks(train) == {0: (True, False), 1: (True, False)}


def test_data_workers_leave_signals_to_their_process() -> None:
    loader = DataLoader(list(range(50)), num_workers=1, multiprocessing_context="fork")
    prepare_workers(loader, timeout=30)
    assert loader.timeout == 30
    batches = iter(loader)
    next(batches)
    (worker,) = batches._workers  # type: ignore[attr-defined]
    for number in NUMBERS:
        os.kill(worker.pid, number)
    assert len(list(batches)) == 49
