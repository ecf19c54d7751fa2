"""Charts as SVG elements, for pages and as files.

Colours are the CSS variables of ``page.css``, so charts follow the light or dark theme. Each has a
title for screen readers, and its values as tooltips.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

SERIES_COLOURS = ("var(--accent)", "var(--right)", "var(--good)", "var(--warn)", "var(--bad)")
"""Colours of the series of a chart, in order. Further lines repeat them with dashes."""

_LEFT, _BOTTOM, _TOP, _RIGHT = 52, 34, 10, 12  # margins of charts with axes


def bar_chart(
    labels: Sequence[str],
    values: Sequence[float],
    *,
    title: str,
    width: int = 560,
    unit: str = "",
) -> str:
    """Return horizontal bars, one in each row, with labels and values.

    Args:
        labels: Labels of the bars.
        values: Their lengths, not negative.
        title: What the chart shows, for screen readers.
        width: Pixels.
        unit: Written after each value.
    """
    return _bars(labels, {"": values}, title, width, unit)


def grouped_bars(
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    title: str,
    width: int = 560,
) -> str:
    """Return horizontal bars, one of each series at each label, with a legend.

    Args:
        labels: Labels of the groups of bars.
        series: Lengths of the bars of each series, one for each label, not negative.
        title: What the chart shows, for screen readers.
        width: Pixels.
    """
    return _bars(labels, series, title, width)


def _bars(
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    title: str,
    width: int,
    unit: str = "",
) -> str:
    bar, gap = (12, 6) if len(series) == 1 else (8, 8)
    margin = 12 + 6.2 * max((len(label) for label in labels), default=0)
    room = max(width - margin - 70, 60)
    greatest = max((value for values in series.values() for value in values), default=0) or 1
    names = [name for name in series if name]
    top, group = 18 * len(names), bar * len(series) + gap
    parts = []
    for row, name in enumerate(names):
        colour = SERIES_COLOURS[row % len(SERIES_COLOURS)]
        parts.append(
            f'<rect x="{margin:.0f}" y="{18 * row + 3}" width="10" height="10" '
            f'style="fill:{colour}"/>' + _text(margin + 16, 18 * row + 12, name)
        )
    for number, (name, values) in enumerate(series.items()):
        colour = SERIES_COLOURS[number % len(SERIES_COLOURS)]
        small = "small" if len(series) > 1 else ""
        for index, (label, value) in enumerate(zip(labels, values)):
            y, length = top + index * group + number * bar + gap / 2, room * value / greatest
            text = f"{short(value)}{unit}"
            tooltip = ", ".join(part for part in (label, name) if part)
            parts.append(
                f'<rect x="{margin:.0f}" y="{y:.1f}" width="{length:.1f}" height="{bar - 1}" '
                f'style="fill:{colour}"><title>{escape(tooltip)}: {text}</title></rect>'
                + (
                    _text(margin + length + 4, y + bar - 1, text, kind=small)
                    if value or not small
                    else ""
                )
            )
    for index, label in enumerate(labels):
        middle = top + (index + 0.5) * group + 4
        parts.append(_text(margin - 6, middle, label, anchor="end"))
    return chart_svg(width, top + len(labels) * group, title, "".join(parts))


def histogram(
    edges: Sequence[float],
    counts: Sequence[int],
    *,
    title: str,
    label: str,
    width: int = 420,
    height: int = 200,
) -> str:
    """Return vertical bars over a numeric axis.

    Args:
        edges: Bin edges, one more than counts.
        counts: Counts in each bin.
        title: What the chart shows, for screen readers.
        label: Label of the axis, with its unit.
        width: Pixels.
        height: Pixels.
    """
    axes = _Axes((edges[0], edges[-1]), (0, max([*counts, 1])), width, height)
    x, y = axes.x, axes.y
    bars = [
        f'<rect class="bar" x="{x(low) + 0.5:.1f}" y="{y(count):.1f}" '
        f'width="{max(x(high) - x(low) - 1, 0.5):.1f}" height="{y(0) - y(count):.1f}">'
        f"<title>{short(low)} to {short(high)}: {count}</title></rect>"
        for low, high, count in zip(edges, edges[1:], counts)
    ]
    return chart_svg(width, height, title, axes.svg(label) + "".join(bars))


def line_chart(
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    title: str,
    label: str,
    width: int = 460,
    height: int = 240,
) -> str:
    """Return lines over a numeric axis, with a legend if there are several.

    Args:
        series: Points (x, y) of each line, by its name. Points that are not finite are left out.
        title: What the chart shows, for screen readers.
        label: Label of the axis, with its unit.
        width: Pixels.
        height: Pixels.
    """
    lines = {
        name: [point for point in points if all(map(math.isfinite, point))]
        for name, points in series.items()
    }
    xs, ys = zip(*([point for line in lines.values() for point in line] or [(0.0, 0.0)]))
    axes = _Axes((min(xs), max(xs)), (min(ys), max(ys)), width, height)
    legend_height = 16 * len(lines) if len(lines) > 1 else 0
    parts = [axes.svg(label)]
    for index, (name, line) in enumerate(lines.items()):
        turn, number = divmod(index, len(SERIES_COLOURS))
        colour = SERIES_COLOURS[number]
        dashes = f";stroke-dasharray:{max(6 // turn, 1)} 3" if turn else ""
        points = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in line)
        parts.append(
            f'<polyline class="series" style="stroke:{colour}{dashes}" points="{points}">'
            f"<title>{escape(name)}</title></polyline>"
        )
        if len(line) == 1:
            cx, cy = points.split(",")
            parts.append(f'<circle cx="{cx}" cy="{cy}" r="3" style="fill:{colour}"/>')
        if legend_height:
            row = height + 16 * index + 8
            parts.append(
                f'<line x1="{_LEFT}" x2="{_LEFT + 18}" y1="{row}" y2="{row}" '
                f'style="stroke:{colour};stroke-width:3{dashes}"/>'
                + _text(_LEFT + 24, row + 4, name)
            )
    return chart_svg(width, height + legend_height, title, "".join(parts))


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return about ``most`` round numbers from ``low`` to ``high``.

    Example:
        >>> ticks(0, 100)
        [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    """
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda size: abs(size - rough))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def short(value: float) -> str:
    """Return a number with at most four digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def chart_svg(width: int, height: int, title: str, content: str) -> str:
    """Return SVG elements as a chart.

    Args:
        width: Pixels.
        height: Pixels.
        title: What the chart shows, for screen readers.
        content: The elements.
    """
    return (
        f'<svg class="chart" role="img" xmlns="http://www.w3.org/2000/svg" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}"><title>{escape(title)}</title>'
        f"{content}</svg>"
    )


class _Axes:
    """Numeric axes with ticks; ``x`` and ``y`` map values to pixels."""

    def __init__(
        self, xlim: tuple[float, float], ylim: tuple[float, float], width: int, height: int
    ) -> None:
        self.xlim, self.ylim = xlim, ylim
        self.width, self.height = width, height

    def x(self, value: float) -> float:
        low, high = self.xlim
        return _LEFT + (value - low) / ((high - low) or 1) * (self.width - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        low, high = self.ylim
        room = self.height - _BOTTOM - _TOP
        return self.height - _BOTTOM - (value - low) / ((high - low) or 1) * room

    def svg(self, label: str) -> str:
        """Return the grid lines, the ticks and the label of the horizontal axis."""
        end = self.width - _RIGHT
        parts = [_text((_LEFT + end) / 2, self.height - 4, label, anchor="middle")]
        for value in ticks(*self.ylim):
            y = self.y(value)
            parts.append(_text(_LEFT - 6, y + 4, short(value), anchor="end"))
            parts.append(f'<line class="axis" x1="{_LEFT}" x2="{end}" y1="{y:.1f}" y2="{y:.1f}"/>')
        for value in ticks(*self.xlim):
            x, y = self.x(value), self.height - _BOTTOM + 14
            parts.append(_text(x, y, short(value), anchor="middle"))
        return "".join(parts)


def _text(x: float, y: float, text: str, *, anchor: str = "start", kind: str = "") -> str:
    kind = f'class="{kind}" ' if kind else ""
    return f'<text {kind}x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
