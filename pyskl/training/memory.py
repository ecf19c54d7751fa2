"""Measure the memory of processes and GPUs, and let glibc keep freed memory.

Sizes are in bytes, and None if the system does not report them.
"""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch

_PROC = Path("/proc")

# Parameters of mallopt(3), from malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def keep_freed_memory() -> bool:
    """Let glibc keep the memory that the process frees, for its next arrays.

    glibc returns a freed array of some megabytes to the kernel at once, and each new one starts
    with a page fault per 4 KiB. A training step frees and allocates the same gigabytes again and
    again, and can spend a third of its time on that. With this setting arrays come from the heap,
    which is never trimmed, so the process keeps its peak memory until it ends.

    Call it before the first large array, in processes that compute on the CPU. It does nothing if
    the allocator is not glibc's (macOS, Windows, musl), or if the user has set one of ``MALLOC_*``,
    ``GLIBC_TUNABLES`` or ``LD_PRELOAD``.

    Returns:
        Whether the settings were made.
    """
    set_by_user = any(
        name in ("LD_PRELOAD", "GLIBC_TUNABLES") or name.startswith("MALLOC_")
        for name in os.environ
    )
    if platform.libc_ver()[0] != "glibc" or set_by_user:
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    # -1 is converted to the largest size. Both calls return 1 on success.
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, -1))


@dataclass(frozen=True)
class Resident:
    """The memory of a process that is in RAM.

    Attributes:
        anonymous: Its own: the heap, arrays.
        file: Mapped from files, such as libraries and packed stores; processes that map the same
            file share one copy.
        shared: Shared memory, such as batches from workers.
    """

    anonymous: int
    file: int
    shared: int


def resident(pid: int | str = "self") -> Resident | None:
    """Return a process's resident memory on Linux; None elsewhere, or if it has ended."""
    sizes = _status(pid)
    names = ("RssAnon", "RssFile", "RssShmem")
    if any(name not in sizes for name in names):
        return None
    return Resident(*(sizes[name] for name in names))


def children(pid: int | str = "self") -> list[int]:
    """Return the ids of a process's running children, on Linux."""
    found: list[int] = []
    with suppress(OSError):
        for task in (_PROC / str(pid) / "task").iterdir():
            with suppress(OSError, ValueError):
                found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


@dataclass
class Peak:
    """The highest memory use of a block; set when the block ends."""

    bytes: int | None = None


@contextmanager
def peak_memory(device: torch.device) -> Iterator[Peak]:
    """Measure the highest memory use of a block.

    On a GPU that is what the block allocates beyond what was allocated before
    (``torch.cuda.max_memory_allocated``). On the CPU it is the highest resident size of the whole
    process during the block.
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
    with suppress(OSError), open(_PROC / "self" / "clear_refs", "w", encoding="ascii") as file:
        file.write("5")  # reset the peak on Linux, see proc(5)
    yield peak
    peak.bytes = peak_resident()


def peak_resident() -> int | None:
    """Return the highest resident size of this process so far."""
    peak = _status("self").get("VmHWM")
    if peak is not None:
        return peak
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _status(pid: int | str) -> dict[str, int]:
    """Return the sizes in ``/proc/PID/status``."""
    try:
        text = (_PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return {name: 1024 * int(size) for name, size in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.M)}


def process_age() -> float | None:
    """Return the seconds since this process was created, to 0.01 s; on Linux only."""
    try:
        stat = (_PROC / "self" / "stat").read_text(encoding="utf-8", errors="replace")
        uptime = float((_PROC / "uptime").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None
    # Field 22. Field 2, the name of the program, is in parentheses and may contain spaces.
    started = int(stat.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return uptime - started
