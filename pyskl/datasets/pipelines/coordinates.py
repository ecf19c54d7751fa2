"""Coordinates, and scores among them, put together into points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def interleaved(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Return arrays (M, T, V), one for each coordinate, as one new array (M, T, V, C).

    Column by column, as NumPy copies many rows of two or three numbers slowly.
    """
    points = np.empty((*columns[0].shape, len(columns)), dtype=np.result_type(*columns))
    for channel, column in enumerate(columns):
        points[..., channel] = column
    return points


def with_score(keypoint: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return joints (M, T, V, C) with their scores (M, T, V) as one more coordinate, as new."""
    return interleaved([*(keypoint[..., axis] for axis in range(keypoint.shape[-1])), score])
