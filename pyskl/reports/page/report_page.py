"""The report as one HTML page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from pyskl.drawing.charts import histogram, line_chart
from pyskl.drawing.page import Cell, Section, page, table
from pyskl.reports.page.confusion import confusion_data, confusion_section
from pyskl.reports.page.content import Missing, Predictions, ReportContent, ReportedRun
from pyskl.reports.page.curves import curve_charts, epoch_table, metric_name
from pyskl.reports.page.gallery import gallery_data, gallery_players, gallery_section
from pyskl.reports.page.markup import percent, scrolling

_MAX_DIFFERENCES, _MAX_VALUE_LENGTH = 100, 200

# Control characters, except tab and newline, and lone surrogates.
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """Replace the characters that HTML and SVG files can't contain."""
    return _NOT_TEXT.sub("\ufffd", text)


def report_page(report: ReportContent) -> str:
    """Return a report as a self-contained HTML page.

    Args:
        report: The content. All its names are plain text.

    Raises:
        InputError: if clips and layout do not fit.
    """
    found = report.predictions
    sections = [_summary(report), _config(report.runs), _curves(report.runs)]
    scripts, styles = [], [_asset("report.css")]
    data: dict[str, Any] = {}
    if found is not None:
        sections += [
            _classes(report.runs, found),
            confusion_section(found),
            _calibration(found),
            gallery_section(report, found),
        ]
        scripts += [_asset("confusion.js"), _asset("gallery.js")]
        data.update(confusion=confusion_data(found), gallery=gallery_data(found))
        players = gallery_players(report, found)
        if players is not None:
            scripts = [*players.scripts, *scripts]
            styles += players.styles
            data.update(players.data)
    kept = [section for section in sections if section is not None]
    return printable(page(report.title, kept, scripts=scripts, styles=styles, data=data))


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _summary(report: ReportContent) -> Section:
    first, found, several = report.runs[0], report.predictions, len(report.runs) > 1
    if found is None:
        text = f"{first.name}: {first.run.progress}, no scores of test samples."
    else:
        right = int(found.hits.sum())
        text = (
            f"{right} of {len(found.hits)} test samples right, {len(found.hits) - right} wrong, "
            f"among {len(found.class_names)} classes."
        )
    parts = [f'<p class="verdict"><strong>{escape(text)}</strong></p>']
    if several and found is not None:
        parts.append(f"<p>Classes and samples below are those of {escape(first.name)}.</p>")
    names = list(dict.fromkeys(name for run in report.runs for name in run.figures))
    rows = [
        [
            run.name,
            run.run.progress,
            run.weights or None,
            *(percent(run.figures.get(name)) for name in names),
            percent(None if run.predictions is None else run.predictions.calibration_error),
        ]
        for run in report.runs
    ]
    header = ["run", "epochs", "weights", *map(metric_name, names), "calibration error"]
    parts.append(table(header, rows, sortable=several))
    for run in report.runs:
        if run.missing:
            heading = "What is missing" + (f" from {escape(run.name)}" if several else "")
            items = "".join(map(_missing_item, run.missing))
            parts.append(f'<div class="missing"><h3>{heading}</h3><ul>{items}</ul></div>')
    for run in report.runs:
        lines = "".join(
            f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in run.facts.items()
        )
        parts.append(
            f"<details{' open' if run is first else ''}><summary>About {escape(run.name)}"
            f"</summary><dl>{lines}</dl></details>"
        )
    return Section("Summary", "\n".join(parts))


def _missing_item(missing: Missing) -> str:
    command = f"<pre>{escape(missing.command)}</pre>" if missing.command else ""
    return f"<li>{escape(missing.what)}{command}</li>"


def _config(runs: Sequence[ReportedRun]) -> Section | None:
    """Return the first run's config, and the differences of the others."""
    first, *others = runs
    if not first.run.config_text:
        return None
    parts = []
    for run in others:
        differences = run.differences[:_MAX_DIFFERENCES]
        if not run.run.config_text:
            continue
        if not differences:
            parts.append(f"<p>{escape(run.name)} has the same config as {escape(first.name)}.</p>")
            continue
        caption = f"Differences between {first.name} and {run.name}"
        if len(differences) < len(run.differences):
            caption += f": the first {len(differences)} of {len(run.differences)} keys"
        rows = [(key, _shortened(a), _shortened(b)) for key, a, b in differences]
        parts.append(
            scrolling(table(["key", first.name, run.name], rows, caption=caption), caption)
        )
    parts.append(
        f"<details><summary>Resolved config of {escape(first.name)}</summary>"
        f'<pre tabindex="0">{escape(first.run.config_text)}</pre></details>'
    )
    return Section("Config", "\n".join(parts))


