"""The steps of a pipeline as a page: a section for each transform, with its player."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from pyskl.drawing.page import Section, page, table
from pyskl.drawing.skeleton.player import player_html, player_tag
from pyskl.drawing.skeleton.steps import Step
from pyskl.skeleton import SkeletonLayout

# Headings name the transforms already, and those of the table stay in one line.
_STYLE = """
.skeleton-player .title { display: none; }
#overview td:nth-child(2) { white-space: nowrap; }
"""


def steps_page(title: str, steps: Sequence[Step], layout: SkeletonLayout) -> str:
    """Return a self-contained page of what each transform makes of a sample.

    Args:
        title: Plain text.
        steps: From :func:`pyskl.drawing.skeleton.steps.trace`.
        layout: Of the joints.

    Raises:
        InputError: if the layout does not fit.
    """
    clips = [clip for step in steps for clip in step.clips]
    # Transforms turn the axes, so each clip's own spine says what is up.
    _, scripts, styles, data = player_html(clips, layout, guess_together=False)
    sections = [Section("Overview", _overview(steps))]
    index = 0
    for number, step in enumerate(steps):
        tags = []
        for clip in step.clips:
            tags.append(player_tag(index, clip.title))
            index += 1
        heading = f"{number} {step.name}" if number else "0 As it is"
        sections.append(Section(heading, _step(step, tags), anchor=f"step-{number}"))
    return page(title, sections, scripts=scripts, styles=(*styles, _STYLE), data=data)


def _overview(steps: Sequence[Step]) -> str:
    rows = [
        [
            number,
            step.name,
            step.keys.get("keypoint"),
            ", ".join(step.changed) or None,
            ", ".join(step.removed) or None,
        ]
        for number, step in enumerate(steps)
    ]
    return table(["", "transform", "keypoint after it", "added or changed", "removed"], rows)


def _step(step: Step, tags: Sequence[str]) -> str:
    given = ", ".join(f"{key}={value!r}" for key, value in step.arguments.items())
    call = f"<p><code>{escape(step.name)}({escape(given)})</code></p>" if step.arguments else ""
    rows = [
        [key, words, "changed" if key in step.changed else ""] for key, words in step.keys.items()
    ]
    rows += [[key, "", "removed"] for key in step.removed]
    remark = f'<p class="faint">{escape(step.remark)}</p>' if step.remark else ""
    return (
        f'{call}{remark}<div class="row">{"".join(tags)}'
        f"<div>{table(['key', 'value', ''], rows)}</div></div>"
    )
