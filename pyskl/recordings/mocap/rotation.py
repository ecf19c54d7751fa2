"""Rotations about the axes, from angles."""

from __future__ import annotations

import numpy as np


def axis_rotation(axis: str, degrees: np.ndarray) -> np.ndarray:
    """Return the rotations about ``'x'``, ``'y'`` or ``'z'`` (right-handed) by angles (...,).

    Returns:
        Matrices (..., 3, 3) that columns are multiplied with.
    """
    angle = np.deg2rad(np.asarray(degrees, dtype=np.float64))
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.zeros((*angle.shape, 3, 3))
    fixed = "xyz".index(axis)
    first, second = (fixed + 1) % 3, (fixed + 2) % 3
    matrix[..., fixed, fixed] = 1
    matrix[..., first, first] = matrix[..., second, second] = cosine
    matrix[..., second, first], matrix[..., first, second] = sine, -sine
    return matrix
