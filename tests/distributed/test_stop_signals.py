"""Requests to stop."""

from __future__ import annotations

import os
import signal
import time

import pytest

from pyskl.distributed.stop_signals import StopSignals, leave_signals_to_the_run
from pyskl.errors import StoppedError

NUMBERS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_noted_and_the_handlers_come_back(number: signal.Signals) -> None:
    before = [signal.getsignal(one) for one in NUMBERS]
    with StopSignals() as stop:
        stop.at_once = False
        os.kill(os.getpid(), number)
        assert stop.requested == number.name
    assert [signal.getsignal(one) for one in NUMBERS] == before


def test_where_there_is_nothing_to_save_it_ends_at_once() -> None:
    with pytest.raises(StoppedError, match="SIGTERM") as caught, StopSignals():
        os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.exit_status == 75


def test_the_second_ctrl_c_is_python_s_own() -> None:
    with StopSignals() as stop:
        stop.at_once = False
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_worker_outlives_the_first_sigterm_and_no_second() -> None:
    pid = os.fork()
    if pid == 0:
        leave_signals_to_the_run(0)
        while True:
            time.sleep(0.01)
    time.sleep(0.2)
    for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGTERM):
        os.kill(pid, number)
        time.sleep(0.1)
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)
    os.kill(pid, signal.SIGTERM)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGTERM
