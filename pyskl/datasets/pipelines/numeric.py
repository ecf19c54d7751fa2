"""Fast conversions of arrays.

NumPy converts float16 one element at a time, PyTorch with vector instructions, four to ten times as
fast on the sequences of annotation files. The results are the same: exact to float32, rounded to
nearest even to float16. PyTorch is used if the process has imported it, as training does; exported
models run without it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np


def as_float32(array: Any) -> Any:
    """Return an array or tensor as float32, without a copy if it is float32 already."""
    if not isinstance(array, np.ndarray):
        return array.float()
    if array.dtype != np.float16:
        return array.astype(np.float32, copy=False)
    torch = sys.modules.get("torch")
    if torch is None:
        return array.astype(np.float32, order="C")
    # PyTorch accepts no negative strides and warns about read-only memory.
    source = np.ascontiguousarray(array) if array.flags.writeable else array.copy()
    return torch.from_numpy(source).float().numpy()


def new_float32(array: np.ndarray) -> np.ndarray:
    """Return a contiguous float32 copy."""
    if array.dtype == np.float16:
        return as_float32(array)
    return np.array(array, dtype=np.float32, order="C")


def round_to_float16(array: np.ndarray) -> np.ndarray:
    """Return the nearest float16 values of a writable float32 array, as float32."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return torch.from_numpy(array).half().float().numpy()
    with np.errstate(over="ignore"):  # PyTorch gives inf, too, but does not warn
        return array.astype(np.float16).astype(np.float32)


def interleaved(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Stack arrays (M, T, V), one per channel, into a new array (M, T, V, C).

    Copies channel by channel, because NumPy copies many short rows slowly.
    """
    points = np.empty((*columns[0].shape, len(columns)), dtype=np.result_type(*columns))
    for channel, column in enumerate(columns):
        points[..., channel] = column
    return points


def as_rows(points: np.ndarray) -> np.ndarray:
    """Return contiguous points (M, T, V, C) as (M * T, V * C), sharing memory.

    With :func:`as_row`, an operation on each point runs over long rows; NumPy is several times
    slower on rows of two or three.
    """
    persons, frames, joints, coordinates = points.shape
    return points.reshape(persons * frames, joints * coordinates)


def as_row(point: np.ndarray, joints: int) -> np.ndarray:
    """Return ``point`` (C,) for each joint of a frame: (V * C,) float32."""
    row = np.empty((joints, len(point)), dtype=np.float32)
    row[:] = point
    return row.reshape(-1)
