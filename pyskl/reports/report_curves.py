"""The curves of a run, as its log has them."""

from __future__ import annotations

from typing import Any

from pyskl.reports.runs import Run

Points = list[tuple[float, float]]

# Points of a curve; of longer logs neighbouring lines are averaged.
_POINTS = 300

_FROM_TRAINING = ("loss", "top1_acc", "lr")

# What lines of validation have besides figures.
_NO_FIGURES = ("epoch", "iter", "lr", "time", "data_time", "memory")


def curves_of(run: Run) -> dict[tuple[str, str], Points]:
    """Return the curves of a run by mode and figure, such as ``('train', 'loss')``.

    Points are (epoch, value): the end of the first epoch is 1. Training has one for each line of
    the log, or for several where there are many; validation one for each.
    """
    lines = [line for line in run.lines if _is_number(line.get("epoch"))]
    steps = [
        line["iter"]
        for line in lines
        if line.get("mode") == "train" and _is_number(line.get("iter"))
    ]
    per_epoch = max(steps, default=0)
    found: dict[tuple[str, str], Points] = {}
    for line in lines:
        mode, epoch = line.get("mode"), float(line["epoch"])
        if mode == "train" and per_epoch and _is_number(line.get("iter")):
            at, names = epoch - 1 + float(line["iter"]) / per_epoch, list(_FROM_TRAINING)
        elif mode == "val":
            at, names = epoch, [name for name in line if name not in _NO_FIGURES]
        else:
            continue
        for name in names:
            if _is_number(line.get(name)):
                found.setdefault((mode, name), []).append((at, float(line[name])))
    return {key: _thinned(points) for key, points in found.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _thinned(points: Points) -> Points:
    """Return points of which neighbours are averaged where there are many; they end alike."""
    size = -(-len(points) // _POINTS)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]
