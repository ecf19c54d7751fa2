"""The confusion matrix: the canvas that ``confusion.js`` draws on, and the most confused pairs.

Shapes: L classes; matrices are (L, L), rows are true classes, columns predicted ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from pyskl.drawing.page import Cell, Section, table
from pyskl.reports.page.content import Predictions
from pyskl.reports.page.markup import percent, scrolling

_MAX_PAIRS = 100

# With more classes the optimal order of the leaves takes too long.
_MAX_OPTIMAL = 400


@dataclass(frozen=True)
class ConfusedPair:
    """A class that was predicted as another.

    Attributes:
        true: The true class.
        predicted: The predicted class.
        count: How often.
        share: Share of the samples of the true class.
    """

    true: int
    predicted: int
    count: int
    share: float


def worst_pairs(counts: np.ndarray) -> list[ConfusedPair]:
    """Return the confused pairs, the most frequent first; ties go to the greater share."""
    totals = counts.sum(axis=1)
    wrong = counts - np.diag(np.diag(counts))
    pairs = [
        ConfusedPair(
            true, predicted, int(wrong[true, predicted]), wrong[true, predicted] / totals[true]
        )
        for true, predicted in np.argwhere(wrong).tolist()
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, -pair.share, pair.true, pair.predicted))


def clustered(counts: np.ndarray) -> list[int]:
    """Return all classes in an order that puts confused ones next to each other.

    The order is that of the leaves of a tree (average linkage) in which classes are close if they
    are confused in either direction. Branches are turned so that neighbours are as close as
    possible (Bar-Joseph et al., "Fast optimal leaf ordering for hierarchical clustering", 2001).

    Args:
        counts: Confusion matrix (L, L).
    """
    size = len(counts)
    if size < 3:
        return list(range(size))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # The square root separates pairs with few confusions from the many with none.
    distances = 1 - np.sqrt((shares + shares.T) / 2)
    tree = linkage(
        squareform(distances, checks=False), "average", optimal_ordering=size <= _MAX_OPTIMAL
    )
    return leaves_list(tree).tolist()


def confusion_section(found: Predictions) -> Section:
    """Return the canvas with its controls, and the table of the most confused pairs."""
    names, pairs = found.class_names, worst_pairs(found.counts)
    if not pairs:
        return Section("Confusion", f"{_CANVAS}<p>No class was predicted as another.</p>")
    rows = []
    for pair in pairs[:_MAX_PAIRS]:
        true, predicted = escape(names[pair.true]), escape(names[pair.predicted])
        button = (
            f'<button type="button" class="link" data-true="{pair.true}" '
            f'data-predicted="{pair.predicted}" aria-label="{true}, predicted as {predicted}: show '
            f'the samples">{true}</button>'
        )
        rows.append(
            (
                Cell(button, pair.true),
                names[pair.predicted],
                pair.count,
                percent(pair.share),
                int(found.counts[pair.predicted, pair.true]),
            )
        )
    caption = f"The {len(rows)} most confused pairs"
    if len(rows) < len(pairs):
        caption += f" of {len(pairs)}"
    header = ["true class", "predicted as", "times", "share of its samples", "the other way round"]
    pairs_table = scrolling(table(header, rows, sortable=True, caption=caption), caption)
    return Section("Confusion", f"{_CANVAS}{pairs_table}")


_CANVAS = """
<div class="controls" role="group" aria-label="Confusion matrix">
<label>Order <select id="confusion-order">
<option value="label">by label</option>
<option value="accuracy">by accuracy, the worst first</option>
<option value="cluster">confused ones together</option>
</select></label>
<button type="button" id="confusion-in" aria-label="Zoom in">+</button>
<button type="button" id="confusion-out" aria-label="Zoom out">&minus;</button>
<button type="button" id="confusion-reset">Whole matrix</button>
</div>
<p id="confusion-readout" role="status" aria-live="polite">Point at a cell.</p>
<canvas id="confusion-matrix" tabindex="0" role="application"
aria-label="Confusion matrix: rows are true classes, columns predicted ones"
aria-describedby="confusion-keys"></canvas>
<p id="confusion-keys" class="faint">Click a cell, or press Enter, to show its samples. Arrow keys
move between cells; N and P go to the next and the previous of the most confused pairs; + and
&minus; zoom, 0 shows the whole matrix. The wheel zooms with Ctrl or if the matrix has the focus;
drag to move. The colour of a cell is its share of the row.</p>
"""


def confusion_data(found: Predictions) -> dict[str, Any]:
    """Return the matrix in the format of ``confusion.js``, without its zeros."""
    counts = found.counts
    rows, columns = np.nonzero(counts)
    return {
        "names": list(found.class_names),
        "cells": np.stack([rows, columns, counts[rows, columns]], axis=1).ravel().tolist(),
        "orders": {
            "label": list(range(len(counts))),
            "accuracy": np.argsort(found.class_accuracy, kind="stable").tolist(),  # NaN last
            "cluster": clustered(counts),
        },
        "worst": [[pair.true, pair.predicted] for pair in worst_pairs(counts)[:_MAX_PAIRS]],
    }
