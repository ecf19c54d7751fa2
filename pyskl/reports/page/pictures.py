"""The charts and skeletons of a report as picture files, for papers and slides."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Literal

import numpy as np
from matplotlib import style
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from pyskl.drawing.skeleton.picture import PictureStyle, save_figure, strip_figure
from pyskl.drawing.skeleton.scene import guess_up, make_scene
from pyskl.reports.page.confusion import clustered
from pyskl.reports.page.content import Predictions, ReportContent
from pyskl.reports.page.curves import CurveChart, curve_charts
from pyskl.reports.page.gallery import captioned
from pyskl.reports.page.report_page import classes_by_accuracy

PictureKind = Literal["png", "svg"]

_SKELETON_HEIGHT = 160  # pixels
_MAX_NAME_LENGTH = 30
_MAX_NUMBERED = 40  # classes of a matrix whose cells have room for numbers
_RIGHT, _WRONG = "tab:blue", "tab:red"


def report_pictures(
    report: ReportContent, kind: PictureKind, *, dark: bool = False
) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file.

    Args:
        report: What is drawn.
        kind: ``'png'`` or ``'svg'``.
        dark: Draw on a dark background.

    Example:
        >>> names = [name for name, _ in report_pictures(report, 'svg')]  # doctest: +SKIP
        ['curves_loss.svg', ..., 'confusion.svg', 'gallery/mistake_01.svg', ...]
    """
    # Class names are not formulas, and text in SVG files stays text.
    options = {"text.parse_math": False, "svg.fonttype": "none", "savefig.dpi": 150}
    with style.context(["dark_background" if dark else "default", options]):
        charts = [(name, _saved(figure, kind)) for name, figure in _charts(report)]
    for name, content in charts:
        yield f"{name}.{kind}", content
    for name, content in _skeletons(report, kind, dark=dark):
        yield f"gallery/{name}.{kind}", content


def _saved(figure: Figure, kind: PictureKind) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format=kind, bbox_inches="tight")
    return file.getvalue()


def _charts(report: ReportContent) -> Iterator[tuple[str, Figure]]:
    for chart in curve_charts(report.runs):
        yield chart.name, _curves(chart)
    if report.predictions is not None:
        yield "classes", _classes(report.predictions)
        yield "confusion", _confusion(report.predictions)
        yield "calibration", _calibration(report.predictions)


def _curves(chart: CurveChart) -> Figure:
    figure = Figure(figsize=(6, 4))
    axes = figure.add_subplot(title=chart.title, xlabel="epoch")
    for name, points in chart.lines.items():
        axes.plot(*zip(*points), label=name, marker="o" if len(points) == 1 else None)
    if len(chart.lines) > 1:
        axes.legend()
    return figure


def _classes(found: Predictions) -> Figure:
    order = classes_by_accuracy(found)
    figure = Figure(figsize=(7, 1 + 0.2 * len(order)))
    axes = figure.add_subplot(title="Accuracy by class", xlabel="%", xlim=(0, 110))
    bars = axes.barh(range(len(order)), 100 * found.class_accuracy[order], color=_RIGHT)
    axes.bar_label(bars, fmt="%.1f", padding=3, fontsize="small")
    axes.set_yticks(range(len(order)), [_shortened(found.class_names[label]) for label in order])
    axes.invert_yaxis()
    axes.margins(y=0.01)
    return figure


def _confusion(found: Predictions) -> Figure:
    order = clustered(found.counts)
    counts = found.counts[np.ix_(order, order)]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    colours = np.empty((*counts.shape, 4))
    colours[..., :3] = to_rgb(_WRONG)
    np.einsum("iic->ic", colours)[:, :3] = to_rgb(_RIGHT)
    # The square root makes cells of few samples visible.
    colours[..., 3] = np.where(counts > 0, 0.08 + 0.92 * np.sqrt(shares), 0)
    size = len(order)
    side = min(2 + 0.35 * size, 16)
    figure = Figure(figsize=(side, side))
    axes = figure.add_subplot(
        title="Confusion matrix",
        xlabel="predicted class",
        ylabel="true class",
    )
    axes.imshow(colours)
    every = -(-size // 120)
    places = range(0, size, every)
    font = 8 if size <= _MAX_NUMBERED else 6
    axes.set_yticks(places, [_shortened(found.class_names[order[at]]) for at in places], size=font)
    axes.set_xticks(places, [str(order[at]) for at in places], size=font, rotation=90)
    if size <= _MAX_NUMBERED:
        for row, column in np.argwhere(counts).tolist():
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", size=font)
    return figure


def _calibration(found: Predictions) -> Figure:
    diagram = found.reliability
    figure = Figure(figsize=(5, 6.5))
    upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    upper.plot(diagram.confidence, diagram.accuracy, "o-", label="this model")
    upper.plot([0, 1], [0, 1], "--", color="gray", label="perfectly calibrated")
    upper.set(title="Accuracy by confidence", ylabel="accuracy")
    upper.legend()
    lower.stairs(diagram.counts, diagram.edges, fill=True, color="gray")
    lower.set(xlabel="confidence", ylabel="samples", xlim=(0, 1))
    return figure


def _shortened(name: str) -> str:
    return name if len(name) <= _MAX_NAME_LENGTH else f"{name[: _MAX_NAME_LENGTH - 1]}…"


def _skeletons(
    report: ReportContent, kind: PictureKind, *, dark: bool
) -> Iterator[tuple[str, bytes]]:
    """Yield strips of frames of the gallery's samples, all with the same axis upward."""
    found, layout = report.predictions, report.layout
    if found is None or layout is None:
        return
    clips = [captioned(sample, found) for sample in report.gallery]
    spatial = [clip.keypoint for clip in clips if clip.keypoint.shape[-1] == 3]
    up = guess_up(spatial, layout) if layout.dim == 3 and spatial else None
    look = PictureStyle(size=_SKELETON_HEIGHT, dark=dark)
    numbers = {"mistake": 0, "hit": 0}
    for sample, clip in zip(report.gallery, clips):
        numbers[sample.kind] += 1
        file = io.BytesIO()
        save_figure(strip_figure([make_scene(clip, layout, up=up)], look), file, kind)
        yield f"{sample.kind}_{numbers[sample.kind]:02}", file.getvalue()
