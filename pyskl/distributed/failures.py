"""Whose end is behind an error of torch."""

from __future__ import annotations

from pyskl.distributed.monitor import Watch
from pyskl.errors import LostProcessError, RunError


def who_was_lost(
    error: RuntimeError, watch: Watch, when: str, advice: str = ""
) -> LostProcessError | None:
    """Return the error that names the data worker or process that was lost, if one was.

    Args:
        error: What torch raised.
        watch: Who knows of the other processes; it may take some seconds to find out.
        when: What this process was at, such as ``'after iteration 12'``.
        advice: What to add where a data worker was lost.
    """
    if isinstance(error, RunError):
        return None
    text = (str(error).splitlines() or [""])[0]
    if text.startswith("DataLoader"):
        return LostProcessError(
            f"process {watch.place.rank} lost a data worker {when}: {text}; a worker that the "
            "system kills has mostly used up the memory: fewer data.workers_per_gpu need less"
            f"{advice}"
        )
    return watch.explained(error)
