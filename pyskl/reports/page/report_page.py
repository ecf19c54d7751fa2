"""The report as one page."""

from __future__ import annotations

from typing import Any

from pyskl.drawing.page import Section, asset, page
from pyskl.reports.page import classes, confusion, curves, gallery, reliability_diagram, summary
from pyskl.reports.page.facts import ReportFacts


def report_page(facts: ReportFacts) -> str:
    """Return a report as a self-contained HTML page.

    Args:
        facts: What it shows. Names of runs, classes and samples are plain text.

    Raises:
        InputError: if clips and layout do not fit.
    """
    sections: list[Section | None] = [
        summary.summary_section(facts),
        summary.config_section(facts),
        curves.curves_section(facts.runs),
        classes.classes_section(facts),
        confusion.confusion_section(facts),
        reliability_diagram.calibration_section(facts),
        gallery.gallery_section(facts),
    ]
    scripts: list[str] = []
    styles = [asset("report/report.css")]
    data: dict[str, Any] = {}
    players = gallery.gallery_players(facts)
    if players is not None:
        scripts += players.scripts
        styles += players.styles
        data.update(players.data)
    if facts.predictions is not None:
        scripts += [asset("report/confusion.js"), asset("report/gallery.js")]
        data[confusion.DATA] = confusion.confusion_data(facts.predictions)
        data[gallery.DATA] = gallery.gallery_data(facts.predictions)
    return page(
        facts.title,
        [section for section in sections if section is not None],
        scripts=scripts,
        styles=styles,
        data=data,
    )
