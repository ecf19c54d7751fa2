"""Mixed precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(device: torch.device, amp: str | None) -> AbstractContextManager[Any]:
    """Return the autocast context for a precision.

    Args:
        device: Where it computes.
        amp: ``'bf16'``, ``'fp16'``, or None for full precision.
    """
    if amp is None:
        return nullcontext()
    return torch.autocast(device.type, dtype=DTYPES[amp])
