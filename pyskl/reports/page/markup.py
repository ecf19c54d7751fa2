"""Pieces of HTML that several sections share."""

from __future__ import annotations

from html import escape

from pyskl.drawing.page import Cell


def scrolling(content: str, label: str) -> str:
    """Return content that scrolls on its own and can be focused and named by a screen reader."""
    return (
        f'<div class="tall" tabindex="0" role="region" aria-label="{escape(label)}">{content}</div>'
    )


def percent(share: float | None) -> Cell | None:
    """Return a cell with a share in percent; None for None or NaN."""
    if share is None or share != share:
        return None
    return Cell(f"{100 * share:.1f} %", float(share))