def _shortened(value: str) -> str:
    return value if len(value) <= _MAX_VALUE_LENGTH else f"{value[: _MAX_VALUE_LENGTH - 1]}…"


def _curves(runs: Sequence[ReportedRun]) -> Section | None:
    charts = [
        _figure(one.title, line_chart(one.lines, title=one.title, label="epoch", width=440))
        for one in curve_charts(runs)
    ]
    if not charts:
        return None
    caption = "Values at the end of each epoch"
    header, rows = epoch_table(runs)
    values = scrolling(table(header, rows, caption=caption), caption)
    return Section(
        "Curves",
        f'<div class="row">{"".join(charts)}</div>'
        f"<details><summary>Values as a table</summary>{values}</details>",
    )


def _figure(title: str, svg: str) -> str:
    return f"<figure><figcaption>{escape(title)}</figcaption>{svg}</figure>"


def _classes(runs: Sequence[ReportedRun], found: Predictions) -> Section:
    """Return a table of the accuracy of the classes, the worst first."""
    compared = {
        run.name: run.predictions.class_accuracy
        for run in runs
        if run.predictions is not None and run.predictions.has_samples_of(found)
    }
    names = list(compared) if len(compared) > 1 else ["accuracy"]
    rows = []
    for label in classes_by_accuracy(found):
        wrong = found.counts[label].copy()
        wrong[label] = 0
        other = int(wrong.argmax())
        rows.append(
            [
                label,
                found.class_names[label],
                int(found.counts[label].sum()),
                *(_share_bar(accuracy[label]) for accuracy in compared.values()),
                found.class_names[other] if wrong[other] else None,
                int(wrong[other]) or None,
            ]
        )
    absent = len(found.class_names) - len(rows)
    caption = f"{len(rows)} classes" + (f", and {absent} without test samples" if absent else "")
    header = ["class", "name", "samples", *names, "most often predicted as", "times"]
    return Section(
        "Classes", scrolling(table(header, rows, sortable=True, caption=caption), caption)
    )


def classes_by_accuracy(found: Predictions) -> list[int]:
    """Return the classes that have samples, the worst first."""
    present = found.counts.sum(axis=1).nonzero()[0]
    return present[found.class_accuracy[present].argsort(kind="stable")].tolist()


def _share_bar(share: float) -> Cell | None:
    """Return a cell with a share as a bar and in percent; None for NaN."""
    cell = percent(share)
    if cell is None:
        return None
    bar = f'<span class="share" aria-hidden="true"><span style="width:{100 * share:.1f}%">'
    return Cell(f'<span class="together">{bar}</span></span>{cell.html}</span>', cell.value)


def _calibration(found: Predictions) -> Section:
    diagram = found.reliability
    excess = float(found.confidence.mean() - found.hits.mean())
    kind = "overconfident" if excess > 0 else "underconfident"
    text = (
        f"<p>Expected calibration error {100 * diagram.expected_error:.1f} %, maximum calibration "
        f"error {100 * diagram.max_error:.1f} %. The mean confidence is "
        f"{100 * found.confidence.mean():.1f} %, the accuracy {100 * found.hits.mean():.1f} %: the "
        f"model is {kind} by {100 * abs(excess):.1f} points.</p>"
        '<p class="faint">Samples are binned by the probability of the predicted class (Guo et '
        "al. 2017). Below the diagonal the model is overconfident."
        f"{' ' + escape(found.note) if found.note else ''}</p>"
    )
    bins = list(
        zip(diagram.edges, diagram.edges[1:], diagram.counts, diagram.confidence, diagram.accuracy)
    )
    lines = {
        "this model": [(float(sure), float(right)) for *_, sure, right in bins],
        "perfectly calibrated": [(0.0, 0.0), (1.0, 1.0)],
    }
    titles = ("Accuracy by confidence", "Samples by confidence")
    charts = [
        _figure(titles[0], line_chart(lines, title=titles[0], label="confidence", height=300)),
        _figure(
            titles[1],
            histogram(
                diagram.edges.tolist(),
                diagram.counts.tolist(),
                title=titles[1],
                label="confidence",
            ),
        ),
    ]
    rows = [
        (f"{low:.3f} to {high:.3f}", int(count), percent(sure), percent(right))
        for low, high, count, sure, right in bins
        if count
    ]
    caption = "Bins with samples"
    header = ["confidence", "samples", "mean confidence", "accuracy"]
    values = scrolling(table(header, rows, caption=caption), caption)
    return Section("Calibration", f'{text}<div class="row">{"".join(charts)}{values}</div>')
