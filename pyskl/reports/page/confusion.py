"""The confusion matrix: the canvas that ``confusion.js`` draws, a picture, and the worst pairs.

Shapes: L classes; matrices are (L, L), rows true and columns predicted classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from pyskl.drawing.charts import chart_svg
from pyskl.drawing.page import Cell, Section, table
from pyskl.reports.page.facts import Predictions, ReportFacts
from pyskl.reports.page.parts import Chart, percent, tall

DATA = "confusion"
"""The name of the matrix among the page's data."""

# Pairs that the table lists.
_LISTED = 100

# Of more classes the best order of the tree's leaves takes too long to find.
_OPTIMAL_UP_TO = 400

_NUMBERED = 24  # pixels of a cell that has room for its number
_LABEL = 30  # letters of a class's name in the picture


@dataclass(frozen=True)
class Pair:
    """Two classes, one of which was taken for the other.

    Attributes:
        true: The true class.
        predicted: The class that it was taken for.
        count: How often.
        share: Of the samples of the true class.
    """

    true: int
    predicted: int
    count: int
    share: float


def worst_pairs(counts: np.ndarray) -> list[Pair]:
    """Return the pairs of different classes that were confused, the most frequent first.

    Of pairs of equal count the one that takes the greater share of its class is first.
    """
    totals = counts.sum(axis=1)
    rows, columns = np.nonzero(counts)
    pairs = [
        Pair(true, predicted, int(counts[true, predicted]), counts[true, predicted] / totals[true])
        for true, predicted in zip(rows.tolist(), columns.tolist())
        if true != predicted
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, -pair.share, pair.true, pair.predicted))


def clustered(counts: np.ndarray) -> list[int]:
    """Return all classes in an order in which those that are confused stand side by side.

    It is the order of the leaves of a tree (average linkage) whose distances are small where
    classes are confused, in either direction; branches are turned so that neighbours are as near as
    possible (Bar-Joseph et al., "Fast optimal leaf ordering for hierarchical clustering", 2001).

    Args:
        counts: Confusion matrix (L, L).
    """
    size = len(counts)
    if size < 3:
        return list(range(size))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    alike = (shares + shares.T) / 2
    # The root tells pairs of few confusions from those of none, which nearly all are.
    distances = 1 - np.sqrt(alike)
    np.fill_diagonal(distances, 0)
    flat = squareform(distances, checks=False)
    tree = linkage(flat, "average")
    if size <= _OPTIMAL_UP_TO:
        tree = optimal_leaf_ordering(tree, flat)
    return leaves_list(tree).tolist()


def confusion_section(facts: ReportFacts) -> Section | None:
    """Return the canvas with what steers it, and the table of the worst pairs."""
    found = facts.predictions
    if found is None:
        return None
    pairs = worst_pairs(found.counts)
    return Section("Confusion", f"{_CANVAS}\n{_worst(pairs, found)}")


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
<p id="confusion-keys" class="faint">A click, or Enter, shows the samples of a cell. Arrow keys go
from cell to cell, N and P to the next and the previous of the worst pairs; + and &minus; zoom, 0
shows the whole. The wheel zooms with Ctrl, or once the matrix has the focus; dragging moves it. The
colour of a cell is its share of the row.</p>
"""


def _worst(pairs: list[Pair], found: Predictions) -> str:
    if not pairs:
        return "<p>No class was taken for another.</p>"
    rows = [
        (
            Cell(_button(pair, found), pair.true),
            found.class_names[pair.predicted],
            pair.count,
            percent(pair.share),
            int(found.counts[pair.predicted, pair.true]),
        )
        for pair in pairs[:_LISTED]
    ]
    caption = f"The {len(rows)} worst pairs" + (
        f" of {len(pairs)}" if len(pairs) > len(rows) else ""
    )
    headers = ["true class", "taken for", "times", "share of its samples", "the other way"]
    return tall(table(headers, rows, sortable=True, caption=caption), caption)


def _button(pair: Pair, found: Predictions) -> str:
    names = found.class_names
    true, predicted = escape(names[pair.true]), escape(names[pair.predicted])
    return (
        f'<button type="button" class="link" data-true="{pair.true}" '
        f'data-predicted="{pair.predicted}" aria-label="{true}, taken for {predicted}: show the '
        f'samples">{true}</button>'
    )


def confusion_data(found: Predictions) -> dict[str, Any]:
    """Return the matrix as ``confusion.js`` reads it: of its cells only those that are not zero."""
    counts = found.counts
    rows, columns = np.nonzero(counts)
    accuracy = np.where(np.isnan(found.class_accuracy), np.inf, found.class_accuracy)
    return {
        "names": list(found.class_names),
        "cells": np.stack([rows, columns, counts[rows, columns]], axis=1).ravel().tolist(),
        "orders": {
            "label": list(range(len(counts))),
            "accuracy": np.argsort(accuracy, kind="stable").tolist(),
            "cluster": clustered(counts),
        },
        "worst": [[pair.true, pair.predicted] for pair in worst_pairs(counts)[:_LISTED]],
    }


def confusion_chart(found: Predictions) -> Chart:
    """Return the whole matrix as a picture, confused classes side by side."""
    size, order = len(found.class_names), clustered(found.counts)
    cell = min(max(1320 // size, 4), 40)
    every = -(-11 // cell)  # one name in so many has room
    names = [_cut(found.class_names[label]) for label in order]
    left = 24 + 6.2 * max(len(name) for name in names)
    top = 34
    side = cell * size
    shares = found.counts / np.maximum(found.counts.sum(axis=1, keepdims=True), 1)
    parts = [
        f'<rect x="{left:.0f}" y="{top}" width="{side}" height="{side}" '
        'style="fill:var(--raised)"/>'
    ]
    for row, true in enumerate(order):
        if row % every == 0:
            middle = top + (row + 0.5) * cell + 4
            parts.append(
                f'<text x="{left - 6:.0f}" y="{middle:.1f}" text-anchor="end">'
                f"{escape(names[row])}</text>"
            )
        if row % max(every, -(-22 // cell)) == 0:
            parts.append(
                f'<text x="{left + (row + 0.5) * cell:.1f}" y="{top - 5}" '
                f'text-anchor="middle">{true}</text>'
            )
        for column, predicted in enumerate(order):
            count = int(found.counts[true, predicted])
            if count:
                role = "accent" if true == predicted else "bad"
                opacity = 0.08 + 0.92 * float(np.sqrt(shares[true, predicted]))
                parts.append(
                    f'<rect x="{left + column * cell:.1f}" y="{top + row * cell}" width="{cell}" '
                    f'height="{cell}" style="fill:var(--{role});fill-opacity:{opacity:.3f}"/>'
                )
                if cell >= _NUMBERED:
                    colour = "ground" if opacity > 0.6 else "text"
                    parts.append(
                        f'<text x="{left + (column + 0.5) * cell:.1f}" '
                        f'y="{top + (row + 0.5) * cell + 4:.1f}" text-anchor="middle" '
                        f'style="fill:var(--{colour})">{count}</text>'
                    )
    parts.append(
        f'<text x="{left:.0f}" y="12">columns: predicted classes, by number; rows: true ones</text>'
    )
    title = "Confusion matrix"
    svg = chart_svg(round(left + side + 8), top + side + 8, title, "".join(parts))
    return Chart("confusion", title, svg)


def _cut(text: str) -> str:
    return text if len(text) <= _LABEL else f"{text[: _LABEL - 1]}…"
