"""The machine that figures hold for."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from pathlib import Path

import torch

from pyskl.logging.environment import environment


def machine(device: torch.device) -> dict[str, str]:
    """Return the hardware, the versions, the command line and the state of the checkout."""
    found = {"device": _gpu(device) if device.type == "cuda" else "CPU", "cpu": _cpu()}
    memory = _memory()
    if memory is not None:
        found["memory"] = f"{memory / 1e9:.1f} GB"
    for name in ("OMP_NUM_THREADS", "LD_PRELOAD", *sorted(_allocator_settings())):
        if os.environ.get(name):
            found[name] = os.environ[name]
    return found | environment()


def _gpu(device: torch.device) -> str:
    properties = torch.cuda.get_device_properties(device)
    return f"{properties.name}, {properties.total_memory / 1e9:.1f} GB"


def _cpu() -> str:
    """Return the model of the processor."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _memory() -> int | None:
    """Return the bytes of memory of the machine."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _allocator_settings() -> list[str]:
    """Return the names of the environment's variables that steer the allocator."""
    return [name for name in os.environ if name.startswith(("MALLOC_", "GLIBC_TUNABLES"))]
