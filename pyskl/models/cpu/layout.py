"""The order of the values in memory that the fast path keeps from the first block to the last.

Features have the shape (N, C, T, V) everywhere. On the fast path their memory is ordered
(T, V, N, C), which makes each part of a block a matrix product without a copy before or after it:

- frames outermost: a window of frames is a stretch of memory, so a sum over a window (the temporal
  convolution) is a product from the left with a matrix of the window's size;
- then joints: so is the sum over joints, frame by frame (the adjacency);
- channels innermost: a sum over channels is a product from the right.

Shapes: N batch (persons folded in), T frames, V joints, C channels.
"""

from __future__ import annotations

from torch import Tensor


def frames_first(x: Tensor) -> Tensor:
    """Return (N, C, T, V) as contiguous (T, V, N, C); copies only what is not yet ordered so."""
    return x.permute(2, 3, 0, 1).contiguous()


def features(x: Tensor) -> Tensor:
    """Return (T, V, N, C) as (N, C, T, V), without a copy."""
    return x.permute(2, 3, 0, 1)
