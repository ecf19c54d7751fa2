"""The health of a data set as a page: findings first, then the figures as charts and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from pyskl.drawing.charts import bar_chart, grouped_bars, histogram
from pyskl.drawing.page import Cell, Section, page, table
from pyskl.health import SEVERITIES, Change, Facts, Finding, HealthReport
from pyskl.health.splits import ALL, pairs_by_name
from pyskl.health.text import facts_lines, summary_text

# How many ids, groups and changes a table spells out; the JSON has them all.
_LISTED = 100

_COLOURS: Mapping[str, str] = {"error": "bad", "warning": "warn", "note": "faint"}

_CLASSES = 200  # that a chart shows

# Above this share a chart of joints shows nothing but full bars.
_NEARLY = 0.99

_NARROW = 340  # pixels: charts that fit a telephone
_LABEL = 24  # letters of a label beside a bar

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
        changes: What a cleaned copy has otherwise.
        after: The report of that copy, if one was made.
    """
    facts = report.facts
    sections = [
        Section("Summary", _summary(report)),
        Section("Findings", _findings(report.findings)),
    ]
    if after is not None:
        sections.append(Section("Cleaned copy", _changes(changes, after)))
    sections.append(Section("Splits", _splits(facts)))
    sections.append(Section("Classes", _classes(facts)))
    if facts.joints:
        sections.append(Section("Length and persons", _lengths(facts)))
    if facts.axes:
        sections.append(Section("Coordinates", _coordinates(facts)))
        sections.append(Section("Joints", _joints(facts)))
    if facts.duplicates or facts.shared:
        sections.append(Section("Duplicates", _duplicates(facts)))
    return page(f"Health of {Path(report.path).name}", sections, styles=[_STYLE])


def _summary(report: HealthReport) -> str:
    worst = next((one for one in SEVERITIES if report.count(one)), None)
    colour = "good" if worst is None else _COLOURS[worst]
    against = f" against {escape(report.config)}" if report.config else ""
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>"
        for name, text in [("file", report.path), *facts_lines(report.facts, report.bytes)]
    )
    verdict = f'<p class="verdict"><strong class="{colour}">{escape(summary_text(report))}</strong>'
    return f"{verdict}{against}</p>\n<dl>{rows}</dl>"


# --- findings -------------------------------------------------------------------------------------


def _findings(findings: Sequence[Finding]) -> str:
    if not findings:
        return "<p>None.</p>"
    rows = [
        (
            Cell(_coloured(finding), SEVERITIES.index(finding.severity)),
            len(finding.items),
            Cell(f'<a href="#{_anchor(finding)}">{escape(finding.about.title)}</a>', finding.kind),
        )
        for finding in findings
    ]
    overview = table(["severity", "count", "finding"], rows, sortable=True)
    return overview + '\n<div class="findings">' + "\n".join(map(_finding, findings)) + "</div>"


def _finding(finding: Finding) -> str:
    about, items = finding.about, finding.items
    detailed = any(item.detail for item in items)
    headers = ["name", "detail"] if detailed else ["name"]
    rows = [(item.name, item.detail)[: len(headers)] for item in items[:_LISTED]]
    which = f"the first {_LISTED}" if len(items) > _LISTED else "which"
    return (
        f'<h3 id="{_anchor(finding)}">{_coloured(finding)}: '
        f"{escape(about.title)} ({len(items)})</h3>\n"
        f"<p>{escape(about.meaning)} {escape(about.remedy)}</p>\n"
        f"<details{' open' if len(items) <= 3 else ''}><summary>{which}</summary>"
        f'<div class="tall">{table(headers, rows, sortable=True)}</div></details>'
    )


def _coloured(finding: Finding) -> str:
    return f'<span class="{_COLOURS[finding.severity]}">{finding.severity}</span>'


def _anchor(finding: Finding) -> str:
    return f"finding-{finding.kind}"


def _changes(changes: Sequence[Change], after: HealthReport) -> str:
    told = f"<p>{escape(after.path)}: {escape(summary_text(after))}.</p>"
    if not changes:
        return told + "<p>Nothing was changed.</p>"
    rows = [(change.name, change.text, change.kind) for change in changes[:_LISTED]]
    caption = _first("changes", len(changes))
    return told + _tall(
        table(["name", "change", "because of"], rows, sortable=True, caption=caption)
    )


# --- figures --------------------------------------------------------------------------------------


def _splits(facts: Facts) -> str:
    if not facts.splits:
        return "<p>The file has no splits.</p>"
    names = list(facts.splits)
    rows = [(name, *shared) for name, shared in zip(names, facts.overlap)]
    caption = "Samples that the split of the row has in common with that of the column"
    return table(["split", *names], rows, caption=caption)


