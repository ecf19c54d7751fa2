"""Detect processes of a run that died or hang.

Process groups do not detect a frozen process, and their errors do not name a process that died. So
every process publishes a heartbeat with its current activity in the store of the rendezvous. One
thread exchanges heartbeats and another one evaluates them, because a request to the store blocks
while process 0 is frozen.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import torch
import torch.distributed as dist

from pyskl.distributed.collectives import barrier
from pyskl.distributed.env import DistEnv
from pyskl.distributed.rendezvous import Timeouts, init_process_group
from pyskl.distributed.stop_signals import StopSignals
from pyskl.errors import LostProcessError, RunError
from pyskl.logging.log import get_logger

# Seconds between two heartbeats.
HEARTBEAT_INTERVAL = 0.25

# Seconds for a failed process to report its own error before the others end.
GRACE_PERIOD = 5.0


@dataclass
class _RankStatus:
    """The last heartbeat of a process, and when its values changed (by the monotonic clock)."""

    state: str = "running"
    activity: str = "starting"
    beat: int = -1
    beat_time: float = field(default_factory=time.monotonic)
    progress: int = -1
    progress_time: float = field(default_factory=time.monotonic)

    def update(self, heartbeat: Mapping[str, Any]) -> None:
        now = time.monotonic()
        if heartbeat["beat"] != self.beat:
            self.beat, self.beat_time = heartbeat["beat"], now
        if heartbeat["progress"] != self.progress:
            self.progress, self.progress_time = heartbeat["progress"], now
        self.state, self.activity = heartbeat["state"], heartbeat["activity"]


class Monitor:
    """Ends this process if another one is lost or all stall; a context manager.

    Args:
        env: Rank and world size.
        stop: Receives requests to stop; by default it receives none.
        timeouts: When a process counts as lost and a run as stalled.
        store: Where the processes exchange heartbeats; None if there is one process.
    """

    def __init__(
        self,
        env: DistEnv | None = None,
        stop: StopSignals | None = None,
        *,
        timeouts: Timeouts | None = None,
        store: dist.Store | None = None,
    ) -> None:
        self.env = env or DistEnv()
        self.stop = stop or StopSignals()
        self.timeouts = timeouts or Timeouts()
        self._store = store
        self._activity: tuple[object, ...] = ("starting",)
        self._progress = 0
        self._ranks = {rank: _RankStatus() for rank in range(self.env.world_size)}
        self._store_answered = time.monotonic()
        self._store_failed: float | None = None
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Monitor:
        """Start the threads."""
        self._threads = [threading.Thread(target=self._evaluate, daemon=True)]
        if self._store is not None:
            exchange = threading.Thread(target=self._exchange, args=(self._store,), daemon=True)
            self._threads.append(exchange)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the threads, and publish how this process ended."""
        self._closing.set()
        # After an error others may have ended, and a request to the store may block.
        patience = GRACE_PERIOD if kind is None else 2 * HEARTBEAT_INTERVAL
        for thread in self._threads:
            thread.join(timeout=patience)
        if self._store is not None:
            state = "finished" if kind is None else f"failed ({kind.__name__})"
            try:
                self._publish(-1, state)
            except (RuntimeError, ConnectionError):  # process 0, which holds the store, has ended
                return

    def report(self, *activity: object) -> None:
        """Set the current activity; each call counts as progress."""
        self._activity = activity
        self._progress += 1

    def pause(self) -> None:
        """Allow what follows to take any time, until the next :meth:`report`."""
        self._progress = 0

    @contextmanager
    def explain_failures(
        self, describe_position: Callable[[], str], hint: str = ""
    ) -> Iterator[None]:
        """Replace an error of torch by one that names the data worker or process that was lost.

        Args:
            describe_position: Returns the position of the run, such as ``'after iteration 12'``.
            hint: Added to the message if a data worker was lost.

        Raises:
            LostProcessError: in place of the error.
        """
        try:
            yield
        except RunError:
            raise
        except RuntimeError as error:
            lost = self._diagnose(error, describe_position(), hint)
            if lost is None:
                raise
            raise lost from error

    def _diagnose(self, error: RuntimeError, position: str, hint: str) -> LostProcessError | None:
        """Return an error that names the lost worker or process, if that caused torch's error."""
        text = (str(error).splitlines() or [type(error).__name__])[0]
        if text.startswith("DataLoader"):
            memory = "if the system killed it, memory probably ran out: lower data.workers_per_gpu"
            return LostProcessError(
                f"process {self.env.rank} lost a data worker {position} ({text.strip()})",
                hint=f"{memory}. {hint}" if hint else memory,
            )
        # Torch may fail before this process misses a heartbeat.
        end = time.monotonic() + 2 * GRACE_PERIOD
        while self._store is not None and time.monotonic() < end:
            lost = self._lost_process(GRACE_PERIOD / 2, GRACE_PERIOD / 5)
            if lost is not None:
                # Without the source position at the start of gloo's messages.
                cause = re.sub(r"^\[\S+:\d+\]\s*", "", text).partition(". ")[0]
                return LostProcessError(f"{lost} ({cause})")
            time.sleep(HEARTBEAT_INTERVAL)
        return None

    def _publish(self, beat: int, state: str = "running") -> dict[str, Any]:
        """Send a heartbeat, and return it."""
        heartbeat = {
            "state": state,
            "activity": " ".join(map(str, self._activity)),
            "beat": beat,
            "progress": self._progress,
        }
        if self._store is not None:
            self._store.set(f"heartbeat/{self.env.rank}", json.dumps(heartbeat))
        return heartbeat

    def _exchange(self, store: dist.Store) -> None:
        beat = 0
        while not self._closing.wait(HEARTBEAT_INTERVAL):
            beat += 1
            try:
                self._publish(beat)
                for rank, status in self._ranks.items():
                    if store.check([f"heartbeat/{rank}"]):
                        status.update(json.loads(store.get(f"heartbeat/{rank}")))
            except (RuntimeError, ConnectionError):  # process 0, which holds the store, has ended
                self._store_failed = self._store_failed or time.monotonic()
            else:
                self._store_answered, self._store_failed = time.monotonic(), None

    def _evaluate(self) -> None:
        last = time.monotonic()
        while not self._closing.wait(HEARTBEAT_INTERVAL):
            now = time.monotonic()
            if now - last > GRACE_PERIOD:  # this process was frozen itself
                self._store_answered = now
                for status in self._ranks.values():
                    status.beat_time = status.progress_time = now
            last = now
            if self._store is None:
                self._ranks[self.env.rank].update(self._publish(0))
            problem = self._lost_process(
                self.timeouts.timeout, GRACE_PERIOD, " (dist_params.timeout)"
            ) or self._stall(now)
            if problem is not None and not self._closing.is_set():
                get_logger().critical("%s; this process exits", problem)
                os._exit(LostProcessError.exit_status)

    def _lost_process(self, timeout: float, grace: float, key: str = "") -> str | None:
        """Return a message that names a lost process, or None.

        Args:
            timeout: Seconds without a heartbeat after which a process is lost.
            grace: Seconds for a failed process to report its own error.
            key: The config key of the timeout, for the message.
        """
        now, main = time.monotonic(), self._ranks[0]
        cause = "it was killed or stopped, or its machine failed"
        for rank, status in self._ranks.items():
            if rank == self.env.rank:
                continue
            silence = now - status.beat_time
            if status.state.startswith("failed") and silence > grace:
                return f"process {rank} {status.state}; its last activity was {status.activity}"
            if (
                status.state == "running"
                and silence > timeout
                and now - self._store_answered < timeout / 2
            ):
                return (
                    f"process {rank} has sent no heartbeat for {silence:.0f} s{key}; its last "
                    f"activity was {status.activity}; {cause}"
                )
        if self._store_failed is not None and now - self._store_failed > grace:
            return f"process 0 has ended; its last activity was {main.activity}; {cause}"
        silence = now - self._store_answered
        if silence > timeout and self._store is not None and self.env.rank != 0:
            return (
                f"process 0 has not answered for {silence:.0f} s{key}; its last activity was "
                f"{main.activity}; {cause}"
            )
        return None

    def _stall(self, now: float) -> str | None:
        """Return a message if no process makes progress, else None."""
        limit = self.timeouts.stall
        if self._progress == 0 or any(
            now - status.progress_time < limit for status in self._ranks.values()
        ):
            return None
        each = "; ".join(f"process {rank}: {s.activity}" for rank, s in self._ranks.items())
        return f"no process has made progress for {limit:.0f} s (dist_params.stall): {each}"


