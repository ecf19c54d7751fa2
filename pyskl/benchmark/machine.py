"""Describe the machine and measure its peak performance."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

from pyskl.benchmark.timing import Timed, spread, synchronizer
from pyskl.benchmark.variants import allow_tf32
from pyskl.logging.environment import environment

# Sizes of the square matrices: doubled until the overhead of a call is negligible, up to the last.
_FIRST_SIZE, _LAST_SIZE, _LONG_ENOUGH = 256, 8192, 0.005
_COPIED_BYTES = {"cuda": 2**30, "cpu": 2**27}
_REPEATS, _SECONDS = 5, 0.02


def describe_machine(device: torch.device) -> dict[str, str]:
    """Return the hardware, the versions, the command line and the state of the checkout."""
    found = {"device": "CPU", "cpu": _cpu_name()}
    if device.type == "cuda":
        gpu = torch.cuda.get_device_properties(device)
        found["device"] = f"{gpu.name}, {gpu.total_memory / 1e9:.1f} GB"
    with suppress(AttributeError, ValueError, OSError):  # Windows has no sysconf
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        found["memory"] = f"{memory / 1e9:.1f} GB"
    for name, value in sorted(os.environ.items()):
        if name in ("OMP_NUM_THREADS", "LD_PRELOAD", "GLIBC_TUNABLES") or name.startswith("MALLOC"):
            found[name] = value
    return found | environment()


def _cpu_name() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def matmul_flops(device: torch.device, precision: str) -> float:
    """Measure the FLOP/s of a large matrix product.

    Args:
        device: Where to compute.
        precision: ``'fp32'``, ``'tf32'`` or ``'bf16'``.

    Returns:
        The median of several measurements; a multiplication and an addition are two operations.
    """
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    size = _FIRST_SIZE
    with allow_tf32(precision != "fp32"):
        while True:
            left, right, out = (
                torch.ones(size, size, dtype=dtype, device=device) for _ in range(3)
            )

            def multiply() -> int:
                torch.mm(left, right, out=out)  # noqa: B023 - measured within the iteration
                return 2 * size**3  # noqa: B023

            rate = _median_rate(multiply, device)
            if size == _LAST_SIZE or 2 * size**3 / rate > _LONG_ENOUGH:
                return rate
            size *= 2


def copy_bandwidth(device: torch.device) -> float:
    """Measure the bytes per second that a copy in the device's memory reads and writes."""
    source = torch.ones(_COPIED_BYTES[device.type] // 4, device=device)
    target = torch.empty_like(source)

    def copy() -> int:
        target.copy_(source)
        return 2 * source.numel() * source.element_size()

    return _median_rate(copy, device)


def _median_rate(work: Callable[[], int], device: torch.device) -> float:
    timed = Timed(work, synchronizer(device))
    timed.prepare(_SECONDS)
    return spread([timed.rate() for _ in range(_REPEATS)]).median
