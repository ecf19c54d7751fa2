"""Signals that ask a run to stop: SIGTERM, SIGUSR1 (Slurm's warning of preemption), Ctrl-C."""

from __future__ import annotations

import atexit
import multiprocessing
import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import cache, partial
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist
from torch.utils.data import DataLoader

from pyskl.distributed.collectives import is_distributed
from pyskl.errors import StoppedError

_SIGNALS = [
    getattr(signal, name)
    for name in ("SIGTERM", "SIGUSR1", "SIGINT")
    if hasattr(signal, name)  # Windows has no SIGUSR1
]

# A stop request is one integer: rank * _RANK_FACTOR + number of the signal.
_RANK_FACTOR = 1000


class StopSignals:
    """Turns signals into a request to stop; all ranks stop at the same step.

    Works within a ``with`` block of the main thread. In a distributed run every rank has to enter
    it and call :meth:`should_continue` equally often.

    A signal sets :attr:`requested`. While :attr:`raise_at_once` is set, because there is nothing to
    save, it raises :class:`StoppedError`. A second Ctrl-C raises :class:`KeyboardInterrupt`.

    Args:
        timeout: Seconds to wait for another rank in :meth:`should_continue`.
    """

    def __init__(self, timeout: float = 1800.0) -> None:
        self.requested: signal.Signals | None = None
        self.raise_at_once = True
        self.reason = ""
        self._timeout = timeout
        self._handlers: dict[int, Any] = {}
        self._group: dist.ProcessGroup | None = None
        self._pending: tuple[dist.Work, torch.Tensor] | None = None

    def __enter__(self) -> StopSignals:
        """Install the handlers; Python allows that only in the main thread."""
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                self._handlers[number] = signal.signal(number, self._handle)
        if is_distributed():
            # On the CPU, so that no step waits for a GPU.
            self._group = dist.new_group(backend="gloo", timeout=timedelta(seconds=self._timeout))
        return self

    def __exit__(self, *exception: object) -> None:
        """Restore the previous handlers."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        self._handlers.clear()
        self._group = self._pending = None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.requested = signal.Signals(number)
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self.raise_at_once:
            raise StoppedError(f"stopped by {self.requested.name}; there was nothing to save")

    def should_continue(self, *, wait: bool = False) -> bool:
        """Return whether to continue; the same on every rank.

        In a distributed run each call starts an all-reduce of the request and returns the result of
        the one that the previous call started. So a request takes effect one call later, and no
        call waits for the network.

        Args:
            wait: Wait for the result of this call instead, as at the end of a run.
        """
        if self._group is None:
            if self.requested is not None:
                self.reason = self.requested.name
            return self.requested is None
        return self._exchange_requests() and (not wait or self._exchange_requests())

    def _exchange_requests(self) -> bool:
        previous, self._pending = self._pending, None
        if previous is not None:
            work, flag = previous
            work.wait()
            if flag:
                rank, number = divmod(int(flag), _RANK_FACTOR)
                self.reason = f"{signal.Signals(number).name} to process {rank}"
                return False
        request = self.requested
        flag = torch.tensor(0 if request is None else dist.get_rank() * _RANK_FACTOR + request)
        work = dist.all_reduce(flag, dist.ReduceOp.MAX, group=self._group, async_op=True)
        self._pending = work, flag
        return True


def prepare_workers(loader: DataLoader, timeout: float) -> None:
    """Make data workers ignore stop signals, and limit the wait for a batch.

    A scheduler signals every process of a job, but the run needs its workers until the step at
    which all processes stop. So workers ignore signals, and are killed when this process ends.

    Args:
        loader: Before its first iteration.
        timeout: Seconds to wait for a batch.
    """
    if getattr(loader, "num_workers", 0) > 0:
        loader.worker_init_fn = partial(_ignore_signals, loader.worker_init_fn)
        loader.timeout = loader.timeout or timeout
        _kill_workers_at_exit()


def _ignore_signals(then: Callable[[int], None] | None, worker_id: int) -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if then is not None:
        then(worker_id)


@cache
def _kill_workers_at_exit() -> None:
    # At exit, multiprocessing sends SIGTERM, which the workers ignore, and waits forever. This
    # handler is registered later, so it runs earlier.
    atexit.register(_kill_workers)


def _kill_workers() -> None:
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch would report it as a failure
    for child in multiprocessing.active_children():
        if child.daemon:
            child.kill()
