"""How long the processes of a run wait for each other, in seconds."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pyskl.errors import LostProcessError
from pyskl.logging.log import get_logger


@dataclass(frozen=True)
class Patience:
    """The times of a config's ``dist_params``.

    Attributes:
        join: Until all processes have come, from the start of the first. Generous, as somebody may
            start them by hand, one machine after the other.
        timeout: Without a sign of life of a process, after which it counts as lost.
        stall: Without a step or batch of any process, after which the run counts as stuck.
    """

    join: float = 600.0
    timeout: float = 120.0
    stall: float = 1800.0

    @classmethod
    def of(cls, dist_params: Mapping[str, Any] | None) -> Patience:
        """Return what ``dist_params`` says; what it leaves open is as by default."""
        given = dist_params or {}
        return cls(
            **{key: float(given[key]) for key in ("join", "timeout", "stall") if key in given}
        )


@contextmanager
def at_most(seconds: float, otherwise: str) -> Iterator[None]:
    """End this process if the block takes longer, with the status of a lost process.

    For calls of torch that may wait for somebody who is gone, and can't be left from outside: the
    connection to a store takes several times its own timeout.

    Args:
        seconds: How long the block may take.
        otherwise: The message.
    """

    def end() -> None:
        get_logger().critical("%s; this process ends", otherwise)
        os._exit(LostProcessError.exit_status)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
