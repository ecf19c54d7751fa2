"""Pieces of HTML that several sections share."""

from __future__ import annotations

from html import escape

from pyskl.drawing.page import Cell


def scrolling(content: str, label: str) -> str:
    """Return content in a scrolling box with keyboard focus and a label for screen readers."""
    return (
        f'<div class="tall" tabindex="0" role="region" aria-label="{escape(label)}">{content}</div>'
    )


def percent(share: float | None) -> Cell | None:
    """Return a cell with a share in percent; None for None or NaN."""
    if share is None or share != share:
        return None
    return Cell(f"{100 * share:.1f} %", float(share))
