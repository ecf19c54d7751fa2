"""Lost and stalled processes are detected and named; some tests use threads as ranks."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from pyskl.distributed import monitor as monitor_module
from pyskl.distributed.env import DistEnv
from pyskl.distributed.monitor import Monitor
from pyskl.distributed.rendezvous import Timeouts
from pyskl.errors import InputError, LostProcessError

RunRanks = Callable[..., dict[int, Any]]


@pytest.fixture(autouse=True)
def _short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor_module, "HEARTBEAT_INTERVAL", 0.01)
    monkeypatch.setattr(monitor_module, "GRACE_PERIOD", 0.5)


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Statuses with which the process would have exited."""
    statuses: list[int] = []
    monkeypatch.setattr(os, "_exit", statuses.append)
    return statuses


@pytest.fixture
def make() -> Callable[..., Monitor]:
    """A function that makes the monitor of one of two ranks."""
    store = dist.HashStore()
    store.set_timeout(timedelta(seconds=5))

    def make(rank: int, **timeouts: float) -> Monitor:
        return Monitor(DistEnv(rank, 2), timeouts=Timeouts(**timeouts), store=store)

    return make


def _wait_for(exits: list[int]) -> None:
    end = time.monotonic() + 5
    while not exits and time.monotonic() < end:
        time.sleep(0.01)
    assert exits
    assert exits[0] == 69


def test_a_process_that_is_done_or_slow_is_not_lost(
    make: Callable[..., Monitor], exits: list[int]
) -> None:
    with make(0, timeout=0.2, stall=0.2) as main:
        with make(1, timeout=0.2, stall=0.2) as other:
            for monitor in (main, other):
                monitor.report("iteration", 1)
                monitor.pause()  # what follows may take any time
            time.sleep(0.5)
        time.sleep(0.5)
    assert exits == []


def test_a_process_that_failed_is_named(
    make: Callable[..., Monitor], exits: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    with make(0):
        other = make(1)
        with other:
            other.report("validation after epoch", 3)
            time.sleep(0.1)
        other.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
        _wait_for(exits)
    assert "process 1 failed (ZeroDivisionError)" in caplog.text
    assert "validation after epoch 3" in caplog.text


def test_a_run_without_progress_stalls(
    make: Callable[..., Monitor], exits: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    with make(1, stall=0.5) as other, make(0, stall=0.5) as main:
        other.report("waiting for the data of iteration", 5)
        for step in range(20):  # one process makes progress
            main.report("iteration", step)
            time.sleep(0.05)
        assert exits == []
        _wait_for(exits)
    assert "process 1: waiting for the data of iteration 5" in caplog.text


def test_a_single_process_can_stall(exits: list[int]) -> None:
    with Monitor(timeouts=Timeouts(stall=0.2)) as monitor:
        monitor.report("iteration", 1)
        _wait_for(exits)


def test_a_process_that_was_frozen_itself_accuses_nobody(
    make: Callable[..., Monitor], exits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After SIGSTOP and SIGCONT it has received nothing for long."""
    offset, clock = [0.0], time.monotonic
    monkeypatch.setattr(monitor_module.time, "monotonic", lambda: clock() + offset[0])
    with make(1, timeout=1), make(0, timeout=1):
        time.sleep(0.2)
        offset[0] = 100.0
        time.sleep(0.4)
    assert exits == []


@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.slow)]
)
def test_a_killed_or_frozen_process_ends_the_other(
    run_ranks: RunRanks, tmp_path: Path, victim: int, number: signal.Signals
) -> None:
    pids = tmp_path / "pids"
    pids.mkdir()

    def train(rank: int, monitor: Monitor) -> None:
        (pids / str(rank)).write_text(str(os.getpid()))
        monitor.report("iteration", 3)
        with monitor.explain_failures(lambda: "after iteration 2"):
            dist.barrier()
            time.sleep(0.3)  # a heartbeat
            if rank == victim:
                if number == signal.SIGSTOP and os.fork() == 0:  # to end it afterwards
                    time.sleep(3)
                    os.kill(os.getppid(), signal.SIGKILL)
                    os._exit(0)
                os.kill(os.getpid(), number)
            dist.all_reduce(torch.zeros(1))

    found = run_ranks(train, dist_params={"timeout": 1})
    assert found[victim] == -9
    survivor = found[1 - victim]
    if number == signal.SIGKILL:
        assert isinstance(survivor, LostProcessError)
        message = survivor.problem
    else:  # its main thread waits in C++
        assert survivor == 69
        message = (tmp_path / f"{1 - victim}.log").read_text()
    assert f"process {victim}" in message
    assert "iteration 3" in message


def test_errors_that_no_lost_process_caused_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = Monitor()
    for error in (RuntimeError("shape mismatch"), InputError("no such file")):
        with pytest.raises(type(error)) as caught, monitor.explain_failures(lambda: "now"):
            raise error
        assert caught.value is error


def test_a_lost_data_worker_is_named() -> None:
    with (
        pytest.raises(LostProcessError) as caught,
        Monitor().explain_failures(lambda: "after iteration 9", hint="Start again"),
    ):
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")
    assert "after iteration 9" in caught.value.problem
    assert "Start again" in str(caught.value.hint)