@contextmanager
def distributed_run(
    env: DistEnv,
    device: torch.device,
    dist_params: Mapping[str, Any] | None = None,
    *,
    handle_signals: bool = True,
) -> Iterator[Monitor]:
    """Join the process group, if there are several processes, and monitor the run.

    Args:
        env: Rank and world size.
        device: Its device.
        dist_params: The config's ``dist_params``: ``backend`` and the fields of :class:`Timeouts`.
        handle_signals: Whether SIGTERM, SIGUSR1 and Ctrl-C request a stop.

    Yields:
        The monitor of the run.

    Raises:
        DeviceError: if process 0 can't listen on its port.
        LostProcessError: if other processes don't start.
    """
    timeouts = Timeouts.from_config(dist_params)
    rendezvous, finished = None, False
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if env.world_size > 1:
        backend = (dist_params or {}).get("backend")
        rendezvous = init_process_group(env, device, backend, timeouts)
    try:
        stop = StopSignals(timeouts.stall)
        store = rendezvous.store("monitor", new_connection=True) if rendezvous else None
        with (
            stop if handle_signals else nullcontext(),
            Monitor(env, stop, timeouts=timeouts, store=store) as monitor,
        ):
            yield monitor
            barrier()  # process 0, which holds the store, must not leave first
            finished = True
    finally:
        if rendezvous is not None:
            dist.destroy_process_group()
            if finished:
                rendezvous.leave(GRACE_PERIOD)
