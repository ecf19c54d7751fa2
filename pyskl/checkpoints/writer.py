"""Writes checkpoints while training goes on.

Training pays for a copy to host memory (:func:`on_host`); a thread writes the copy. A file that
can't be written (a full disk, say) does not end the training, which would lose more: it is told
once, tried again, and gives way to a newer one. Only at the end has everything to be safe.
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

# Seconds from one attempt to the next while a file can't be written, and how long the end of a run
# waits for one.
RETRY_AFTER = 10.0
PATIENCE = 30.0


def on_host(value: Any) -> Any:
    """Return a copy of nested dicts, lists and tensors in host memory, which nobody changes."""
    if isinstance(value, torch.Tensor):
        value = value.detach()
        return value.clone() if value.device.type == "cpu" else value.cpu()
    if isinstance(value, Mapping):
        copied = ((key, on_host(item)) for key, item in value.items())
        if not isinstance(value, OrderedDict):
            return dict(copied)
        ordered = OrderedDict(copied)
        vars(ordered).update(vars(value))  # a state dict's `_metadata`
        return ordered
    if isinstance(value, (list, tuple)):
        return type(value)(on_host(item) for item in value)
    return value


class CheckpointWriter:
    """A thread that writes one file after the other.

    Args:
        retry_after: Seconds until a file that could not be written is tried again; by default 10.
        patience: Seconds that :meth:`finish` goes on trying; by default 30.
    """

    def __init__(self, retry_after: float | None = None, patience: float | None = None) -> None:
        self.retry_after = RETRY_AFTER if retry_after is None else retry_after
        self.patience = PATIENCE if patience is None else patience
        self._changed = threading.Condition()
        self._waiting: dict[str, Callable[[], None]] = {}
        self._busy = False
        self._failure: CheckpointError | None = None
        self._thread: threading.Thread | None = None

    def submit(self, kind: str, write: Callable[[], None]) -> None:
        """Have a file written.

        Waits while another is being written, so that no more than one copy of each kind is held.

        Args:
            kind: What sort of file: one of the same sort that still waits, as it could not be
                written, is given up for this one.
            write: Writes it; raises :class:`CheckpointError` where that fails. Runs in the thread,
                so it must not touch what training changes.
        """
        with self._changed:
            while self._busy or (self._waiting and self._failure is None):
                self._changed.wait()
            self._waiting.pop(kind, None)
            self._waiting[kind] = write
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="checkpoints", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def finish(self) -> None:
        """Wait until all is written.

        Raises:
            WriteError: if it can't be, for as long as the writer is patient.
        """
        end = time.monotonic() + self.patience
        with self._changed:
            self._changed.notify_all()  # whatever waits to be tried again is tried now
            while self._busy or self._waiting:
                if self._failure is not None and not self._busy and time.monotonic() > end:
                    self._waiting.clear()
                    failure, self._failure = self._failure, None
                    raise WriteError(
                        f"{failure}. Once it can be written the same command goes on"
                    ) from failure
                self._changed.wait(timeout=0.1 if self._failure is not None else None)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                kind, write = next(iter(self._waiting.items()))
                self._busy = True
            failure = _attempt(write)
            with self._changed:
                self._busy = False
                self._tell(failure)
                self._failure = failure
                if failure is None and self._waiting.get(kind) is write:
                    del self._waiting[kind]
                self._changed.notify_all()
                if failure is not None:
                    self._changed.wait(timeout=self.retry_after)

    def _tell(self, failure: CheckpointError | None) -> None:
        """Tell that writing fails, or goes well again; once, not at every attempt."""
        if failure is not None and self._failure is None:
            get_logger().error(
                "%s; training goes on, and it is tried again every %g s", failure, self.retry_after
            )
        if failure is None and self._failure is not None:
            get_logger().warning("checkpoints can be written again")


def _attempt(write: Callable[[], None]) -> CheckpointError | None:
    try:
        write()
    except CheckpointError as error:
        return error
    except Exception as error:  # a thread that ends would leave the training waiting
        return CheckpointError(f"a checkpoint could not be written ({error!r})")
    return None
