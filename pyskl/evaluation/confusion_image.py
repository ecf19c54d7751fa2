"""A confusion matrix as a picture, for trackers of experiments."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

# Digits, five rows of three dots each, by the bits of a number from 0 to 7.
_DIGITS = ("75557", "26227", "71747", "71717", "55711", "74717", "74757", "71111", "75757", "75717")
_GLYPHS = [
    np.array([[int(row) >> bit & 1 for bit in (2, 1, 0)] for row in digit], dtype=bool)
    for digit in _DIGITS
]
_WHITE, _INK, _LIGHT, _DARK = (255, 255, 255), (60, 60, 60), (238, 243, 250), (8, 64, 129)
_MARGIN, _SIDE = 28, 640  # pixels: of the numbers, and about of the matrix


def confusion_image(pred: ArrayLike, true: ArrayLike, num_classes: int) -> np.ndarray:
    """Draw how often each class was taken for each.

    Rows are true classes from the top, columns predicted ones from the left, both from 0. The
    darker a cell the greater its share of its row; classes without samples are white. Classes are
    numbered at the edges, every one or as many as have room.

    Args:
        pred: Predicted classes, whole numbers (N,).
        true: True classes, whole numbers (N,).
        num_classes: Number of classes L.

    Returns:
        (height, width, 3) uint8.
    """
    counts = np.zeros((num_classes, num_classes))
    np.add.at(counts, (np.asarray(true), np.asarray(pred)), 1)
    totals = counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(totals, 1)  # rows sum to 1
    light, dark = np.array(_LIGHT, float), np.array(_DARK, float)
    # The root makes the few samples visible that go astray.
    colours = light + np.sqrt(share)[..., None] * (dark - light)
    colours[totals[:, 0] == 0] = _WHITE
    cell = max(_SIDE // num_classes, 3)
    matrix = np.rint(colours).astype(np.uint8).repeat(cell, axis=0).repeat(cell, axis=1)
    if cell >= 6:  # lines between cells, where these are large enough for it
        matrix[cell - 1 :: cell] = _WHITE
        matrix[:, cell - 1 :: cell] = _WHITE
    picture = np.full((len(matrix) + _MARGIN, len(matrix) + _MARGIN, 3), 255, dtype=np.uint8)
    picture[_MARGIN:, _MARGIN:] = matrix
    for label in range(0, num_classes, -(-28 // cell)):
        middle = _MARGIN + label * cell + cell // 2
        _write(picture, str(label), top=middle - 5, right=_MARGIN - 4)
        _write(picture, str(label), top=_MARGIN - 14, right=middle + 4 * len(str(label)))
    return picture


def _write(picture: np.ndarray, text: str, *, top: int, right: int) -> None:
    """Write digits of 6 by 10 pixels; what lies outside of the picture is cut off."""
    left = right - 8 * len(text) + 2
    for position, digit in enumerate(text):
        dots = _GLYPHS[int(digit)].repeat(2, axis=0).repeat(2, axis=1)  # (10, 6)
        x, y = max(left + 8 * position, 0), max(top, 0)
        room = picture[y : y + 10, x : x + 6]
        room[dots[: room.shape[0], : room.shape[1]]] = _INK
