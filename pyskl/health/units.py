"""What unit 3D coordinates probably have, and which way is up: guesses that say how they came.

A person's size is the longer side of the box around the joints, as a median over the frames of a
sample and then over the samples: 1.5 to 1.9 m where people stand, less where they sit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Unit(NamedTuple):
    """A unit of length, and the sizes of persons in it that speak for it."""

    name: str
    low: float
    high: float


UNITS = (
    Unit("metres", 0.5, 2.6),
    Unit("inches, or centimetres of half a body", 40.0, 90.0),
    Unit("centimetres", 90.0, 260.0),
    Unit("millimetres", 500.0, 2600.0),
)

AXES = "xyz"

# How much longer than the next the greatest side of the box has to be to be taken for the height.
_CLEARLY = 1.3


def guess_unit(extent: float) -> str:
    """Return what unit a person of this size speaks for.

    Example:
        >>> guess_unit(1.61)
        'probably metres: a person measures 1.61 in the median'
        >>> guess_unit(33.0)
        'unknown: a person measures 33 in the median, which fits no usual unit'
    """
    for unit in UNITS:
        if unit.low <= extent <= unit.high:
            return f"probably {unit.name}: a person measures {extent:.3g} in the median"
    return f"unknown: a person measures {extent:.3g} in the median, which fits no usual unit"


def guess_up(boxes: np.ndarray, spines: np.ndarray | None) -> str:
    """Return which axis probably points up.

    Args:
        boxes: Sides of a person's box, one row for each sample, (S, 3).
        spines: Vectors along the spine, from the hip up, (S, 3); None where the layout is unknown.
    """
    if spines is not None and len(spines):
        lengths = np.linalg.norm(spines, axis=1)
        spines = spines[lengths > 0] / lengths[lengths > 0, None]
        mean = spines.mean(axis=0) if len(spines) else np.zeros(3)
        axis = int(np.abs(mean).argmax())
        if abs(mean[axis]) > 0.5:
            sign = "+" if mean[axis] > 0 else "-"
            return f"probably {sign}{AXES[axis]}: the spine points there"
        return "unknown: spines point in all directions"
    sides = np.median(boxes, axis=0)
    axis = int(sides.argmax())
    others = np.delete(sides, axis)
    if sides[axis] >= _CLEARLY * others.max():
        return f"probably along {AXES[axis]}: persons are longest there"
    return "unknown: persons are about as long in two directions"
