"""Where the processes of a run meet: a part of a store that only this start of them uses.

torchrun's agent keeps one store for all starts of a run's processes. What those of an earlier start
left there (addresses of processes that are gone) must not be taken for news, which torch from 2.5
on leaves to chance (pytorch/pytorch#135712). The count of restarts, which earlier versions took to
tell the starts apart, is each machine's own: where one machine starts its processes again as
another's have failed, it does not count that. So the processes agree on a name that is new.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from datetime import timedelta

import torch.distributed as dist

from pyskl.errors import LostProcessError

# Seconds between two looks into the store.
_POLL = 0.02


def is_store_of_agent() -> bool:
    """Return whether the store is that of torchrun's agent, which outlives the processes."""
    return os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"


def connect(timeout: float) -> dist.Store:
    """Return a connection of its own to the store that the environment names.

    Args:
        timeout: Seconds that an answer may take.
    """
    return dist.TCPStore(
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        is_master=False,
        timeout=timedelta(seconds=max(1.0, timeout)),
        wait_for_workers=False,
    )


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
    if rank > 0:
        word = uuid.uuid4().hex
        store.set(f"pyskl/word/{rank}", word)
        answer = f"pyskl/answer/{word}"
        if not _wait(lambda: store.check([answer]), timeout):
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

    if not _wait(all_heard, timeout):
        raise LostProcessError(
            f"of {world_size} processes {sorted(missing)} have not come for {timeout:.0f} s"
        )
    return name


def _wait(is_so: Callable[[], bool], timeout: float) -> bool:
    end = time.monotonic() + timeout
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(_POLL)
    return True
