"""How much memory a process, or its share of a GPU, takes.

Sizes are bytes. What the system does not tell is None.
"""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch

_PROC = Path("/proc")


@dataclass(frozen=True)
class Resident:
    """Memory of a process that is in RAM.

    Attributes:
        anonymous: Its own: the heap, arrays.
        file: Mapped from files, such as libraries and packed stores; processes that map the same
            file share one copy of it.
        shared: Shared with other processes on purpose, such as batches from workers.
    """

    anonymous: int
    file: int
    shared: int


def resident(pid: int | str = "self") -> Resident | None:
    """Return a process's resident memory, on Linux; None elsewhere, or where it has ended."""
    fields = _status(pid)
    names = ("RssAnon", "RssFile", "RssShmem")
    if any(name not in fields for name in names):
        return None
    return Resident(*(fields[name] for name in names))


def children(pid: int | str = "self") -> list[int]:
    """Return the processes that a process has started and that still run, on Linux."""
    found: list[int] = []
    with suppress(OSError):
        for task in (_PROC / str(pid) / "task").iterdir():
            with suppress(OSError, ValueError):
                found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


def _status(pid: int | str) -> dict[str, int]:
    """Return the sizes in ``/proc/PID/status``."""
    try:
        text = (_PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return {name: 1024 * int(size) for name, size in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.M)}


@dataclass
class Peak:
    """The most memory that a block took; filled in when it ends."""

    bytes: int | None = None


@contextmanager
def peak_memory(device: torch.device) -> Iterator[Peak]:
    """Measure the most memory that a block takes at once.

    On a GPU that is what the block allocates beyond what was allocated before
    (``torch.cuda.max_memory_allocated``); on the CPU the highest resident size of this process
    while the block runs, all that it held before included.
    """
    peak = Peak()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        yield peak
        torch.cuda.synchronize(device)
        peak.bytes = torch.cuda.max_memory_allocated(device) - before
        return
    _forget_peak()
    yield peak
    peak.bytes = peak_resident()


def peak_resident() -> int | None:
    """Return the highest resident size of this process so far, or since :func:`_forget_peak`."""
    peak = _status("self").get("VmHWM")
    if peak is not None:
        return peak
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _forget_peak() -> None:
    """Let Linux count the highest resident size anew; elsewhere it stays that of the process."""
    with suppress(OSError), open(_PROC / "self" / "clear_refs", "w", encoding="ascii") as file:
        file.write("5")  # "reset the peak", see proc(5)


def process_age() -> float | None:
    """Return the seconds since this process was created, to 0.01 s; on Linux only."""
    try:
        stat = (_PROC / "self" / "stat").read_text(encoding="utf-8", errors="replace")
        uptime = float((_PROC / "uptime").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None
    # Field 22, but the name of the program, field 2, may hold blanks: count behind it.
    started = int(stat.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return uptime - started
