"""The charts and clips of a report as files, for papers and slides."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Literal

from PIL import Image

from pyskl.drawing.skeleton.picture import PictureStyle, save_figure, strip_figure
from pyskl.drawing.skeleton.scene import Scene, guess_up, make_scene
from pyskl.reports.page.classes import classes_chart
from pyskl.reports.page.confusion import confusion_chart
from pyskl.reports.page.curves import curve_charts
from pyskl.reports.page.facts import ReportFacts
from pyskl.reports.page.gallery import captioned
from pyskl.reports.page.parts import Chart
from pyskl.reports.page.reliability_diagram import calibration_chart
from pyskl.reports.page.standalone import painted, standalone, svg_file

PictureKind = Literal["png", "svg"]

_HEIGHT = 160  # of a skeleton in a strip, pixels


def report_pictures(
    facts: ReportFacts, kind: PictureKind, *, dark: bool = False
) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file.

    Args:
        facts: What is drawn.
        kind: ``'png'`` or ``'svg'``.
        dark: Whether on a dark ground.

    Example:
        >>> names = [name for name, _ in report_pictures(facts, 'svg')]  # doctest: +SKIP
        ['curves_loss.svg', ..., 'confusion.svg', 'gallery/mistake_01.svg', ...]
    """
    for chart in report_charts(facts):
        picture = standalone(chart.svg, dark=dark)
        content = svg_file(picture).encode() if kind == "svg" else _png(painted(picture))
        yield f"{chart.name}.{kind}", content
    style = PictureStyle(size=_HEIGHT, dark=dark)
    for name, scene in _scenes(facts):
        file = io.BytesIO()
        save_figure(strip_figure([scene], style), file, kind)
        yield f"gallery/{name}.{kind}", file.getvalue()


def report_charts(facts: ReportFacts) -> list[Chart]:
    """Return all charts."""
    charts = curve_charts(facts.runs)
    found = facts.predictions
    if found is not None:
        charts += [
            classes_chart(found),
            confusion_chart(found),
            calibration_chart(found.reliability),
        ]
    return charts


def _scenes(facts: ReportFacts) -> Iterator[tuple[str, Scene]]:
    """Yield the examples before the camera, all of them with the same axis upward."""
    found, layout = facts.predictions, facts.layout
    if found is None or layout is None:
        return
    clips = [captioned(example, found) for example in facts.examples]
    in_depth = [clip.keypoint for clip in clips if clip.keypoint.shape[-1] == 3]
    up = guess_up(in_depth, layout) if layout.dim == 3 and in_depth else None
    numbers = {"mistake": 0, "hit": 0}
    for example, clip in zip(facts.examples, clips):
        numbers[example.kind] += 1
        yield f"{example.kind}_{numbers[example.kind]:02}", make_scene(clip, layout, up=up)


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()
