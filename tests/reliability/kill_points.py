"""Points of a training run at which a process kills itself with SIGKILL.

Each function patches a function of the package, whose n-th call then kills the process.
"""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable
from typing import Any


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _patch(owner: Any, name: str, call: int, *, before: Callable[..., Any] | None = None) -> None:
    """Kill the process before the n-th call (after ``before``), or else after it."""
    original, calls = getattr(owner, name), [0]

    def patched(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] == call and before is not None:
            before(*args)
            _die()
        result = original(*args, **kwargs)
        if calls[0] == call:
            _die()
        return result

    setattr(owner, name, patched)


def _nothing(*args: Any) -> None:
    pass


def in_a_step(call: int) -> None:
    """After the backward pass, before the optimizer's step."""
    from pyskl.training.nonfinite import NonFiniteGuard

    _patch(NonFiniteGuard, "allow_update", call, before=_nothing)


def between_step_and_count(call: int) -> None:
    """After the optimizer's step, before it is counted."""
    from pyskl.training.meter import Meter

    _patch(Meter, "add", call, before=_nothing)


def in_validation(call: int) -> None:
    """Before a batch of the validation."""
    from pyskl.training.trainer import Trainer

    _patch(Trainer, "_before_validation_batch", call, before=_nothing)


def in_a_write(call: int) -> None:
    """Halfway through writing a checkpoint."""
    import torch

    original, calls = torch.save, [0]

    def patched(content: Any, file: Any, *args: Any, **kwargs: Any) -> None:
        calls[0] += isinstance(file, io.BufferedWriter)  # collectives use it in memory
        if calls[0] < call or not isinstance(file, io.BufferedWriter):
            return original(content, file, *args, **kwargs)
        memory = io.BytesIO()
        original(content, memory)
        file.write(memory.getvalue()[: memory.tell() // 2])
        file.flush()
        return _die()

    torch.save = patched  # type: ignore[assignment]


def before_a_rename(call: int) -> None:
    """When a file (a checkpoint or the link) is complete, but has its temporary name."""
    _patch(os, "replace", call, before=_nothing)


def after_a_rename(call: int) -> None:
    """When a file has its final name, before the link is updated and old files are deleted."""
    _patch(os, "replace", call)


def in_a_log_line(call: int) -> None:
    """Halfway through writing a log line."""
    from pyskl.logging.run_log import RunLog

    def write_half_a_line(log: Any, *args: Any) -> None:
        if log._file is not None:
            log._file.write(b'{"mode": "train", "epo')

    _patch(RunLog, "write", call, before=write_half_a_line)


KILL_POINTS: dict[str, Callable[[int], None]] = {
    function.__name__.replace("_", " "): function
    for function in (
        in_a_step,
        between_step_and_count,
        in_validation,
        in_a_write,
        before_a_rename,
        after_a_rename,
        in_a_log_line,
    )
}
