"""Where the processes of a run meet: a part of a store that only this start of them uses.

The store is process 0's own, or that of torchrun's agent. Whoever waits for others waits within
bounds, which torch alone does not: its connection to a store tries for several times the timeout.

torchrun's agent keeps one store for all starts of a run's processes. What those of an earlier start
left there (addresses of processes that are gone) must not be taken for news, which torch from 2.5
on leaves to chance (pytorch/pytorch#135712). The count of restarts, which earlier versions took to
tell the starts apart, is each machine's own: where one machine starts its processes again as
another's have failed, it does not count that. So the processes agree on a name that is new.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable
from datetime import timedelta

import torch.distributed as dist

from pyskl.distributed.timeouts import at_most
from pyskl.errors import DeviceError, LostProcessError
from pyskl.logging.log import get_logger

# Seconds between two looks into the store.
_POLL = 0.02

# Seconds between two messages that say who is waited for.
_TELL = 30.0


def is_store_of_agent() -> bool:
    """Return whether the store is that of torchrun's agent, which outlives the processes."""
    return os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"


def open_store(rank: int, world_size: int, patience: float) -> dist.Store:
    """Return the store that the environment names: process 0's own, unless an agent keeps one.

    Args:
        rank: Which process this is.
        world_size: The number of all.
        patience: Seconds to wait for process 0.

    Raises:
        DeviceError: if process 0 can't listen on its port.
        LostProcessError: if process 0 does not come.
    """
    host, port = _address()
    if rank > 0 or is_store_of_agent():
        if not _wait(lambda: _listens(host, port), patience, f"process 0 at {host}:{port}"):
            raise LostProcessError(
                f"process 0 has not come to {host}:{port} for {patience:.0f} s (dist_params.join): "
                "it was not started, or has ended"
            )
        return connect(patience)
    try:
        return dist.TCPStore(
            host,
            port,
            world_size,
            is_master=True,
            timeout=timedelta(seconds=max(1.0, patience)),
            wait_for_workers=False,
        )
    except dist.DistNetworkError as error:
        raise DeviceError(
            f"process 0 can't listen on port {port} ({str(error).partition(chr(10))[0]}): choose "
            "another, with PORT (dist_train.sh, slurm) or --master-port (torchrun)"
        ) from error


def connect(timeout: float) -> dist.Store:
    """Return a connection of its own to the store that the environment names.

    Args:
        timeout: Seconds that an answer may take; for the connection itself, after which this
            process ends.
    """
    host, port = _address()
    with at_most(timeout, f"process 0 has not answered at {host}:{port} for {timeout:.0f} s"):
        return dist.TCPStore(
            host,
            port,
            is_master=False,
            timeout=timedelta(seconds=max(1.0, timeout)),
            wait_for_workers=False,
        )


def _address() -> tuple[str, int]:
    return os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])


def _listens(host: str, port: int) -> bool:
    """Return whether somebody takes a connection; torch itself would go on trying for minutes."""
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


def agree_on_name(store: dist.Store, rank: int, world_size: int, timeout: float) -> str:
    """Return a name that all processes of this start have, and none of an earlier one had.

    Each process calls out a word that was never said before. Process 0 answers each word with the
    name until every process has confirmed that it heard this one: words of an earlier start are
    answered too, but nobody listens.

    Args:
        store: Where earlier starts may have left anything.
        rank: Which process this is.
        world_size: The number of all.
        timeout: Seconds to wait for the others.

    Raises:
        LostProcessError: naming who did not come.
    """
    try:
        return _agreed_name(store, rank, world_size, timeout)
    except (RuntimeError, ConnectionError) as error:
        if isinstance(error, LostProcessError):
            raise
        raise LostProcessError(
            "process 0 has ended, through which the others talk, while the processes were meeting: "
            "it was killed, or its machine is gone"
        ) from error


def _agreed_name(store: dist.Store, rank: int, world_size: int, timeout: float) -> str:
    if rank > 0:
        word = uuid.uuid4().hex
        store.set(f"pyskl/word/{rank}", word)
        answer = f"pyskl/answer/{word}"
        if not _wait(lambda: store.check([answer]), timeout, "process 0"):
            raise LostProcessError(f"process 0 has not answered process {rank} for {timeout:.0f} s")
        name = store.get(answer).decode()
        store.set(f"pyskl/heard/{name}/{rank}", "")
        return name
    name = uuid.uuid4().hex
    missing = set(range(1, world_size))
    answered: set[str] = set()

    def all_heard() -> bool:
        for other in sorted(missing):
            if store.check([f"pyskl/heard/{name}/{other}"]):
                missing.discard(other)
            elif store.check([f"pyskl/word/{other}"]):
                word = store.get(f"pyskl/word/{other}").decode()
                if word not in answered:
                    store.set(f"pyskl/answer/{word}", name)
                    answered.add(word)
        return not missing

    if not _wait(all_heard, timeout, "the other processes"):
        raise LostProcessError(
            f"of {world_size} processes {sorted(missing)} have not come for {timeout:.0f} s"
        )
    return name


def _wait(is_so: Callable[[], bool], timeout: float, whom: str) -> bool:
    """Wait until something is so; return False if it is not in time."""
    begin = told = time.monotonic()
    while not is_so():
        now = time.monotonic()
        if now - begin > timeout:
            return False
        if now - told > _TELL:
            told = now
            get_logger().warning("waiting for %s since %.0f s", whom, now - begin)
        time.sleep(_POLL)
    return True
