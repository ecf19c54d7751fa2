"""Arrays as short text, for pages that hold hundreds of clips."""

from __future__ import annotations

import base64

import numpy as np

MISSING = -32768
"""What stands for a coordinate that is absent (NaN)."""

_GREATEST = 32767

# Numbers so small, all of them, are zero: steps between them would be no exact floats.
_NOTHING = 1e-300


def quantised(points: np.ndarray) -> tuple[str, float]:
    """Return coordinates as base64 of little-endian int16, and the step between two of them.

    The error is at most half a step, which is 1/65534 of the greatest coordinate.

    Args:
        points: Any shape, in units of its own; NaN where absent.
    """
    greatest = float(np.nanmax(np.abs(points), initial=0.0))
    step = greatest / _GREATEST if greatest > _NOTHING else 1.0
    return encoded(points, step), step


def encoded(points: np.ndarray, step: float) -> str:
    """Return coordinates as base64 of little-endian int16, in multiples of ``step``.

    What is out of reach is clipped.
    """
    whole = np.rint(np.asarray(points, dtype=np.float64) / step).clip(-_GREATEST, _GREATEST)
    return _text(np.where(np.isnan(whole), MISSING, whole).astype("<i2"))


def shares(values: np.ndarray) -> str:
    """Return numbers from 0 to 1 as base64 of bytes, in 255 steps."""
    clipped = np.nan_to_num(np.asarray(values, dtype=np.float64)).clip(0, 1)
    return _text(np.rint(clipped * 255).astype(np.uint8))


def decoded(text: str, step: float) -> np.ndarray:
    """Return what :func:`encoded` was given, up to half a step; flat, float64."""
    whole = np.frombuffer(base64.b64decode(text), dtype="<i2").astype(np.float64)
    return np.where(whole == MISSING, np.nan, whole * step)


def _text(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
