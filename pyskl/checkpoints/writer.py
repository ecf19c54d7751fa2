"""Write checkpoints in the background while training continues.

Training waits only for a copy to CPU memory (:func:`copy_to_cpu`); a thread writes it. If a file
can't be written, for example on a full disk, training continues, because ending it would lose more.
The failure is logged once, and the write is retried until it succeeds or a newer checkpoint
replaces it. The end of the run waits for all writes.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import torch

from pyskl.errors import CheckpointError, WriteError
from pyskl.logging.log import get_logger

RETRY_INTERVAL = 10.0
"""Seconds between attempts to write a file."""

FINISH_TIMEOUT = 30.0
"""Seconds that the end of a run waits for a file that can't be written."""


def copy_to_cpu(value: Any) -> Any:
    """Return a deep copy of nested dicts, lists and tensors in CPU memory."""
    if isinstance(value, torch.Tensor):
        value = value.detach()
        return value.clone() if value.device.type == "cpu" else value.cpu()
    if isinstance(value, Mapping):
        copied = ((key, copy_to_cpu(item)) for key, item in value.items())
        if not isinstance(value, OrderedDict):
            return dict(copied)
        ordered = OrderedDict(copied)
        vars(ordered).update(vars(value))  # a state dict's `_metadata`
        return ordered
    if isinstance(value, (list, tuple)):
        return type(value)(copy_to_cpu(item) for item in value)
    return value


class BackgroundWriter:
    """A thread that writes one file after the other."""

    def __init__(self) -> None:
        self._condition = threading.Condition()  # guards the fields below
        self._queue: dict[str, Callable[[], None]] = {}
        self._busy = False
        self._failure: CheckpointError | None = None
        self._thread: threading.Thread | None = None

    def submit(self, kind: str, write: Callable[[], None]) -> None:
        """Queue a file. Waits for the one before it, so that only one copy per kind is in memory.

        Args:
            kind: This file replaces an unwritten one of the same kind.
            write: Writes it; raises :class:`CheckpointError` if that fails. Runs in the thread.
        """
        with self._condition:
            self._condition.wait_for(
                lambda: not self._busy and (not self._queue or self._failure is not None)
            )
            self._queue.pop(kind, None)
            self._queue[kind] = write
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
                self._thread.start()
            self._condition.notify_all()

    def finish(self) -> None:
        """Wait until everything is written.

        Raises:
            WriteError: if a file still can't be written after :data:`FINISH_TIMEOUT`.
        """
        end = time.monotonic() + FINISH_TIMEOUT
        with self._condition:
            self._condition.notify_all()  # retry failed writes now
            while self._busy or self._queue:
                if self._failure is not None and not self._busy and time.monotonic() > end:
                    failure, self._failure = self._failure, None
                    self._queue.clear()
                    raise WriteError(
                        failure.problem,
                        file=failure.file,
                        hint="when it can be written, the same command continues the run",
                    ) from failure
                self._condition.wait(timeout=None if self._failure is None else 0.1)

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._queue)
                kind, write = next(iter(self._queue.items()))
                self._busy = True
            failure = None
            try:
                write()
            except CheckpointError as error:
                failure = error
            except Exception as error:  # if the thread ended, training would wait forever
                failure = CheckpointError(f"a checkpoint could not be written ({error!r})")
            with self._condition:
                self._busy = False
                if failure is not None and self._failure is None:
                    get_logger().error(
                        "%s; training continues, and the write is retried every %g s",
                        *(failure, RETRY_INTERVAL),
                    )
                elif failure is None and self._failure is not None:
                    get_logger().warning("checkpoints can be written again")
                self._failure = failure
                if failure is None:
                    del self._queue[kind]
                self._condition.notify_all()
                if failure is not None:
                    self._condition.wait(timeout=RETRY_INTERVAL)
