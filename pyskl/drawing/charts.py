"""Charts as SVG, for pages and as pictures of their own.

Colours come from the page's roles (``page.css``), so a chart follows light and dark. Each has a
title that a screen reader reads, and its values as tooltips.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

SERIES_COLOURS = ("var(--accent)", "var(--right)", "var(--good)", "var(--warn)", "var(--bad)")
"""Of the series of a chart, in order; after the last the first comes again, in lines as dashes."""

_LEFT, _BOTTOM, _TOP, _RIGHT = 52, 34, 10, 12


def bar_chart(
    labels: Sequence[str],
    values: Sequence[float],
    *,
    title: str,
    width: int = 560,
    unit: str = "",
) -> str:
    """Return horizontal bars, one a line, each with its label and value.

    Args:
        labels: Of the bars.
        values: Their lengths; not negative.
        title: What the chart shows, for screen readers.
        width: Pixels.
        unit: Written behind each value.
    """
    line, margin = 18, 12 + 6.2 * max((len(label) for label in labels), default=0)
    room = max(width - margin - 70, 60)
    greatest = max([*values, 0]) or 1
    rows = []
    for index, (label, value) in enumerate(zip(labels, values)):
        middle, length = index * line + 9, room * value / greatest
        rows.append(
            f'<text x="{margin - 6:.0f}" y="{middle + 4}" text-anchor="end">{escape(label)}</text>'
            f'<rect class="bar" x="{margin:.0f}" y="{middle - 6}" width="{length:.1f}" height="12">'
            f"<title>{escape(label)}: {short(value)}{unit}</title></rect>"
            f'<text x="{margin + length + 5:.1f}" y="{middle + 4}">{short(value)}{unit}</text>'
        )
    return chart_svg(width, len(labels) * line, title, "".join(rows))


def grouped_bars(
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    title: str,
    width: int = 560,
) -> str:
    """Return horizontal bars, one of each series beside a label, with a legend above.

    Args:
        labels: Of the groups of bars.
        series: The lengths of the bars of each series, one for a label; not negative.
        title: What the chart shows, for screen readers.
        width: Pixels.
    """
    bar, gap = (12, 6) if len(series) == 1 else (8, 8)
    margin = 12 + 6.2 * max((len(label) for label in labels), default=0)
    room = max(width - margin - 50, 60)
    greatest = max((value for values in series.values() for value in values), default=0) or 1
    top, group = 18 * len(series), bar * len(series) + gap
    parts = []
    for number, (name, values) in enumerate(series.items()):
        colour = SERIES_COLOURS[number % len(SERIES_COLOURS)]
        parts.append(
            f'<rect x="{margin:.0f}" y="{18 * number + 3}" width="10" height="10" '
            f'style="fill:{colour}"/>'
            f'<text x="{margin + 16:.0f}" y="{18 * number + 12}">{escape(name)}</text>'
        )
        for index, (label, value) in enumerate(zip(labels, values)):
            y, length = top + index * group + number * bar + gap / 2, room * value / greatest
            parts.append(
                f'<rect x="{margin:.0f}" y="{y:.1f}" width="{length:.1f}" height="{bar - 1}" '
                f'style="fill:{colour}"><title>{escape(label)}, {escape(name)}: {short(value)}'
                f"</title></rect>"
            )
            if value:
                parts.append(
                    f'<text class="small" x="{margin + length + 4:.1f}" y="{y + bar - 1:.1f}">'
                    f"{short(value)}</text>"
                )
    for index, label in enumerate(labels):
        middle = top + (index + 0.5) * group + 4
        parts.append(
            f'<text x="{margin - 6:.0f}" y="{middle:.1f}" text-anchor="end">{escape(label)}</text>'
        )
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
    """Return upright bars over an axis of numbers.

    Args:
        edges: Of the bins, one more than counts.
        counts: In each bin.
        title: What the chart shows, for screen readers.
        label: Of the axis, with its unit.
        width: Pixels.
        height: Pixels.
    """
    x, y = _scales(edges[0], edges[-1], 0, max([*counts, 1]), width, height)
    bars = []
    for low, high, count in zip(edges, edges[1:], counts):
        bars.append(
            f'<rect class="bar" x="{x(low) + 0.5:.1f}" y="{y(count):.1f}" '
            f'width="{max(x(high) - x(low) - 1, 0.5):.1f}" height="{y(0) - y(count):.1f}">'
            f"<title>{short(low)} to {short(high)}: {count}</title></rect>"
        )
    axes = _axes(edges[0], edges[-1], 0, max([*counts, 1]), width, height, label)
    return chart_svg(width, height, title, axes + "".join(bars))


def line_chart(
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    title: str,
    label: str,
    width: int = 460,
    height: int = 240,
) -> str:
    """Return lines over an axis of numbers, with a legend where there are several.

    Args:
        series: The points (x, y) of each line, by its name; values that are not finite are left
            out.
        title: What the chart shows, for screen readers.
        label: Of the axis, with its unit.
        width: Pixels.
        height: Pixels.
    """
    kept = {
        name: [point for point in points if all(map(math.isfinite, point))]
        for name, points in series.items()
    }
    points = [point for line in kept.values() for point in line] or [(0.0, 0.0)]
    left, right = min(point[0] for point in points), max(point[0] for point in points)
    low, high = min(point[1] for point in points), max(point[1] for point in points)
    legend_height = 16 * len(kept) if len(kept) > 1 else 0
    x, y = _scales(left, right, low, high, width, height)
    drawn = [_axes(left, right, low, high, width, height, label)]
    for index, (name, line) in enumerate(kept.items()):
        colour = SERIES_COLOURS[index % len(SERIES_COLOURS)]
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in line)
        turn = index // len(SERIES_COLOURS)
        dashes = f";stroke-dasharray:{max(6 // turn, 1)} 3" if turn else ""
        drawn.append(
            f'<polyline class="series" style="stroke:{colour}{dashes}" points="{path}">'
            f"<title>{escape(name)}</title></polyline>"
        )
        if len(line) == 1:
            drawn.append(
                f'<circle cx="{x(line[0][0]):.1f}" cy="{y(line[0][1]):.1f}" r="3" '
                f'style="fill:{colour}"/>'
            )
        if legend_height:
            row = height + 16 * index + 8
            drawn.append(
                f'<line x1="{_LEFT}" x2="{_LEFT + 18}" y1="{row}" y2="{row}" '
                f'style="stroke:{colour};stroke-width:3{dashes}"/>'
                f'<text x="{_LEFT + 24}" y="{row + 4}">{escape(name)}</text>'
            )
    return chart_svg(width, height + legend_height, title, "".join(drawn))


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round numbers from ``low`` to ``high``, about ``most`` of them.

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
    """Return a number in at most four digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _scales(
    left: float, right: float, low: float, high: float, width: int, height: int
) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """Return the functions from values to pixels."""
    wide, tall = (right - left) or 1, (high - low) or 1
    return (
        lambda value: _LEFT + (value - left) / wide * (width - _LEFT - _RIGHT),
        lambda value: height - _BOTTOM - (value - low) / tall * (height - _BOTTOM - _TOP),
    )


def _axes(
    left: float, right: float, low: float, high: float, width: int, height: int, label: str
) -> str:
    x, y = _scales(left, right, low, high, width, height)
    parts = [
        f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{short(value)}</text>'
        f'<line class="axis" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{y(value):.1f}" '
        f'y2="{y(value):.1f}"/>'
        for value in ticks(low, high)
    ]
    parts += [
        f'<text x="{x(value):.1f}" y="{height - _BOTTOM + 14}" text-anchor="middle">'
        f"{short(value)}</text>"
        for value in ticks(left, right)
    ]
    middle = (_LEFT + width - _RIGHT) / 2
    parts.append(
        f'<text x="{middle:.0f}" y="{height - 4}" text-anchor="middle">{escape(label)}</text>'
    )
    return "".join(parts)


def chart_svg(width: int, height: int, title: str, content: str) -> str:
    """Return SVG elements as a chart, for the page's colours and for screen readers.

    Args:
        width: Pixels.
        height: Pixels.
        title: What the chart shows.
        content: The elements.
    """
    return (
        f'<svg class="chart" role="img" xmlns="http://www.w3.org/2000/svg" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}"><title>{escape(title)}</title>'
        f"{content}</svg>"
    )
