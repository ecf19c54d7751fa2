"""Changes of floating-point precision.

NumPy converts float16 one element at a time in software, PyTorch with the processor's vector
instructions: four to ten times faster on the sequences that annotation files hold. Both are exact
towards float32 and round to the nearest, ties to even, towards float16. PyTorch is used where the
process has imported it, as all that train have; exported models run without it.
"""

from __future__ import annotations

import sys

import numpy as np


def as_float32(array: np.ndarray) -> np.ndarray:
    """Return the array as float32: itself where it is that already, else a new one."""
    if array.dtype != np.float16:
        return array.astype(np.float32, copy=False)
    torch = sys.modules.get("torch")
    if torch is None:
        return array.astype(np.float32, order="C")
    # PyTorch takes no negative strides, and warns about memory that it could not write to.
    source = np.ascontiguousarray(array) if array.flags.writeable else array.copy()
    return torch.from_numpy(source).float().numpy()


def new_float32(array: np.ndarray) -> np.ndarray:
    """Return the array as a new, contiguous float32 one, which the caller may write into."""
    if array.dtype == np.float16:
        return as_float32(array)
    return np.array(array, dtype=np.float32, order="C")


def round_to_float16(array: np.ndarray) -> np.ndarray:
    """Return the nearest float16 values of a writable float32 array, as float32."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return torch.from_numpy(array).half().float().numpy()
    with np.errstate(over="ignore"):  # beyond float16 both say infinite, and only one warns
        return array.astype(np.float16).astype(np.float32)
