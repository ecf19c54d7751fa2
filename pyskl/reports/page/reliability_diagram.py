"""Whether the confidence can be believed: the reliability diagram."""

from __future__ import annotations

from pyskl.drawing.charts import chart_svg, short
from pyskl.drawing.page import Section, table
from pyskl.evaluation.calibration import Reliability
from pyskl.reports.page.facts import ReportFacts
from pyskl.reports.page.parts import Chart, figure, percent, tall

_SIDE, _LEFT, _TOP, _GAP, _COUNTS = 260, 52, 78, 14, 64  # pixels
_WIDTH = _LEFT + _SIDE + 12
_HEIGHT = _TOP + _SIDE + _GAP + _COUNTS + 36

# Between confidence and accuracy, whichever is the greater.
_TOO_SURE, _TOO_HESITANT = "fill:var(--bad);fill-opacity:0.45", "fill:var(--good)"


def calibration_section(facts: ReportFacts) -> Section | None:
    """Return the diagram, what it amounts to, and the same as a table."""
    found = facts.predictions
    if found is None:
        return None
    diagram = found.reliability
    lean = float(found.confidence.mean() - found.hits.mean())
    way = "too sure" if lean > 0 else "not sure enough"
    text = (
        f"<p>Expected calibration error {100 * diagram.expected_error:.1f} %, the greatest of a "
        f"bin {100 * diagram.greatest_error:.1f} %. The mean confidence is "
        f"{100 * found.confidence.mean():.1f} %, the accuracy {100 * found.hits.mean():.1f} %: on "
        f"the whole the model is {way}, by {100 * abs(lean):.1f} points.</p>"
        '<p class="faint">Samples are sorted into bins by the probability of the predicted class '
        "(Guo et al. 2017). Confidence and accuracy agree where the bar ends on the diagonal."
        f"{' ' + found.note if found.note else ''}</p>"
    )
    rows = [
        (
            f"{low:.3f} to {high:.3f}",
            int(count),
            percent(float(sure)),
            percent(float(right)),
        )
        for low, high, count, sure, right in zip(
            diagram.edges,
            diagram.edges[1:],
            diagram.counts,
            diagram.confidence,
            diagram.accuracy,
        )
        if count
    ]
    caption = "Bins that hold samples"
    bins = table(["confidence", "samples", "mean confidence", "right"], rows, caption=caption)
    return Section(
        "Calibration",
        f'{text}<div class="row">{figure(calibration_chart(diagram))}{tall(bins, caption)}</div>',
    )


def calibration_chart(diagram: Reliability) -> Chart:
    """Return accuracy over confidence, and how many samples each bin has."""
    title = "Reliability: accuracy by confidence"
    return Chart("calibration", title, chart_svg(_WIDTH, _HEIGHT, title, _drawn(diagram)))


def _drawn(diagram: Reliability) -> str:
    def x(share: float) -> float:
        return _LEFT + share * _SIDE

    def y(share: float) -> float:
        return _TOP + (1 - share) * _SIDE

    floor, most = _TOP + _SIDE + _GAP + _COUNTS, max(int(diagram.counts.max()), 1)
    parts = [_legend()]
    for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        parts.append(
            f'<line class="axis" x1="{_LEFT}" x2="{_LEFT + _SIDE}" y1="{y(tick):.1f}" '
            f'y2="{y(tick):.1f}"/><text x="{_LEFT - 6}" y="{y(tick) + 4:.1f}" '
            f'text-anchor="end">{tick:g}</text><text x="{x(tick):.1f}" y="{floor + 14}" '
            f'text-anchor="middle">{tick:g}</text>'
        )
    for low, high, count, sure, right in zip(
        diagram.edges, diagram.edges[1:], diagram.counts, diagram.confidence, diagram.accuracy
    ):
        if not count:
            continue
        left, width = x(low) + 0.5, x(high) - x(low) - 1
        told = f"confidence {sure:.3f}, right {right:.3f}, {count} samples"
        top, bottom = max(sure, right), min(sure, right)
        gap = _TOO_SURE if sure > right else _TOO_HESITANT
        tall_count = _COUNTS * count / most
        parts.append(
            f'<rect class="bar" x="{left:.1f}" y="{y(bottom):.1f}" width="{width:.1f}" '
            f'height="{bottom * _SIDE:.1f}"><title>{told}</title></rect>'
            f'<rect x="{left:.1f}" y="{y(top):.1f}" width="{width:.1f}" '
            f'height="{(top - bottom) * _SIDE:.1f}" style="{gap}"><title>{told}</title></rect>'
            f'<rect x="{left:.1f}" y="{floor - tall_count:.1f}" width="{width:.1f}" '
            f'height="{tall_count:.1f}" style="fill:var(--faint)"><title>{told}</title></rect>'
        )
    parts.append(
        f'<line x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}" '
        'style="stroke:var(--text);stroke-dasharray:4 3"/>'
        f'<line class="axis" x1="{_LEFT}" x2="{_LEFT + _SIDE}" y1="{floor}" y2="{floor}"/>'
        f'<text x="{_LEFT - 6}" y="{floor - _COUNTS + 9}" text-anchor="end">{short(most)}</text>'
        f'<text x="{_LEFT - 6}" y="{floor + 1}" text-anchor="end">0</text>'
        f'<text x="{_LEFT + _SIDE / 2:.0f}" y="{_HEIGHT - 4}" text-anchor="middle">confidence'
        "</text>"
    )
    return "".join(parts)


def _legend() -> str:
    entries = (
        ("fill:var(--accent)", "right"),
        (_TOO_HESITANT, "right, more often than thought"),
        (_TOO_SURE, "thought right, and is not"),
        ("fill:var(--faint)", "samples"),
    )
    parts = []
    for number, (style, name) in enumerate(entries):
        y = 3 + 16 * number
        parts.append(
            f'<rect x="{_LEFT}" y="{y}" width="10" height="10" style="{style}"/>'
            f'<text x="{_LEFT + 15}" y="{y + 9}">{name}</text>'
        )
    return "".join(parts)
