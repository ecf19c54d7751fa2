"""Return freed memory to the system."""

from __future__ import annotations

import ctypes
import platform
from contextlib import suppress


def return_freed_memory() -> None:
    """Return the memory of freed small arrays to the system, where the allocator is glibc's.

    glibc keeps it by default: the arrays of an annotation file lie between objects that live on.
    """
    if platform.libc_ver()[0] == "glibc":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
