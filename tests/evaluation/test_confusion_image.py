"""A confusion matrix as a picture."""

from __future__ import annotations

import numpy as np
import pytest

from pyskl.evaluation.confusion_image import confusion_image


def brightness(picture: np.ndarray, row: int, column: int, classes: int) -> float:
    """Return how bright the middle of a cell is."""
    cell = (len(picture) - 28) // classes
    return float(picture[28 + row * cell + cell // 2, 28 + column * cell + cell // 2].mean())


def test_frequent_cells_are_dark() -> None:
    true = np.array([0, 0, 0, 0, 1, 1])
    pred = np.array([0, 0, 0, 2, 1, 1])
    picture = confusion_image(pred, true, 3)
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    right = brightness(picture, 0, 0, 3)
    wrong, never = brightness(picture, 0, 2, 3), brightness(picture, 0, 1, 3)
    assert brightness(picture, 1, 1, 3) < right < wrong < never
    assert all(brightness(picture, 2, column, 3) == 255 for column in range(3))  # no samples


@pytest.mark.parametrize("classes", [1, 11, 60, 120, 700])
def test_any_number_of_classes_has_room(classes: int) -> None:
    labels = np.arange(classes)
    picture = confusion_image(labels, labels, classes)
    assert picture.shape[0] == picture.shape[1]
    assert 300 < len(picture) < 2500
    assert (picture[:28, 28:] < 255).any()  # the numbers of the columns
    assert (picture[28:, :28] < 255).any()
