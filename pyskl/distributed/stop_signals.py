"""Signals that ask a run to stop: SIGTERM, SIGUSR1 (slurm's warning of preemption), Ctrl-C."""

from __future__ import annotations

import atexit
import multiprocessing
import signal
import threading
from collections.abc import Callable
from functools import cache
from types import FrameType, TracebackType
from typing import Any

from pyskl.errors import StoppedError

_NAMES = ("SIGTERM", "SIGUSR1", "SIGINT")


class StopSignals:
    """Notes that the run was asked to stop, within a ``with`` block of the main thread.

    While :attr:`at_once` is set, as it is where there is nothing to save, the first signal raises
    :class:`StoppedError`; otherwise it only sets :attr:`requested`, and who trains looks at that
    between steps. A second Ctrl-C is Python's own: it raises :class:`KeyboardInterrupt`.
    """

    def __init__(self) -> None:
        self.requested: str | None = None
        self.at_once = True
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        """Take the signals; in a thread other than the main one Python does not allow it."""
        if threading.current_thread() is threading.main_thread():
            for name in _NAMES:
                number = getattr(signal, name, None)  # Windows lacks SIGUSR1
                if number is not None:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        self._before.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requested = signal.Signals(number).name
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self.at_once:
            raise StoppedError(f"stopped by {self.requested} where there was nothing to save")


def leave_signals_to_the_run(worker: int, then: Callable[[int], None] | None = None) -> None:
    """Let a data worker outlive the signal that asks the whole job to stop.

    A scheduler signals every process of a job. Without its workers the run could not go on to the
    step at which all processes stop. The first SIGTERM is passed over; the second, which comes from
    the process that started the worker, ends it.

    Args:
        worker: Its number, which every ``worker_init_fn`` is given.
        then: The ``worker_init_fn`` that the loader had, if any.
    """
    for name in ("SIGINT", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)

    def pass_over(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, pass_over)
    if then is not None:
        then(worker)


@cache
def end_workers_at_exit() -> None:
    """Let data workers that are left when this process ends end with it, as after an error.

    :mod:`multiprocessing` asks each of them by one SIGTERM and waits for it without end, but a
    worker of :func:`leave_signals_to_the_run` passes over the first. This comes before that.
    """
    atexit.register(_kill_workers)


def _kill_workers() -> None:
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch would take it for a failure
    for child in multiprocessing.active_children():
        if child.daemon:
            child.kill()
