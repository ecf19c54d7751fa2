"""Ways for a process to kill itself at a chosen moment of a training run, with SIGKILL.

Each puts itself around a function of the package; the kill comes with its n-th call.
"""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable
from typing import Any


def die() -> None:
    """Kill this process, as ``kill -9`` does."""
    os.kill(os.getpid(), signal.SIGKILL)


def in_a_step(call: int) -> None:
    """Die after a backward pass, before the optimizer's step."""
    from pyskl.training.nonfinite import NonFiniteGuard

    _wrap(NonFiniteGuard, "allow_update", call, before=die)


def between_step_and_count(call: int) -> None:
    """Die when the optimizer has taken a step that is not counted yet."""
    from pyskl.training.meter import Meter

    _wrap(Meter, "add", call, before=die)


def in_validation(call: int) -> None:
    """Die with a batch of the validation."""
    from pyskl.training.trainer import Trainer

    _wrap(Trainer, "_before_validation_batch", call, before=die)


def in_a_write(call: int) -> None:
    """Die with half of a checkpoint written."""
    import torch

    original = torch.save
    calls = [0]

    def doomed(content: Any, file: Any, *args: Any, **kwargs: Any) -> None:
        calls[0] += isinstance(file, io.BufferedWriter)  # processes talk by it, too, in memory
        if calls[0] < call or not isinstance(file, io.BufferedWriter):
            return original(content, file, *args, **kwargs)
        memory = io.BytesIO()
        original(content, memory)
        file.write(memory.getvalue()[: memory.tell() // 2])
        file.flush()
        return die()

    torch.save = doomed  # type: ignore[assignment]


def before_a_rename(call: int) -> None:
    """Die when a file is whole, but does not have its name yet: a checkpoint, or the link."""
    _wrap(os, "replace", call, before=die)


def after_a_rename(call: int) -> None:
    """Die when a file has just got its name, and nothing follows: no link, no pruning."""
    _wrap(os, "replace", call, after=die)


def in_a_line_of_the_log(call: int) -> None:
    """Die with half of a line written."""
    from pyskl.logging.run_log import RunLog

    def half_a_line(self: Any, *_: Any, **__: Any) -> None:
        if self._file is not None:
            self._file.write(b'{"mode": "train", "epo')
        die()

    _wrap(RunLog, "write", call, before=half_a_line)


DOOMS: dict[str, Callable[[int], None]] = {
    one.__name__.replace("_", " "): one
    for one in (
        in_a_step,
        between_step_and_count,
        in_validation,
        in_a_write,
        before_a_rename,
        after_a_rename,
        in_a_line_of_the_log,
    )
}


def _wrap(
    owner: Any,
    name: str,
    call: int,
    before: Callable[..., Any] | None = None,
    after: Callable[..., Any] | None = None,
) -> None:
    original = getattr(owner, name)
    calls = [0]

    def doomed(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        due = calls[0] == call
        if due and before is not None:
            before(*(args if before is not die else ()))
        result = original(*args, **kwargs)
        if due and after is not None:
            after()
        return result

    setattr(owner, name, doomed)
