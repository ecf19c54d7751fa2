"""The curves of several runs: which charts there are, and their lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pyskl.reports.page.content import ReportedRun
from pyskl.reports.runs import Points, epoch_of

# Points per line; neighbours of longer ones are averaged.
_MAX_POINTS = 300

_METRIC_NAMES = {
    "mean_class_accuracy": "mean class accuracy",
    "mean_average_precision": "mean average precision",
    "lr": "learning rate",
}


class CurveChart(NamedTuple):
    """A chart over the epochs.

    Attributes:
        name: The name of its file, without suffix.
        title: Plain text.
        lines: The points (epoch, value) of each line, by its name.
    """

    name: str
    title: str
    lines: Mapping[str, Points]


def metric_name(name: str) -> str:
    """Return the name of a metric in words.

    Example:
        >>> metric_name('top5_acc')
        'top-5'
    """
    if name.startswith("top") and name.endswith("_acc"):
        return f"top-{name[3:-4]}"
    return _METRIC_NAMES.get(name, name.replace("_", " "))


def curve_charts(runs: Sequence[ReportedRun]) -> list[CurveChart]:
    """Return the charts that have points.

    One run has its metrics in one chart. Several runs have a chart for each metric, with a line
    for each run.
    """
    curves = {run.name: run.run.curves() for run in runs}

    def chart(name: str, title: str, key: tuple[str, str]) -> CurveChart:
        lines = {run: _thinned(own[key]) for run, own in curves.items() if key in own}
        return CurveChart(name, title, lines)

    metrics = [chart("curves_" + "_".join(key), curve_title(key), key) for key in metric_keys(runs)]
    if len(runs) == 1:
        lines = {one.title: points for one in metrics for points in one.lines.values()}
        metrics = [CurveChart("curves_accuracy", "Accuracy", lines)]
    loss = chart("curves_loss", "Training loss", ("train", "loss"))
    rate = chart("curves_rate", "Learning rate", ("train", "lr"))
    return [one for one in (loss, *metrics, rate) if one.lines]


def metric_keys(runs: Sequence[ReportedRun]) -> list[tuple[str, str]]:
    """Return the logged metrics of all runs, those of the validation first."""
    keys = dict.fromkeys(key for run in runs for key in run.run.curves())
    return [key for key in keys if key[0] == "val"] + [
        key for key in keys if key == ("train", "top1_acc")
    ]


def curve_title(key: tuple[str, str]) -> str:
    """Return the name of a curve in words, such as ``'Top-1, validation'``."""
    name = metric_name(key[1])
    where = "training batches" if key[0] == "train" else "validation"
    return f"{name[:1].upper()}{name[1:]}, {where}"


def epoch_table(runs: Sequence[ReportedRun]) -> tuple[list[str], list[list[float | None]]]:
    """Return the header and the rows of a table with the last value of each epoch."""
    header, columns = ["epoch"], []
    for run in runs:
        curves = run.run.curves()
        for key in (("train", "loss"), *metric_keys([run]), ("train", "lr")):
            if key in curves:
                short = {("train", "loss"): "loss", ("train", "lr"): "learning rate"}
                name = short.get(key) or curve_title(key)
                header.append(f"{run.name}: {name}" if len(runs) > 1 else name)
                columns.append({epoch_of(place): value for place, value in curves[key]})
    epochs = sorted({epoch for column in columns for epoch in column})
    return header, [[epoch, *(column.get(epoch) for column in columns)] for epoch in epochs]


def _thinned(points: Points) -> Points:
    """Return at most 300 points, each the mean of neighbours at the place of the last one."""
    size = -(-len(points) // _MAX_POINTS)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]
