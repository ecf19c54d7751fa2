"""Form the process group of a run.

``torch.distributed`` alone has three problems: it does not report which process is missing, it
retries some connections for minutes beyond its timeout, and processes that torchrun has restarted
may read addresses that the earlier ones left in the store of torchrun's agent
(pytorch/pytorch#135712). The restart count does not identify an attempt, since each machine has its
own. So the processes agree on a new random id, and all their keys start with it.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from pyskl.distributed.env import DistEnv
from pyskl.errors import DeviceError, LostProcessError
from pyskl.logging.log import get_logger

# Seconds between requests to the store, and between messages about a missing process.
_POLL_INTERVAL = 0.02
_REPORT_INTERVAL = 30.0


@dataclass(frozen=True)
class Timeouts:
    """The timeouts in a config's ``dist_params``, in seconds.

    Attributes:
        join: How long to wait until all processes have started; long enough to start several
            machines by hand.
        timeout: How long a process may send no heartbeat before it counts as lost.
        stall: How long the run may make no step and receive no batch before it ends.
    """

    join: float = 600.0
    timeout: float = 120.0
    stall: float = 1800.0

    @classmethod
    def from_config(cls, dist_params: Mapping[str, Any] | None) -> Timeouts:
        """Return the timeouts in ``dist_params``, with defaults for missing ones."""
        given = dist_params or {}
        return cls(**{k: float(given[k]) for k in ("join", "timeout", "stall") if k in given})


class Rendezvous:
    """The store that the processes of a run share.

    The store belongs to process 0, or to torchrun's agent.

    Args:
        env: Rank and world size.
        timeouts: How long to wait for the others.

    Raises:
        DeviceError: if process 0 can't listen on its port.
        LostProcessError: if a process does not start, or process 0 ends meanwhile.
    """

    def __init__(self, env: DistEnv, timeouts: Timeouts) -> None:
        self._env, self._timeout = env, timeouts.timeout
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        self._address = host, port
        # Keep a reference: the store of process 0 lives as long as this object.
        if env.rank > 0 or os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
            if not _wait_until(
                lambda: _accepts_connections(host, port), timeouts.join, "process 0"
            ):
                raise LostProcessError(
                    f"process 0 has not started at {host}:{port} within {timeouts.join:.0f} s "
                    "(dist_params.join)"
                )
            self._store = self._connect()
        else:
            try:
                self._store = dist.TCPStore(
                    host,
                    port,
                    env.world_size,
                    is_master=True,
                    timeout=timedelta(seconds=max(1.0, timeouts.join)),
                    wait_for_workers=False,
                )
            except dist.DistNetworkError as error:
                raise DeviceError(
                    f"process 0 can't listen on port {port} ({_first_line(error)})",
                    hint="choose another with PORT (dist_train.sh, slurm) or --master-port "
                    "(torchrun)",
                ) from error
        try:
            self._run_id = agree_on_run_id(self._store, env, timeouts.join)
        except LostProcessError:
            raise
        except (RuntimeError, ConnectionError) as error:
            raise LostProcessError(
                f"process 0 ended while the processes were starting ({_first_line(error)})"
            ) from error

    def store(self, use: str, *, new_connection: bool = False) -> dist.Store:
        """Return a part of the store whose keys belong to this start of the run.

        Args:
            use: Name of the part.
            new_connection: Whether to open a connection for it, so that requests of other threads
                do not block it.
        """
        store = self._connect() if new_connection else self._store
        return dist.PrefixStore(f"{self._run_id}/{use}", store)

    def leave(self, timeout: float) -> None:
        """Make the last request to the store; process 0 waits for those of the others.

        The store ends with process 0. C++ code would print a trace for each request after that.

        Args:
            timeout: How long to wait for the others, which may have been killed meanwhile.
        """
        store, env = self.store("left"), self._env
        if env.rank > 0:
            with suppress(RuntimeError, ConnectionError):
                store.set(str(env.rank), "")
            return
        missing = set(range(1, env.world_size))

        def all_left() -> bool:
            missing.difference_update({rank for rank in missing if store.check([str(rank)])})
            return not missing

        _wait_until(all_left, timeout, "the other processes")

    def _connect(self) -> dist.TCPStore:
        host, port = self._address
        message = f"process 0 has not answered at {host}:{port} within {self._timeout:.0f} s"
        with exit_after(self._timeout, message):
            return dist.TCPStore(
                host,
                port,
                is_master=False,
                timeout=timedelta(seconds=max(1.0, self._timeout)),
                wait_for_workers=False,
            )


def init_process_group(
    env: DistEnv, device: torch.device, backend: str | None, timeouts: Timeouts
) -> Rendezvous:
    """Join the process group of a run with several processes.

    Args:
        env: Rank and world size.
        device: Its device.
        backend: The backend for a GPU; by default ``'nccl'``. On the CPU it is always ``'gloo'``.
        timeouts: How long to wait for the others.

    Returns:
        The rendezvous, which must live as long as the group.

    Raises:
        DeviceError: if process 0 can't listen on its port.
        LostProcessError: if other processes don't start, or end before all are connected.
    """
    rendezvous = Rendezvous(env, timeouts)
    chosen = (backend or "nccl") if device.type == "cuda" else "gloo"
    problem = (
        "all processes started, but could not connect to each other: one was killed meanwhile, or "
        "the network blocks connections between some of them"
    )
    try:
        with exit_after(timeouts.timeout, problem):
            dist.init_process_group(
                chosen,
                store=rendezvous.store("group"),
                rank=env.rank,
                world_size=env.world_size,
                device_id=device if chosen == "nccl" else None,
                timeout=timedelta(seconds=timeouts.stall),
            )
    except (RuntimeError, ConnectionError) as error:
        raise LostProcessError(f"{problem} ({_first_line(error)})") from error
    return rendezvous


def agree_on_run_id(store: dist.Store, env: DistEnv, timeout: float) -> str:
    """Return a new id that all processes of this start share.

    Every other process publishes a random token. Process 0 answers each token with the id until
    every process has confirmed that it received it. Tokens of an earlier start are answered,
    too, but never confirmed.

    Args:
        store: May contain keys of earlier starts.
        env: Rank and world size.
        timeout: Seconds to wait for the others.

    Raises:
        LostProcessError: with the ranks of the missing processes.
    """
    if env.rank > 0:
        token = uuid.uuid4().hex
        store.set(f"pyskl/token/{env.rank}", token)
        answer = f"pyskl/answer/{token}"
        if not _wait_until(lambda: store.check([answer]), timeout, "process 0"):
            raise LostProcessError(
                f"process 0 has not answered process {env.rank} within {timeout:.0f} s "
                "(dist_params.join)"
            )
        run_id = store.get(answer).decode()
        store.set(f"{run_id}/confirmed/{env.rank}", "")
        return run_id
    run_id = f"pyskl/run/{uuid.uuid4().hex}"
    missing = set(range(1, env.world_size))

    def all_confirmed() -> bool:
        for rank in sorted(missing):
            if store.check([f"{run_id}/confirmed/{rank}"]):
                missing.discard(rank)
            elif store.check([f"pyskl/token/{rank}"]):
                token = store.get(f"pyskl/token/{rank}").decode()
                store.set(f"pyskl/answer/{token}", run_id)
        return not missing

    if not _wait_until(all_confirmed, timeout, "the other processes"):
        raise LostProcessError(
            f"{len(missing)} of {env.world_size} processes have not started within "
            f"{timeout:.0f} s (dist_params.join): {sorted(missing)}"
        )
    return run_id


@contextmanager
def exit_after(seconds: float, message: str) -> Iterator[None]:
    """Exit with the status of a lost process if the block takes longer.

    For calls of torch that can't be interrupted and block if a process has ended.

    Args:
        seconds: How long the block may take.
        message: What to log then.
    """

    def exit_now() -> None:
        get_logger().critical("%s; this process exits", message)
        os._exit(LostProcessError.exit_status)

    timer = threading.Timer(seconds, exit_now)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _accepts_connections(host: str, port: int) -> bool:
    """Return whether a server is listening. A TCPStore would print C++ errors if not."""
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


def _wait_until(condition: Callable[[], bool], timeout: float, awaited: str) -> bool:
    """Wait for a condition; return False on timeout."""
    start = last_report = time.monotonic()
    while not condition():
        now = time.monotonic()
        if now - start > timeout:
            return False
        if now - last_report > _REPORT_INTERVAL:
            last_report = now
            get_logger().warning("waiting for %s for %.0f s", awaited, now - start)
        time.sleep(_POLL_INTERVAL)
    return True


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
