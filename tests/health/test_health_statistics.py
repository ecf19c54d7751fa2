"""Guesses of unit and upward axis."""

from __future__ import annotations

import numpy as np
import pytest

from pyskl.health.statistics import guess_unit, guess_up_axis


@pytest.mark.parametrize(
    ("extent", "unit"),
    [
        (1.7, "probably metres"),
        (0.9, "probably metres"),
        (170.0, "probably centimetres"),
        (1700.0, "probably millimetres"),
        (65.0, "probably inches, or centimetres of half a body"),
        (12.0, "unknown"),
        (0.01, "unknown"),
    ],
)
def test_units(extent: float, unit: str) -> None:
    assert guess_unit(extent).startswith(f"{unit}: ")


def test_up_by_the_spine() -> None:
    boxes = np.ones((5, 3))
    spines = np.tile([0.1, -0.6, 0.1], (5, 1))
    assert guess_up_axis(boxes, spines).startswith("probably -y:")
    assert guess_up_axis(boxes, np.eye(3)).startswith("unknown")
    assert guess_up_axis(boxes, np.zeros((4, 3))).startswith("unknown")


def test_up_by_the_box() -> None:
    assert guess_up_axis(np.tile([0.5, 0.4, 1.7], (5, 1)), None).startswith("probably along z")
    assert guess_up_axis(np.tile([1.5, 0.4, 1.7], (5, 1)), None).startswith("unknown")
