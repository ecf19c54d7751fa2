"""A report as text for a terminal: what matters first, and no longer than a screen or two."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from pyskl.health.kinds import KINDS
from pyskl.health.repair import Change
from pyskl.health.report import Facts, Finding, HealthReport

LINES = 60
"""The most lines of a report."""

_WIDTH = 100
_NAMES = 3  # that a finding, or a kind of change, shows
_NAME_LENGTH = 60


def report_text(report: HealthReport) -> str:
    """Return a report as text of at most :data:`LINES` lines."""
    lines: list[str] = []
    # Explain as much as there is room for: at best warnings, too, at worst nothing.
    for explained in (("error", "warning"), ("error",), ()):
        lines = [*_head(report), "", *_findings(report, explained)]
        if len(lines) <= LINES:
            break
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], "... the rest is in --html and --json"]
    return "\n".join(lines)


def summary_text(report: HealthReport) -> str:
    """Return how many findings of which severity there are.

    Example:
        >>> summary_text(HealthReport('a.pkl', 0, None, Facts(), []))
        'healthy: no errors, no warnings, no notes'
    """
    counts = [_count(report.count(severity), severity) for severity in ("error", "warning", "note")]
    return ("" if report.findings else "healthy: ") + ", ".join(counts)


def changes_text(changes: Sequence[Change]) -> str:
    """Return what a cleaned copy has otherwise than the file, with some examples of each kind."""
    if not changes:
        return "nothing to change"
    by_kind: dict[str, list[Change]] = {}
    for change in changes:
        by_kind.setdefault(change.kind, []).append(change)
    lines = []
    for kind, found in by_kind.items():
        lines.append(f"{_count(len(found), 'change')} for {kind}")
        lines += [f"  {shown(change.name)}: {printable(change.text)}" for change in found[:_NAMES]]
        if len(found) > _NAMES:
            lines.append("  ... (all of them in --json)")
    return "\n".join(lines)


def shown(name: str) -> str:
    """Return a name so that a terminal shows it on one line and obeys nothing in it."""
    plain = printable(name)
    return plain if len(plain) <= _NAME_LENGTH else plain[: _NAME_LENGTH - 3] + "..."


def facts_lines(facts: Facts, size: int) -> list[tuple[str, str]]:
    """Return the figures of a data set in words, each with its name."""
    persons = ", ".join(f"{n} in {count} samples" for n, count in facts.persons.items())
    lines = [
        ("samples", f"{facts.samples} in {size / 2**20:.1f} MB"),
        ("splits", ", ".join(f"{name} {n}" for name, n in facts.splits.items()) or "none"),
        ("classes", _classes(facts)),
    ]
    if facts.joints:
        low, middle, high = facts.frames
        dtypes = ", ".join(facts.dtypes)
        lines += [
            ("frames", f"{low} to {high}, {middle:g} in the median"),
            ("skeleton", f"{facts.joints} joints, {_dimensions(facts)}, {dtypes}"),
            ("persons", persons),
        ]
    if facts.axes:
        ranges = ", ".join(f"{a.name} {a.low:.4g} to {a.high:.4g}" for a in facts.axes)
        lines.append(("coordinates", ranges))
    lines += [(name, text) for name, text in (("unit", facts.unit), ("up", facts.up)) if text]
    return lines


def _head(report: HealthReport) -> list[str]:
    lines = [printable(report.path)]
    for name, text in facts_lines(report.facts, report.bytes):
        lines += textwrap.wrap(
            printable(text),
            _WIDTH,
            initial_indent=f"  {name:12}",
            subsequent_indent=" " * 14,
            max_lines=3,
            placeholder=" ...",
        )
    return lines


def printable(text: str) -> str:
    """Return text with a question mark for each letter that a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _findings(report: HealthReport, explained: Sequence[str]) -> list[str]:
    lines = [summary_text(report) + (f" (against {report.config})" if report.config else "")]
    for finding in report.findings:
        lines += _finding(finding, explained=finding.severity in explained)
    return lines


def _finding(finding: Finding, *, explained: bool) -> list[str]:
    about = KINDS[finding.kind]
    names = ", ".join(shown(item.name) for item in finding.items[:_NAMES])
    more = ", ..." if len(finding.items) > _NAMES else ""
    first = finding.items[0]
    if len(finding.items) == 1 and first.detail:
        names, more = f"{shown(first.name)} ({printable(first.detail)})", ""
    lines = textwrap.wrap(
        f"{about.title}: {names}{more}",
        _WIDTH,
        initial_indent=f"{about.severity:8}{len(finding.items):>6}  ",
        subsequent_indent=" " * 16,
        max_lines=2,
        placeholder=" ...",
    )
    if explained:
        lines += textwrap.wrap(
            f"{about.meaning} {about.remedy}",
            _WIDTH,
            initial_indent=" " * 16,
            subsequent_indent=" " * 16,
        )
    return lines


def _classes(facts: Facts) -> str:
    counts = facts.classes.get("", {})
    if not counts:
        return "none"
    low, high = min(counts.values()), max(counts.values())
    each = f"{low}" if low == high else f"{low} to {high}"
    return f"{len(counts)}, labels {min(counts)} to {max(counts)}, {each} samples of each"


def _dimensions(facts: Facts) -> str:
    scores = " with scores" if facts.scores else ""
    return f"{facts.coordinates} coordinates{scores}"


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'s' * (number != 1)}"
