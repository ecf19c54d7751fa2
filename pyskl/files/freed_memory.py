"""Return freed memory to the system."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable
from contextlib import suppress
from typing import Any

# Looked up here, not when a file is read: reading calls no foreign function by name.
_malloc_trim: Callable[[int], Any] | None = None
if platform.libc_ver()[0] == "glibc":
    with suppress(OSError, AttributeError):
        _malloc_trim = ctypes.CDLL(None).malloc_trim


def return_freed_memory() -> None:
    """Return the memory of freed small arrays to the system, where the allocator is glibc's.

    glibc keeps it by default: the arrays of an annotation file lie between objects that live on.
    """
    if _malloc_trim is not None:
        _malloc_trim(0)