def _classes(facts: Facts) -> str:
    every = list(facts.classes.get("", {}))[:_CLASSES]
    if not every:
        return "<p>No sample has a label.</p>"
    charts = []
    for group in _groups(list(facts.splits)):
        series = {
            split or ALL: [facts.classes[split].get(label, 0) for label in every] for split in group
        }
        labels = [_label(label, facts.label_names) for label in every]
        title = f"Samples of each class: {', '.join(series)}"
        charts.append(_figure(grouped_bars(labels, series, title=title, width=_NARROW), title))
    return f'<div class="row">{"".join(map(_tall, charts))}</div>'


def _groups(splits: Sequence[str]) -> Iterator[list[str]]:
    """Yield the splits that belong into one chart: those of one training split, and the rest."""
    if not splits:
        yield [""]
    drawn: set[str] = set()
    by_training: dict[str, list[str]] = {}
    for train, test in pairs_by_name(splits):
        by_training.setdefault(train, [train]).append(test)
    for group in by_training.values():
        drawn.update(group)
        yield group
    rest = [split for split in splits if split not in drawn]
    if rest:
        yield rest


def _lengths(facts: Facts) -> str:
    persons = [
        _figure(
            bar_chart(list(map(str, counts)), list(counts.values()), title=title, width=_NARROW),
            title,
        )
        for counts, title in (
            (facts.persons, "Samples by number of persons who are there"),
            (facts.slots, "Samples by number of places for persons (M)"),
        )
    ]
    title = "Samples by length"
    lengths = histogram(
        facts.length_edges, facts.length_counts, title=title, label="frames", width=_NARROW
    )
    return f'<div class="row">{_figure(lengths, title)}<div>{"".join(persons)}</div></div>'


def _coordinates(facts: Facts) -> str:
    charts = [
        _figure(
            histogram(
                axis.edges,
                axis.counts,
                title=f"Distribution of {axis.name}",
                label=axis.name,
                width=_NARROW,
            ),
            f"{axis.name}, from the 1st to the 99th percentile",
        )
        for axis in facts.axes
    ]
    rows = [(axis.name, axis.low, axis.low1, axis.high99, axis.high) for axis in facts.axes]
    headers = ["axis", "least", "1st percentile", "99th percentile", "greatest"]
    return table(headers, rows) + f'<div class="row">{"".join(charts)}</div>'


def _joints(facts: Facts) -> str:
    if min(facts.presence) > _NEARLY:
        share = f"in at least {100 * min(facts.presence):.6g} % of the frames with a person"
        where = "wherever a person is" if min(facts.presence) == 1 else share
        return f"<p>Each joint is there {where}.</p>"
    labels = [_label(joint, facts.joint_names) for joint in range(len(facts.presence))]
    title = "Share of the frames with a person in which the joint is there"
    values = [100 * share for share in facts.presence]
    return _figure(bar_chart(labels, values, title=title, unit=" %", width=_NARROW), title)


def _duplicates(facts: Facts) -> str:
    parts = []
    if facts.duplicates:
        rows = [
            (
                len(group.names),
                ", ".join(group.names[:_LISTED]),
                ", ".join(dict.fromkeys(group.labels)),
                ", ".join(dict.fromkeys(split for splits in group.splits for split in splits)),
            )
            for group in facts.duplicates[:_LISTED]
        ]
        caption = _first("groups of samples that are equal to the last bit", len(facts.duplicates))
        headers = ["samples", "ids", "labels", "splits"]
        parts.append(_tall(table(headers, rows, sortable=True, caption=caption)))
    if facts.shared:
        runs = [
            (run.frames, run.first, run.first_start, run.second, run.second_start)
            for run in facts.shared[:_LISTED]
        ]
        caption = _first("pairs of samples that share a run of frames", len(facts.shared))
        headers = ["frames", "one sample", "from frame", "the other", "from frame"]
        parts.append(_tall(table(headers, runs, sortable=True, caption=caption)))
    return "\n".join(parts)


def _first(what: str, count: int) -> str:
    return f"The first {_LISTED} of {count} {what}" if count > _LISTED else f"{count} {what}"


def _label(number: int, names: Sequence[str]) -> str:
    """Return a number and its name, short enough to stand beside a bar."""
    text = f"{number} {names[number]}" if 0 <= number < len(names) else str(number)
    return text if len(text) <= _LABEL else text[: _LABEL - 1] + "…"


def _figure(chart: str, caption: str) -> str:
    return f"<figure><figcaption>{escape(caption)}</figcaption>{chart}</figure>"


def _tall(content: str) -> str:
    return f'<div class="tall">{content}</div>'
