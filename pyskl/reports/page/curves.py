"""Curves of loss, accuracy and rate; those of several runs in one chart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pyskl.drawing.charts import line_chart
from pyskl.drawing.page import Section, table
from pyskl.reports.page.facts import Points, RunFacts
from pyskl.reports.page.parts import Chart, row, tall
from pyskl.reports.page.summary import figure_name

_WIDTH, _HEIGHT = 440, 240

Key = tuple[str, str]

_LOSS: Key = ("train", "loss")
_RATE: Key = ("train", "lr")
_TRAINED: Key = ("train", "top1_acc")


def curve_charts(runs: Sequence[RunFacts]) -> list[Chart]:
    """Return the charts for which any of the runs has points."""
    charts = [_chart("curves_loss", "Loss in training", _by_run(runs, _LOSS))]
    if len(runs) == 1:
        lines = {_words(key): points for key, points in _accuracies(runs[0])}
        charts.append(_chart("curves_accuracy", "Accuracy", lines))
    else:
        keys = dict.fromkeys(key for run in runs for key, _ in _accuracies(run))
        charts += [
            _chart(f"curves_{mode}_{figure}", _words((mode, figure)), _by_run(runs, (mode, figure)))
            for mode, figure in keys
        ]
    charts.append(_chart("curves_rate", "Learning rate", _by_run(runs, _RATE)))
    return [chart for chart in charts if chart is not None]


def curves_section(runs: Sequence[RunFacts]) -> Section | None:
    """Return the charts, and the same by epoch as a table."""
    charts = curve_charts(runs)
    if not charts:
        return None
    return Section("Curves", row(charts) + _values(runs))


def _by_run(runs: Sequence[RunFacts], key: Key) -> dict[str, Points]:
    return {run.name: run.curves[key] for run in runs if run.curves.get(key)}


def _accuracies(run: RunFacts) -> Iterator[tuple[Key, Points]]:
    """Yield what is measured in validation, and the accuracy of the training batches."""
    keys = [key for key in run.curves if key[0] == "val"]
    for key in [*keys, _TRAINED]:
        if run.curves.get(key):
            yield key, run.curves[key]


def _words(key: Key) -> str:
    mode, figure = key
    name = figure_name(figure)
    where = "training batches" if mode == "train" else "validation"
    return f"{name[:1].upper()}{name[1:]}, {where}"


def _chart(name: str, title: str, lines: Mapping[str, Points]) -> Chart | None:
    if not lines:
        return None
    svg = line_chart(lines, title=title, label="epoch", width=_WIDTH, height=_HEIGHT)
    return Chart(name, title, svg)


def _values(runs: Sequence[RunFacts]) -> str:
    """Return the values at the end of each epoch as a table."""
    columns: list[tuple[str, dict[int, float]]] = []
    for run in runs:
        for key in (_LOSS, *(key for key, _ in _accuracies(run)), _RATE):
            if not run.curves.get(key):
                continue
            whose = f"{run.name}: " if len(runs) > 1 else ""
            name = {_LOSS: "loss", _RATE: "rate"}.get(key) or _words(key)
            columns.append((whose + name, _at_epochs(run.curves[key])))
    epochs = sorted({epoch for _, values in columns for epoch in values})
    rows = [[epoch, *(values.get(epoch) for _, values in columns)] for epoch in epochs]
    caption = "At the end of each epoch"
    inner = tall(table(["epoch", *(name for name, _ in columns)], rows, caption=caption), caption)
    return f"<details><summary>The values as a table</summary>{inner}</details>"


def _at_epochs(points: Points) -> dict[int, float]:
    """Return the last value of each epoch; epoch 1 ends at 1."""
    found: dict[int, float] = {}
    for epoch, value in points:
        found[max(int(-(-epoch // 1)), 1)] = value
    return found
