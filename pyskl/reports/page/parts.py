"""Pieces of HTML that several sections use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from pyskl.drawing.page import Cell


@dataclass(frozen=True)
class Chart:
    """A chart, for a page or for a file of its own.

    Attributes:
        name: Of the file, without its ending.
        title: Plain text.
        svg: As :mod:`pyskl.drawing.charts` makes it.
    """

    name: str
    title: str
    svg: str


def figure(chart: Chart) -> str:
    """Return a chart with its title above it."""
    return f"<figure><figcaption>{escape(chart.title)}</figcaption>{chart.svg}</figure>"


def row(charts: Iterable[Chart]) -> str:
    """Return charts side by side, as far as there is room."""
    return f'<div class="row">{"".join(map(figure, charts))}</div>'


def tall(content: str, label: str) -> str:
    """Return content that scrolls by itself, with a name for those who reach it by the keyboard."""
    return (
        f'<div class="tall" tabindex="0" role="region" aria-label="{escape(label)}">{content}</div>'
    )


def percent(share: float | None) -> Cell | None:
    """Return a cell that shows a share in percent; None of None or nan."""
    if share is None or share != share:
        return None
    return Cell(f"{100 * share:.1f} %", float(share))


def share_bar(share: float | None) -> Cell | None:
    """Return a cell with a share as a bar and in percent; None of None or nan."""
    found = percent(share)
    if found is None:
        return None
    width = 100 * float(found.value)
    bar = f'<span class="share" aria-hidden="true"><span style="width:{width:.1f}%"></span></span>'
    return Cell(f'<span class="together">{bar}{found.html}</span>', found.value)
