"""The precisions that are compared, and the switches that they come down to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pyskl.models.precision import autocast

# "fp32" rules TF32 out, which torch otherwise admits in convolutions; "tf32" asks for it wherever
# a GPU has it; "bf16" is mixed precision (autocast), with TF32 in what stays in single precision.
PRECISIONS = ("fp32", "tf32", "bf16")


def amp_of(precision: str) -> str | None:
    """Return the ``amp`` that stands for a precision elsewhere in this package."""
    return "bf16" if precision == "bf16" else None


@contextmanager
def tf32_as(precision: str) -> Iterator[None]:
    """Allow or rule out TF32 within the block."""
    allowed = precision != "fp32"
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


@contextmanager
def computing_in(precision: str, device: torch.device) -> Iterator[None]:
    """Compute in a precision within the block."""
    with tf32_as(precision), autocast(device, amp_of(precision)):
        yield
