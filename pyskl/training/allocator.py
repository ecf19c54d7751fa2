"""Keep freed memory in the process on the CPU.

glibc hands a freed array of some megabytes straight back to the kernel, and each new one then
starts with a page fault for every 4 KiB. A training step frees and takes the same gigabytes again
and again, and can spend a third of its time on that.
"""

from __future__ import annotations

import ctypes
import os
import platform

# Parameters of mallopt(3), from malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
# Settings by which a user has chosen otherwise; with another allocator preloaded, mallopt is moot.
_CHOSEN_BY_USER = ("LD_PRELOAD", "GLIBC_TUNABLES")


def keep_freed_memory() -> bool:
    """Let glibc keep what the process frees, for its next arrays.

    Arrays are taken from the heap, never mapped by themselves, and the heap is never trimmed. The
    process then holds its peak memory until it ends. To be called at the start, before the first
    large array, by processes that compute on the CPU; a training on a GPU gains nothing.

    It does nothing where the allocator is not glibc's (macOS, Windows, musl), and where the user
    has set one of ``MALLOC_*``, ``GLIBC_TUNABLES`` or ``LD_PRELOAD``.

    Returns:
        Whether the settings were made.
    """
    if platform.libc_ver()[0] != "glibc" or _is_chosen_by_user():
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    # -1 becomes the largest size. Both return 1 on success.
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, -1))


def _is_chosen_by_user() -> bool:
    return any(name in _CHOSEN_BY_USER or name.startswith("MALLOC_") for name in os.environ)
