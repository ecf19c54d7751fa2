"""Accuracy class by class."""

from __future__ import annotations

import numpy as np

from pyskl.drawing.charts import bar_chart
from pyskl.drawing.page import Section, table
from pyskl.reports.page.facts import Predictions, ReportFacts
from pyskl.reports.page.parts import Chart, share_bar, tall

_LABEL = 28  # letters of a label beside a bar


def order_by_accuracy(found: Predictions) -> list[int]:
    """Return the classes that have samples, the worst first."""
    present = np.flatnonzero(found.counts.sum(axis=1))
    return present[np.argsort(found.class_accuracy[present], kind="stable")].tolist()


def classes_section(facts: ReportFacts) -> Section | None:
    """Return a table of the classes, the worst first."""
    found = facts.predictions
    if found is None:
        return None
    others = [run for run in facts.runs[1:] if run.class_accuracy is not None]
    names = [facts.runs[0].name, *(run.name for run in others)] if others else []
    headers = ["class", "name", "samples", *(names or ["right"]), "most often taken for", "times"]
    rows = []
    for label in order_by_accuracy(found):
        wrong = found.counts[label].copy()
        wrong[label] = 0
        taken = int(wrong.argmax()) if wrong.any() else None
        shares = [found.class_accuracy[label]]
        shares += [run.class_accuracy[label] for run in others if run.class_accuracy is not None]
        rows.append(
            [
                label,
                found.class_names[label],
                int(found.counts[label].sum()),
                *map(share_bar, shares),
                None if taken is None else found.class_names[taken],
                None if taken is None else int(wrong[taken]),
            ]
        )
    absent = len(found.class_names) - len(rows)
    caption = f"{len(rows)} classes" + (f", and {absent} without a test sample" if absent else "")
    return Section("Classes", tall(table(headers, rows, sortable=True, caption=caption), caption))


def classes_chart(found: Predictions) -> Chart:
    """Return bars of all classes, the worst first."""
    order = order_by_accuracy(found)
    labels = [_cut(found.class_names[label]) for label in order]
    values = [100 * float(found.class_accuracy[label]) for label in order]
    title = "Share of the test samples that is right, by class"
    return Chart("classes", title, bar_chart(labels, values, title=title, unit=" %"))


def _cut(text: str) -> str:
    return text if len(text) <= _LABEL else f"{text[: _LABEL - 1]}…"
