"""A confusion matrix as an image, for experiment trackers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw, ImageFont

from pyskl.evaluation.metrics import confusion_matrix

_WHITE, _INK, _LIGHT, _DARK = (255, 255, 255), (60, 60, 60), (238, 243, 250), (8, 64, 129)
_MARGIN = 28  # pixels, for the class numbers
_SIDE = 640  # pixels, approximate side of the matrix


def confusion_image(pred: ArrayLike, true: ArrayLike, num_classes: int) -> np.ndarray:
    """Draw how often each class was predicted as each.

    Rows are true classes from the top, columns predicted ones from the left, both from 0. The
    darker a cell, the greater its share of its row; classes without samples are white. As many
    class numbers are written at the edges as there is room for.

    Args:
        pred: Predicted classes, integers (N,).
        true: True classes, integers (N,).
        num_classes: Number of classes L.

    Returns:
        (height, width, 3) uint8.
    """
    counts = confusion_matrix(pred, true, num_classes)
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)  # rows sum to 1
    light, dark = np.array(_LIGHT), np.array(_DARK)
    # The square root makes cells of few samples visible.
    colours = np.rint(light + np.sqrt(shares)[..., None] * (dark - light)).astype(np.uint8)
    colours[totals[:, 0] == 0] = _WHITE
    cell = max(_SIDE // num_classes, 3)
    matrix = colours.repeat(cell, axis=0).repeat(cell, axis=1)
    if cell >= 6:  # grid lines, if the cells are large enough
        matrix[cell - 1 :: cell] = _WHITE
        matrix[:, cell - 1 :: cell] = _WHITE
    side = len(matrix) + _MARGIN
    image = Image.new("RGB", (side, side), _WHITE)
    image.paste(Image.fromarray(matrix), (_MARGIN, _MARGIN))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(10)
    for label in range(0, num_classes, -(-_MARGIN // cell)):
        middle = _MARGIN + label * cell + cell // 2
        draw.text((_MARGIN - 4, middle), str(label), fill=_INK, font=font, anchor="rm")
        draw.text((middle, _MARGIN - 4), str(label), fill=_INK, font=font, anchor="mb")
    return np.array(image)
