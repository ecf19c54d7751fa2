"""The gallery: mistakes and confident hits, each as a player; ``gallery.js`` filters them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Literal

import numpy as np

from pyskl.drawing.page import Section
from pyskl.drawing.skeleton import Clip, PlayerParts, player_html, player_tag
from pyskl.reports.page.confusion import worst_pairs
from pyskl.reports.page.content import GallerySample, Predictions, ReportContent

# The clips take most of the page, which has to stay below 15 MB.
_MAX_BYTES = 11_000_000
_BYTES_PER_COORDINATE = 2.7  # two, in base64
_MAX_FRAMES, _MIN_FRAMES = 64, 4

# The list of mistakes.
_MAX_LISTED, _MAX_ID_LENGTH = 5000, 80

# Share of the gallery for mistakes, if there are enough.
_MISTAKES = 0.75


def choose_samples(found: Predictions, number: int) -> list[tuple[Literal["mistake", "hit"], int]]:
    """Choose samples for the gallery: three of four are mistakes, the others confident hits.

    Half of the mistakes are the most confident ones; the other half are the most confident one of
    each of the most confused pairs. Of the hits the most confident of each class come first.

    Args:
        found: The predictions.
        number: How many samples; fewer are returned if there are not as many.

    Returns:
        Kind and index of each sample: mistakes, then hits, the most confident of each first.
    """
    wrong, right = found.mistakes.tolist(), found.by_confidence(np.flatnonzero(found.hits))
    room = max(math.ceil(_MISTAKES * number), number - len(right))
    pairs = list(zip(found.labels[wrong].tolist(), found.predicted[wrong].tolist()))
    first_of = dict(zip(reversed(pairs), reversed(wrong)))
    mistakes = _unique(
        [
            *wrong[: math.ceil(min(room, len(wrong)) / 2)],
            *(first_of[pair.true, pair.predicted] for pair in worst_pairs(found.counts)),
            *wrong,
        ]
    )[:room]
    _, first_of_class = np.unique(found.labels[right], return_index=True)
    hits = _unique([*right[np.sort(first_of_class)].tolist(), *right.tolist()])
    hits = hits[: number - len(mistakes)]
    return [("mistake", index) for index in _sorted(found, mistakes)] + [
        ("hit", index) for index in _sorted(found, hits)
    ]


def _unique(indices: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(indices))


def _sorted(found: Predictions, indices: Sequence[int]) -> list[int]:
    return found.by_confidence(np.array(sorted(indices), dtype=int)).tolist()


def captioned(sample: GallerySample, found: Predictions) -> Clip:
    """Return a sample's clip with its id, its true class and the most probable classes."""
    names, row = found.class_names, found.probabilities[sample.index]
    true, (best, *others) = int(found.labels[sample.index]), np.argsort(-row, kind="stable")[:3]
    confidence = found.confidence[sample.index]
    if sample.kind == "hit":
        notes = [f"right: {names[true]} {confidence:.3f}"]
    else:
        notes = [
            f"true: {names[true]} {row[true]:.3f}",
            f"predicted: {names[best]} {confidence:.3f}",
        ]
    rest = ", ".join(f"{names[label]} {row[label]:.3f}" for label in others if label != true)
    return sample.clip.replaced(
        title=str(found.sample_ids[sample.index]),
        notes=[*notes, *([f"then: {rest}"] if rest else [])],
    )


def gallery_players(report: ReportContent, found: Predictions) -> PlayerParts | None:
    """Return the players of all samples, with as many frames as fit into the page."""
    if report.layout is None or not report.gallery:
        return None
    clips = [captioned(sample, found) for sample in report.gallery]
    return player_html(clips, report.layout, max_frames=frames_within(clips, _MAX_BYTES))


def frames_within(clips: Sequence[Clip], max_bytes: int) -> int:
    """Return how many frames of each clip to keep so that all fit into ``max_bytes``.

    It is at least 4 and at most 64.
    """
    for frames in range(_MAX_FRAMES, _MIN_FRAMES, -4):
        coordinates = sum(clip.keypoint[:, :frames].size for clip in clips)
        if _BYTES_PER_COORDINATE * coordinates <= max_bytes:
            return frames
    return _MIN_FRAMES


def gallery_section(report: ReportContent, found: Predictions) -> Section:
    """Return the cards with their filters, and the list of all mistakes."""
    cards = "\n".join(
        f'<li class="card {sample.kind}" data-kind="{sample.kind}" '
        f'data-true="{found.labels[sample.index]}" '
        f'data-predicted="{found.predicted[sample.index]}" '
        f'data-confidence="{found.confidence[sample.index]:.6f}">'
        f'<div class="kind">{sample.kind}</div>'
        f"{player_tag(number, str(found.sample_ids[sample.index]))}</li>"
        for number, sample in enumerate(report.gallery)
    )
    options = "".join(
        f'<option value="{label}">{escape(name)}</option>'
        for label, name in sorted(enumerate(found.class_names), key=lambda item: item[1].lower())
    )
    controls = _CONTROLS.replace("CLASSES", options)
    return Section(
        "Gallery", f'{controls}<ul id="gallery-cards" class="gallery">{cards}</ul>\n{_MISTAKE_LIST}'
    )


_CONTROLS = """
<div class="controls" role="group" aria-label="Filter the samples">
<label>Show <select id="gallery-kind"><option value="">mistakes and hits</option>
<option value="mistake">mistakes</option><option value="hit">hits</option></select></label>
<label>Class <select id="gallery-class"><option value="">any</option>CLASSES</select></label>
<label>True <select id="gallery-true"><option value="">any</option>CLASSES</select></label>
<label>Predicted <select id="gallery-predicted"><option value="">any</option>CLASSES</select>
</label>
<label>Order <select id="gallery-order"><option value="sure">most confident first</option>
<option value="unsure">least confident first</option><option value="true">by true class</option>
</select></label>
<button type="button" id="gallery-clear">Show all</button>
</div>
<p id="gallery-status" role="status" aria-live="polite"></p>
"""

_MISTAKE_LIST = """
<details id="mistakes"><summary id="mistakes-summary">Mistakes by name</summary>
<div class="scroll"><table><thead><tr><th scope="col">sample</th><th scope="col">true class</th>
<th scope="col">predicted</th><th scope="col" class="number">confidence</th></tr></thead>
<tbody id="mistakes-rows"></tbody></table></div>
<button type="button" id="mistakes-more">Show more</button></details>
"""


def gallery_data(found: Predictions) -> dict[str, Any]:
    """Return the mistakes in the format of ``gallery.js``, the most confident first."""
    kept = found.mistakes[:_MAX_LISTED]
    return {
        "names": list(found.class_names),
        "total": len(found.mistakes),
        "ids": [str(found.sample_ids[index])[:_MAX_ID_LENGTH] for index in kept],
        "true": found.labels[kept].tolist(),
        "predicted": found.predicted[kept].tolist(),
        "confidence": np.round(found.confidence[kept], 4).tolist(),
    }
