"""A report as text for a terminal: the most important first, about one screen long."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from pyskl.health.fix import Change
from pyskl.health.kinds import SEVERITIES
from pyskl.health.report import Finding, HealthReport, Statistics

MAX_LINES = 60
"""Maximum number of lines of a report."""

_WIDTH = 100
_EXAMPLES = 3  # of a finding, or of a kind of change
_NAME_LENGTH = 60


def report_text(report: HealthReport) -> str:
    """Return a report as text of at most :data:`MAX_LINES` lines."""
    head = [printable(report.path)]
    for name, text in statistics_lines(report.statistics, report.bytes):
        head += _wrapped(printable(text), f"  {name:12}", max_lines=3)
    head += ["", summary_text(report) + (f" (against {report.config})" if report.config else "")]
    lines: list[str] = []
    # Explain as many findings as there is room for.
    for explained in (("error", "warning"), ("error",), ()):
        lines = list(head)
        for finding in report.findings:
            lines += _finding_lines(finding, explain=finding.severity in explained)
        if len(lines) <= MAX_LINES:
            break
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES - 1], "... the rest is in --html and --json"]
    return "\n".join(lines)


def summary_text(report: HealthReport) -> str:
    """Return the number of findings of each severity.

    Example:
        >>> summary_text(HealthReport('a.pkl', 0, None, Statistics(), []))
        'healthy: no errors, no warnings, no notes'
    """
    counts = [_count(report.count(severity), severity) for severity in SEVERITIES]
    return ("" if report.findings else "healthy: ") + ", ".join(counts)


def changes_text(changes: Sequence[Change]) -> str:
    """Return the changes of a cleaned copy, with some examples of each kind."""
    if not changes:
        return "nothing to change"
    by_kind: dict[str, list[Change]] = {}
    for change in changes:
        by_kind.setdefault(change.kind, []).append(change)
    lines = []
    for kind, some in by_kind.items():
        lines.append(f"{_count(len(some), 'change')} for {kind}")
        lines += [f"  {short_name(one.name)}: {printable(one.text)}" for one in some[:_EXAMPLES]]
        if len(some) > _EXAMPLES:
            lines.append("  ... (all of them in --json)")
    return "\n".join(lines)


def statistics_lines(statistics: Statistics, size: int) -> list[tuple[str, str]]:
    """Return the statistics of a data set in words: (name, text)."""
    counts = statistics.classes.get("", {})
    classes = "none"
    if counts:
        low, high = min(counts.values()), max(counts.values())
        each = f"{low}" if low == high else f"{low} to {high}"
        classes = f"{len(counts)}, labels {min(counts)} to {max(counts)}, {each} samples of each"
    splits = ", ".join(f"{name} {number}" for name, number in statistics.splits.items())
    lines = [
        ("samples", f"{statistics.samples} in {size / 2**20:.1f} MB"),
        ("splits", splits or "none"),
        ("classes", classes),
    ]
    if statistics.joints:
        shortest, middle, longest = statistics.frames
        scores = " with scores" if statistics.scores else ""
        dtypes = ", ".join(statistics.dtypes)
        persons = (f"{number} in {count} samples" for number, count in statistics.persons.items())
        lines += [
            ("frames", f"{shortest} to {longest}, {middle:g} in the median"),
            (
                "skeleton",
                f"{statistics.joints} joints, {statistics.coordinates} coordinates{scores}, "
                f"{dtypes}",
            ),
            ("persons", ", ".join(persons)),
        ]
    if statistics.axes:
        ranges = (f"{axis.name} {axis.low:.4g} to {axis.high:.4g}" for axis in statistics.axes)
        lines.append(("coordinates", ", ".join(ranges)))
    guesses = [("unit", statistics.unit), ("up", statistics.up)]
    return lines + [(name, text) for name, text in guesses if text]


def printable(text: str) -> str:
    """Return text with a question mark for each control character."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def short_name(name: str) -> str:
    """Return a name without control characters, shortened to fit on a line."""
    plain = printable(name)
    return plain if len(plain) <= _NAME_LENGTH else plain[: _NAME_LENGTH - 3] + "..."


def _finding_lines(finding: Finding, *, explain: bool) -> list[str]:
    about, items = finding.about, finding.items
    names = ", ".join(short_name(item.name) for item in items[:_EXAMPLES])
    if len(items) > _EXAMPLES:
        names += ", ..."
    if len(items) == 1 and items[0].detail:
        names += f" ({printable(items[0].detail)})"
    start = f"{about.severity:8}{len(items):>6}  "
    lines = _wrapped(f"{about.title}: {names}", start, max_lines=2)
    if about.key in ("config_errors", "config_refused"):  # the names are whole messages
        lines = [f"{start}{about.title}:"]
        for item in items[:_EXAMPLES]:
            lines += _wrapped(printable(item.name), " " * len(start))
        lines += [" " * len(start) + "..."] * (len(items) > _EXAMPLES)
    if explain:
        lines += _wrapped(f"{about.meaning} {about.remedy}", " " * 16)
    return lines


def _wrapped(text: str, start: str, *, max_lines: int | None = None) -> list[str]:
    """Return lines that begin with ``start``, the following ones with as many blanks."""
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        max_lines=max_lines,
        placeholder=" ...",
    )


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'s' * (number != 1)}"
