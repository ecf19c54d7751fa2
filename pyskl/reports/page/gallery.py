"""The gallery: mistakes and the surest hits, each as a player; ``gallery.js`` filters them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Literal

import numpy as np

from pyskl.drawing.page import Section
from pyskl.drawing.skeleton import Clip, PlayerParts, player_html, player_tag
from pyskl.reports.page.confusion import worst_pairs
from pyskl.reports.page.facts import Example, Predictions, ReportFacts

DATA = "gallery"
"""The name of the gallery among the page's data."""

# Of the clips; the page has to stay below 15 MB.
_BUDGET = 11_000_000

# Bytes of a page for a coordinate: two as base64.
_BYTES = 2.7

_MOST_FRAMES, _LEAST_FRAMES = 64, 4

# Mistakes that the page lists by name, and letters of a name there.
_LISTED, _LETTERS = 5000, 80

# Share of the gallery that mistakes take, if there are as many.
_MISTAKES = 0.75

Kind = Literal["mistake", "hit"]


def choose_examples(found: Predictions, number: int) -> list[tuple[Kind, int]]:
    """Choose the samples to show: mistakes in three of four places, else the surest hits.

    Half of the mistakes are those of the highest confidence; the other half are the surest one of
    each of the worst pairs of classes. Of the hits the surest of each class comes first.

    Args:
        found: The predictions.
        number: How many to choose; fewer where there are fewer samples.

    Returns:
        Kind and number of each sample: mistakes, then hits, the surest of each first.
    """
    wrong = found.mistakes().tolist()
    right = np.flatnonzero(found.hits)
    right = right[np.argsort(-found.confidence[right], kind="stable")]
    room = max(math.ceil(_MISTAKES * number), number - len(right))
    mistakes = wrong[: math.ceil(min(room, len(wrong)) / 2)]
    surest: dict[tuple[int, int], int] = {}
    for index in wrong:
        surest.setdefault((int(found.labels[index]), int(found.predicted[index])), index)
    of_pairs = [surest[pair.true, pair.predicted] for pair in worst_pairs(found.counts)]
    mistakes = _unique([*mistakes, *of_pairs, *wrong])[:room]
    _, firsts = np.unique(found.labels[right], return_index=True)
    hits = _unique([*right[np.sort(firsts)].tolist(), *right.tolist()])[: number - len(mistakes)]

    def by_confidence(indices: Iterable[int]) -> list[int]:
        return sorted(indices, key=lambda index: (-found.confidence[index], index))

    kinds: list[tuple[Kind, int]] = [("mistake", index) for index in by_confidence(mistakes)]
    return [*kinds, *(("hit", index) for index in by_confidence(hits))]


def _unique(numbers: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(numbers))


def captioned(example: Example, found: Predictions) -> Clip:
    """Return an example's clip with the sample's id, its true class and what was predicted."""
    names, row = found.class_names, found.probabilities[example.index]
    best = np.argsort(-row, kind="stable")[:3].tolist()
    true, sure = int(found.labels[example.index]), float(found.confidence[example.index])
    if example.kind == "hit":
        notes = [f"right: {names[true]} {sure:.3f}"]
    else:
        notes = [f"true: {names[true]} {row[true]:.3f}", f"predicted: {names[best[0]]} {sure:.3f}"]
    others = [label for label in best[1:] if label != true or example.kind == "hit"]
    if others:
        notes.append("then: " + ", ".join(f"{names[label]} {row[label]:.3f}" for label in others))
    return example.clip.replaced(title=str(found.sample_ids[example.index]), notes=notes)


def gallery_players(facts: ReportFacts) -> PlayerParts | None:
    """Return the players of all examples, thinned out so that they fit into the page."""
    found = facts.predictions
    if found is None or facts.layout is None or not facts.examples:
        return None
    clips = [captioned(example, found) for example in facts.examples]
    return player_html(clips, facts.layout, max_frames=frames_within(clips, _BUDGET))


def frames_within(clips: Sequence[Clip], budget: int) -> int:
    """Return how many frames of each clip may be shown for all to take ``budget`` bytes at most.

    It is at least 4 and at most 64.
    """
    for frames in range(_MOST_FRAMES, _LEAST_FRAMES, -4):
        if sum(_BYTES * _values(clip) * min(clip.num_frames, frames) for clip in clips) <= budget:
            return frames
    return _LEAST_FRAMES


def _values(clip: Clip) -> int:
    """Return the coordinates of a frame."""
    persons, _, joints, coordinates = clip.keypoint.shape
    return int(persons * joints * coordinates)


def gallery_section(facts: ReportFacts) -> Section | None:
    """Return the cards, what filters them, and the list of all mistakes."""
    found = facts.predictions
    if found is None:
        return None
    cards = "\n".join(
        _card(number, example, found)
        for number, example in enumerate(facts.examples)
        if facts.layout is not None
    )
    classes = "".join(
        f'<option value="{label}">{escape(name)}</option>'
        for label, name in sorted(enumerate(found.class_names), key=lambda item: item[1].lower())
    )
    return Section(
        "Gallery",
        _CONTROLS.replace("CLASSES", classes)
        + f'<ul id="gallery-cards" class="gallery">{cards}</ul>\n'
        + _MISTAKES_LIST,
    )


_CONTROLS = """
<div class="controls" role="group" aria-label="Filter the samples">
<label>Show <select id="gallery-kind"><option value="">mistakes and hits</option>
<option value="mistake">mistakes</option><option value="hit">hits</option></select></label>
<label>Class <select id="gallery-class"><option value="">any</option>CLASSES</select></label>
<label>True <select id="gallery-true"><option value="">any</option>CLASSES</select></label>
<label>Predicted <select id="gallery-predicted"><option value="">any</option>CLASSES</select>
</label>
<label>Order <select id="gallery-order"><option value="sure">surest first</option>
<option value="unsure">least sure first</option><option value="true">by true class</option></select>
</label>
<button type="button" id="gallery-clear">Show all</button>
</div>
<p id="gallery-status" role="status" aria-live="polite"></p>
"""

_MISTAKES_LIST = """
<details id="mistakes"><summary id="mistakes-summary">Mistakes by name</summary>
<div class="scroll"><table><thead><tr><th scope="col">sample</th><th scope="col">true class</th>
<th scope="col">predicted</th><th scope="col" class="number">confidence</th></tr></thead>
<tbody id="mistakes-rows"></tbody></table></div>
<button type="button" id="mistakes-more">Show more</button></details>
"""


def _card(number: int, example: Example, found: Predictions) -> str:
    index = example.index
    return (
        f'<li class="card {example.kind}" data-kind="{example.kind}" '
        f'data-true="{found.labels[index]}" data-predicted="{found.predicted[index]}" '
        f'data-confidence="{found.confidence[index]:.6f}">'
        f'<div class="kind">{example.kind}</div>'
        f"{player_tag(number, str(found.sample_ids[index]))}</li>"
    )


def gallery_data(found: Predictions) -> dict[str, Any]:
    """Return the mistakes as ``gallery.js`` lists them, the surest first."""
    wrong = found.mistakes()
    kept = wrong[:_LISTED]
    return {
        "names": list(found.class_names),
        "total": len(wrong),
        "ids": [str(found.sample_ids[index])[:_LETTERS] for index in kept.tolist()],
        "true": found.labels[kept].tolist(),
        "predicted": found.predicted[kept].tolist(),
        "confidence": np.round(found.confidence[kept], 4).tolist(),
    }
