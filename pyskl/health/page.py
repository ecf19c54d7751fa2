"""A health report as a page: findings first, then the statistics as charts and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from pyskl.drawing.charts import bar_chart, grouped_bars, histogram
from pyskl.drawing.page import Cell, Section, page, table
from pyskl.health.fix import Change
from pyskl.health.kinds import SEVERITIES
from pyskl.health.report import Finding, HealthReport, Statistics
from pyskl.health.splits import ALL, pairs_by_name
from pyskl.health.text import statistics_lines, summary_text

# Maximum number of ids, groups or changes in a table; the JSON has them all.
_LISTED = 100

_COLOURS: Mapping[str, str] = {"error": "bad", "warning": "warn", "note": "faint"}

_MAX_CLASSES = 200  # in a chart

# The presence of joints is not drawn if all are above this share.
_NEARLY_ALWAYS = 0.99

_CHART_WIDTH = 340  # pixels, fits a phone
_LABEL_LENGTH = 24

_STYLE = """
.verdict { font-size: 1.05rem; }
.findings h3 { margin-bottom: 0; }
.findings p { margin: 0.1rem 0; }
.tall { max-height: 34rem; overflow: auto; }
details { margin: 0.3rem 0; }
summary { cursor: pointer; color: var(--faint); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 1rem; margin: 0.6rem 0; }
dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
:is(#splits, .findings, #cleaned-copy) td:first-child.text { min-width: 9rem; }
#duplicates td.text { min-width: 9rem; }
"""


def health_page(
    report: HealthReport, changes: Sequence[Change] = (), after: HealthReport | None = None
) -> str:
    """Return a report as a self-contained HTML page.

    Args:
        report: The report.
        changes: Changes of the cleaned copy.
        after: The report of the cleaned copy, if there is one.
    """
    statistics = report.statistics
    sections = [
        Section("Summary", _summary(report)),
        Section("Findings", _findings(report.findings)),
    ]
    if after is not None:
        sections.append(Section("Cleaned copy", _changes(changes, after)))
    sections.append(Section("Splits", _splits(statistics)))
    sections.append(Section("Classes", _classes(statistics)))
    if statistics.joints:
        sections.append(Section("Length and persons", _lengths(statistics)))
    if statistics.axes:
        sections.append(Section("Coordinates", _coordinates(statistics)))
        sections.append(Section("Joints", _joints(statistics)))
    if statistics.duplicates or statistics.shared:
        sections.append(Section("Duplicates", _duplicates(statistics)))
    return page(f"Health of {Path(report.path).name}", sections, styles=[_STYLE])


def _summary(report: HealthReport) -> str:
    worst = next((one for one in SEVERITIES if report.count(one)), None)
    colour = "good" if worst is None else _COLOURS[worst]
    against = f" against {escape(report.config)}" if report.config else ""
    lines = [("file", report.path), *statistics_lines(report.statistics, report.bytes)]
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in lines)
    verdict = f'<strong class="{colour}">{escape(summary_text(report))}</strong>'
    return f'<p class="verdict">{verdict}{against}</p>\n<dl>{rows}</dl>'


# --- findings -------------------------------------------------------------------------------------


def _findings(findings: Sequence[Finding]) -> str:
    if not findings:
        return "<p>None.</p>"
    rows = []
    details = []
    for finding in findings:
        about, items, anchor = finding.about, finding.items, f"finding-{finding.kind}"
        title, severity = escape(about.title), finding.severity
        coloured = f'<span class="{_COLOURS[severity]}">{severity}</span>'
        rows.append(
            (
                Cell(coloured, SEVERITIES.index(severity)),
                len(items),
                Cell(f'<a href="#{anchor}">{title}</a>', finding.kind),
            )
        )
        headers = ["name", "detail"] if any(item.detail for item in items) else ["name"]
        listed = table(headers, [item[: len(headers)] for item in items[:_LISTED]], sortable=True)
        which = f"the first {_LISTED}" if len(items) > _LISTED else "which"
        details.append(
            f'<h3 id="{anchor}">{coloured}: {title} ({len(items)})</h3>\n'
            f"<p>{escape(about.meaning)} {escape(about.remedy)}</p>\n"
            f"<details{' open' if len(items) <= 3 else ''}><summary>{which}</summary>"
            f"{_tall(listed)}</details>"
        )
    overview = table(["severity", "count", "finding"], rows, sortable=True)
    return f'{overview}\n<div class="findings">' + "\n".join(details) + "</div>"


def _changes(changes: Sequence[Change], after: HealthReport) -> str:
    verdict = f"<p>{escape(after.path)}: {escape(summary_text(after))}.</p>"
    if not changes:
        return verdict + "<p>Nothing was changed.</p>"
    rows = [(change.name, change.text, change.kind) for change in changes[:_LISTED]]
    caption = _first("changes", len(changes))
    headers = ["name", "change", "because of"]
    return verdict + _tall(table(headers, rows, sortable=True, caption=caption))


# --- statistics -----------------------------------------------------------------------------------


def _splits(statistics: Statistics) -> str:
    if not statistics.splits:
        return "<p>The file has no splits.</p>"
    names = list(statistics.splits)
    rows = [(name, *shared) for name, shared in zip(names, statistics.overlap)]
    caption = "Number of samples in both the split of the row and that of the column"
    return table(["split", *names], rows, caption=caption)


def _classes(statistics: Statistics) -> str:
    classes = list(statistics.classes.get("", {}))[:_MAX_CLASSES]
    if not classes:
        return "<p>No sample has a label.</p>"
    labels = [_label(label, statistics.label_names) for label in classes]
    charts = []
    for group in _groups(list(statistics.splits)):
        series = {
            split or ALL: [statistics.classes[split].get(label, 0) for label in classes]
            for split in group
        }
        title = f"Samples of each class: {', '.join(series)}"
        chart = grouped_bars(labels, series, title=title, width=_CHART_WIDTH)
        charts.append(_tall(_figure(chart, title)))
    return f'<div class="row">{"".join(charts)}</div>'


def _groups(splits: Sequence[str]) -> Iterator[list[str]]:
    """Yield the splits of each chart: a training split with its test splits, then the others."""
    if not splits:
        yield [""]
    by_training: dict[str, list[str]] = {}
    for train, test in pairs_by_name(splits):
        by_training.setdefault(train, [train]).append(test)
    yield from by_training.values()
    drawn = {split for group in by_training.values() for split in group}
    others = [split for split in splits if split not in drawn]
    if others:
        yield others


def _lengths(statistics: Statistics) -> str:
    persons = ""
    for counts, title in (
        (statistics.persons, "Samples by number of persons who appear"),
        (statistics.slots, "Samples by number of person slots (M)"),
    ):
        labels, values = list(map(str, counts)), list(counts.values())
        persons += _figure(bar_chart(labels, values, title=title, width=_CHART_WIDTH), title)
    title = "Samples by length"
    edges, lengths = statistics.length_edges, statistics.length_counts
    chart = histogram(edges, lengths, title=title, label="frames", width=_CHART_WIDTH)
    return f'<div class="row">{_figure(chart, title)}<div>{persons}</div></div>'


def _coordinates(statistics: Statistics) -> str:
    charts = ""
    for axis in statistics.axes:
        chart = histogram(
            axis.edges,
            axis.counts,
            title=f"Distribution of {axis.name}",
            label=axis.name,
            width=_CHART_WIDTH,
        )
        charts += _figure(chart, f"{axis.name}, from the 1st to the 99th percentile")
    rows = [(axis.name, axis.low, axis.low1, axis.high99, axis.high) for axis in statistics.axes]
    headers = ["axis", "minimum", "1st percentile", "99th percentile", "maximum"]
    return table(headers, rows) + f'<div class="row">{charts}</div>'


def _joints(statistics: Statistics) -> str:
    least = min(statistics.presence)
    if least > _NEARLY_ALWAYS:
        share = f"at least {100 * least:.6g} % of the" if least < 1 else "all"
        return f"<p>Each joint is present in {share} frames with a person.</p>"
    labels = [_label(joint, statistics.joint_names) for joint in range(len(statistics.presence))]
    title = "Share of the frames with a person in which the joint is not missing"
    values = [100 * share for share in statistics.presence]
    return _figure(bar_chart(labels, values, title=title, unit=" %", width=_CHART_WIDTH), title)


def _duplicates(statistics: Statistics) -> str:
    parts = []
    if statistics.duplicates:
        rows = [
            (
                len(group.names),
                ", ".join(group.names[:_LISTED]),
                ", ".join(dict.fromkeys(group.labels)),
                ", ".join(dict.fromkeys(split for splits in group.splits for split in splits)),
            )
            for group in statistics.duplicates[:_LISTED]
        ]
        caption = _first("groups of identical samples", len(statistics.duplicates))
        headers = ["samples", "ids", "labels", "splits"]
        parts.append(_tall(table(headers, rows, sortable=True, caption=caption)))
    if statistics.shared:
        runs = [
            (run.frames, run.first, run.first_start, run.second, run.second_start)
            for run in statistics.shared[:_LISTED]
        ]
        caption = _first("pairs of samples that share a run of frames", len(statistics.shared))
        headers = ["frames", "one sample", "from frame", "the other", "from frame"]
        parts.append(_tall(table(headers, runs, sortable=True, caption=caption)))
    return "\n".join(parts)


def _first(what: str, count: int) -> str:
    return f"The first {_LISTED} of {count} {what}" if count > _LISTED else f"{count} {what}"


def _label(number: int, names: Sequence[str]) -> str:
    """Return a number and its name, shortened to fit next to a bar."""
    text = f"{number} {names[number]}" if 0 <= number < len(names) else str(number)
    return text if len(text) <= _LABEL_LENGTH else text[: _LABEL_LENGTH - 1] + "…"


def _figure(chart: str, caption: str) -> str:
    return f"<figure><figcaption>{escape(caption)}</figcaption>{chart}</figure>"


def _tall(content: str) -> str:
    return f'<div class="tall">{content}</div>'
