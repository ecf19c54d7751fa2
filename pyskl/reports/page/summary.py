"""What the runs are, how good they are, what is missing, and their configs."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from pyskl.drawing.page import Section, table
from pyskl.reports.page.facts import Missing, ReportFacts, RunFacts
from pyskl.reports.page.parts import percent, tall

_NAMES = {
    "top1_acc": "top-1",
    "mean_class_accuracy": "mean of classes",
    "mean_average_precision": "mean average precision",
}

# Differences of two configs that a table spells out.
_LISTED = 100


def summary_section(facts: ReportFacts) -> Section:
    """Return the figures of all runs, what is known of them, and what is missing."""
    first = facts.runs[0]
    parts = [_verdict(facts), _figures(facts.runs)]
    parts += [_missing(run, len(facts.runs) > 1) for run in facts.runs if run.missing]
    for run in facts.runs:
        lines = "".join(
            f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in run.facts.items()
        )
        opened = " open" if run is first else ""
        parts.append(
            f"<details{opened}><summary>About {escape(run.name)}</summary>"
            f"<dl>{lines}</dl></details>"
        )
    return Section("Summary", "\n".join(parts))


def _verdict(facts: ReportFacts) -> str:
    first, found = facts.runs[0], facts.predictions
    if found is None:
        return f"<p>{escape(first.name)}: {escape(first.epochs)}, no scores of test samples.</p>"
    wrong = int((~found.hits).sum())
    text = (
        f"{len(found.labels) - wrong} of {len(found.labels)} test samples right, {wrong} wrong, "
        f"among {len(found.class_names)} classes."
    )
    several = ""
    if len(facts.runs) > 1:
        several = (
            f" What follows of single classes and samples is of {escape(first.name)}, the first of "
            "the runs."
        )
    return f'<p class="verdict"><strong>{text}</strong>{several}</p>'


def _figures(runs: Sequence[RunFacts]) -> str:
    """Return a table of all runs' figures."""
    names = list(dict.fromkeys(name for run in runs for name in run.figures))
    headers = ["run", "epochs", "weights", *(figure_name(name) for name in names)]
    headers.append("calibration error")
    rows = [
        [
            run.name,
            run.epochs or None,
            run.weights or None,
            *(percent(run.figures.get(name)) for name in names),
            percent(run.calibration_error),
        ]
        for run in runs
    ]
    return table(headers, rows, sortable=len(runs) > 1)


def figure_name(name: str) -> str:
    """Return a figure's name in words.

    Example:
        >>> figure_name('top5_acc')
        'top-5'
    """
    if name.startswith("top") and name.endswith("_acc"):
        return f"top-{name[3:-4]}"
    return _NAMES.get(name, name.replace("_", " "))


def _missing(run: RunFacts, several: bool) -> str:
    whose = f" of {escape(run.name)}" if several else ""
    items = "".join(f"<li>{_one(missing)}</li>" for missing in run.missing)
    return f'<div class="missing"><h3>What is missing{whose}</h3><ul>{items}</ul></div>'


def _one(missing: Missing) -> str:
    command = f"<pre>{escape(missing.command)}</pre>" if missing.command else ""
    return f"{escape(missing.what)}{command}"


def config_section(facts: ReportFacts) -> Section | None:
    """Return the first run's config, and where the others differ."""
    first = facts.runs[0]
    parts = []
    for run in facts.runs[1:]:
        caption = f"Where {run.name} differs from {first.name}"
        if not run.config or not first.config:
            continue
        if not run.differences:
            parts.append(f"<p>{escape(run.name)} has the config of {escape(first.name)}.</p>")
            continue
        if len(run.differences) > _LISTED:
            caption += f": the first {_LISTED} of {len(run.differences)} keys"
        rows = [
            (key, _cut(one), _cut(other)) for key, one, other in list(run.differences)[:_LISTED]
        ]
        parts.append(tall(table(["key", first.name, run.name], rows, caption=caption), caption))
    if first.config:
        parts.append(
            f"<details><summary>The resolved config of {escape(first.name)}</summary>"
            f'<pre tabindex="0">{escape(first.config)}</pre></details>'
        )
    return Section("Config", "\n".join(parts)) if parts else None


def _cut(value: str, length: int = 200) -> str:
    return value if len(value) <= length else f"{value[: length - 1]}…"
