"""What the machine can do at best, measured: matrix products and copies."""

from __future__ import annotations

from collections.abc import Callable

import torch

from pyskl.benchmark.precision import tf32_as
from pyskl.benchmark.timing import Timed, spread

# Rows and columns of the matrices: doubled from the first until a product takes long enough for
# what surrounds it not to count, or until the last.
_FIRST_SIZE, _LAST_SIZE, _LONG_ENOUGH = 256, 8192, 0.005
_COPIED_BYTES = {"cuda": 2**30, "cpu": 2**27}
_REPEATS, _SECONDS = 5, 0.02


def waiter(device: torch.device) -> Callable[[], None]:
    """Return a function that waits until a device has done all that was asked of it."""
    if device.type == "cuda":
        return lambda: torch.cuda.synchronize(device)
    return lambda: None


def matmul_flops(device: torch.device, precision: str) -> float:
    """Measure the floating-point operations per second of a large matrix product.

    Args:
        device: Where to compute.
        precision: ``'fp32'``, ``'tf32'`` or ``'bf16'``.

    Returns:
        The median of several measurements, FLOP/s; a multiplication and an addition are two.
    """
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    size = _FIRST_SIZE
    with tf32_as(precision):
        while True:
            product = _product(size, dtype, device)
            rate = _median(product, device)
            if size == _LAST_SIZE or product() / rate > _LONG_ENOUGH:
                return rate
            size *= 2


def _product(size: int, dtype: torch.dtype, device: torch.device) -> Callable[[], int]:
    """Return a function that multiplies matrices and returns the number of operations."""
    left, right, out = (torch.ones(size, size, dtype=dtype, device=device) for _ in range(3))

    def work() -> int:
        torch.mm(left, right, out=out)
        return 2 * size**3

    return work


def copy_bandwidth(device: torch.device) -> float:
    """Measure the bytes per second that a copy in the device's memory reads and writes."""
    source = torch.ones(_COPIED_BYTES[device.type] // 4, device=device)
    target = torch.empty_like(source)

    def work() -> int:
        target.copy_(source)
        return 2 * source.numel() * source.element_size()

    return _median(work, device)


def _median(work: Callable[[], int], device: torch.device) -> float:
    timed = Timed(work, waiter(device))
    timed.prepare(_SECONDS)
    return spread([timed.rate() for _ in range(_REPEATS)]).median
