"""The page of a report in a browser."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_report import RUN, predictions, report

from pyskl.reports.page.confusion import clustered, worst_pairs
from pyskl.reports.page.content import Missing
from pyskl.reports.page.gallery import choose_samples
from pyskl.reports.page.report_page import report_page

EVIL = "</script><script>window.hit = 1</script><img src=x onerror='window.hit = 1'>\"'&"

pytestmark = pytest.mark.slow
Open = Callable[..., Any]


@pytest.fixture
def opened(open_page: Open) -> Open:
    """A function that opens a report; see ``open_page``."""
    return lambda facts, **options: open_page(
        report_page(facts), **{"reduced_motion": "reduce", **options}
    )


def until(tab: Any, expression: str) -> None:
    """Wait until an expression is true; playwright's own way is forbidden by the page's policy."""
    deadline = time.monotonic() + 30
    while not tab.evaluate(expression):
        assert time.monotonic() < deadline, expression
        tab.wait_for_timeout(20)


def visible_cards(tab: Any) -> list[tuple[int, int, str]]:
    """Return true class, predicted class and kind of the cards that are visible, in their order."""
    return [
        tuple(card)
        for card in tab.evaluate(
            "[...document.querySelectorAll('#gallery-cards .card')].filter(card => !card.hidden)"
            ".map(({dataset}) => [+dataset.true, +dataset.predicted, dataset.kind])"
        )
    ]


def click_cell(tab: Any, true: int, predicted: int) -> None:
    """Click a cell of the matrix."""
    matrix = tab.locator("#confusion-matrix")
    matrix.scroll_into_view_if_needed()
    x, y = matrix.evaluate("(m, [t, p]) => m.matrix.placeOf(t, p)", [true, predicted])
    matrix.click(position={"x": x, "y": y})


def test_a_click_on_a_cell_shows_its_samples(opened: Open) -> None:
    found = predictions()
    tab = opened(report(found, gallery=12))
    assert len(visible_cards(tab)) == 12
    pair = worst_pairs(found.counts)[0]
    click_cell(tab, pair.true, pair.predicted)
    cards = visible_cards(tab)
    assert cards
    assert {card[:2] for card in cards} == {(pair.true, pair.predicted)}
    names = found.class_names
    assert (
        tab.locator("#confusion-readout").inner_text() == f"{names[pair.true]} → "
        f"{names[pair.predicted]}: {pair.count} ({100 * pair.share:.1f} %)"
    )
    assert tab.locator("#gallery-true").input_value() == str(pair.true)
    assert f"{len(cards)} of 12 samples" in tab.locator("#gallery-status").inner_text()
    assert f"by name: {pair.count} of" in tab.locator("#mistakes-summary").inner_text()
    assert tab.evaluate("document.activeElement.id") == "gallery-h"
    tab.locator("#gallery-clear").click()
    assert len(visible_cards(tab)) == 12


def test_pairs_without_a_player_are_in_the_list_of_mistakes(opened: Open) -> None:
    found = predictions()
    tab = opened(report(found, gallery=1))
    pair = worst_pairs(found.counts)[-1]
    tab.locator(f'button.link[data-true="{pair.true}"][data-predicted="{pair.predicted}"]').click()
    assert visible_cards(tab) == []
    assert "see the list below" in tab.locator("#gallery-status").inner_text()
    assert tab.locator("#mistakes").get_attribute("open") is not None
    rows = tab.locator("#mistakes-rows tr")
    assert rows.count() == pair.count
    wanted = (found.labels == pair.true) & (found.predicted == pair.predicted)
    listed = {row.locator("td").first.inner_text() for row in rows.all()}
    assert listed == {str(found.sample_ids[index]) for index in np.flatnonzero(wanted)}


def test_filters_and_orders_of_the_gallery(opened: Open) -> None:
    found = predictions()
    tab = opened(report(found, gallery=20))
    tab.locator("#gallery-kind").select_option("hit")
    assert {card[2] for card in visible_cards(tab)} == {"hit"}
    tab.locator("#gallery-kind").select_option("mistake")
    assert {card[2] for card in visible_cards(tab)} == {"mistake"}
    true = visible_cards(tab)[0][0]
    tab.locator("#gallery-class").select_option(str(true))
    cards = visible_cards(tab)
    assert cards
    assert all(true in card[:2] for card in cards)
    tab.locator("#gallery-clear").click()

    def confidences() -> list[float]:
        return tab.evaluate(
            "[...document.querySelectorAll('.card.mistake')].map(c => +c.dataset.confidence)"
        )

    assert confidences() == sorted(confidences(), reverse=True)
    tab.locator("#gallery-order").select_option("unsure")
    assert confidences() == sorted(confidences())
    tab.locator("#gallery-order").select_option("true")
    trues = [card[0] for card in visible_cards(tab) if card[2] == "mistake"]
    assert trues == sorted(trues)


def test_long_lists_of_mistakes_are_paged(opened: Open) -> None:
    found = predictions(1500)
    wrong = int((~found.hits).sum())
    assert wrong > 200
    tab = opened(report(found, gallery=1))
    tab.locator("#mistakes-summary").click()
    assert tab.locator("#mistakes-rows tr").count() == 100
    while tab.locator("#mistakes-more").is_visible():
        tab.locator("#mistakes-more").click()
    assert tab.locator("#mistakes-rows tr").count() == wrong


def test_the_matrix_sorts_zooms_and_pans(opened: Open) -> None:
    found = predictions(2000, 20)
    tab = opened(report(found, gallery=1))
    matrix = tab.locator("#confusion-matrix")

    def order() -> list[int]:
        return matrix.evaluate("m => m.matrix.order")

    def drawn() -> str:
        tab.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        return matrix.evaluate("m => m.toDataURL()")

    assert order() == list(range(20))
    pictures = [drawn()]
    tab.locator("#confusion-order").select_option("accuracy")
    assert order() == np.argsort(found.class_accuracy, kind="stable").tolist()
    pictures.append(drawn())
    tab.locator("#confusion-order").select_option("cluster")
    assert order() == clustered(found.counts)
    tab.locator("#confusion-in").click()
    tab.locator("#confusion-in").click()
    assert matrix.evaluate("m => m.matrix.view.zoom") == pytest.approx(2.25)
    pictures.append(drawn())

    # Where the pointer is stays where it is, and dragging takes it along.
    matrix.scroll_into_view_if_needed()
    box = matrix.bounding_box()
    tab.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.6)
    text = tab.locator("#confusion-readout").inner_text()
    tab.keyboard.down("Control")
    tab.mouse.wheel(0, -120)
    tab.keyboard.up("Control")
    until(tab, "document.getElementById('confusion-matrix').matrix.view.zoom > 2.3")
    tab.mouse.move(box["x"] + box["width"] * 0.6 + 1, box["y"] + box["height"] * 0.6)
    assert tab.locator("#confusion-readout").inner_text() == text
    before = matrix.evaluate("m => m.matrix.view.x")
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.6 - 80, box["y"] + box["height"] * 0.6, steps=4)
    tab.mouse.up()
    assert matrix.evaluate("m => m.matrix.view.x") > before
    assert tab.locator("#gallery-true").input_value() == ""  # a drag is no click
    pictures.append(drawn())
    tab.locator("#confusion-reset").click()
    assert matrix.evaluate("m => m.matrix.view.zoom") == 1
    assert len(set(pictures)) == len(pictures)


def test_a_wheel_alone_scrolls_the_page(opened: Open) -> None:
    tab = opened(report(predictions(), gallery=1))
    matrix = tab.locator("#confusion-matrix")
    matrix.scroll_into_view_if_needed()
    matrix.hover()
    tab.mouse.wheel(0, -300)
    tab.wait_for_timeout(100)
    assert matrix.evaluate("m => m.matrix.view.zoom") == 1


def test_the_matrix_by_keyboard(opened: Open) -> None:
    found = predictions()
    tab = opened(report(found, gallery=12))
    matrix = tab.locator("#confusion-matrix")
    readout = tab.locator("#confusion-readout")
    matrix.focus()
    tab.keyboard.press("ArrowDown")
    assert matrix.evaluate("m => m.matrix.focused") == [0, 0]
    for key, place in (
        *(("ArrowRight", [0, 1]), ("ArrowDown", [1, 1]), ("End", [1, 5]), ("ArrowRight", [1, 5])),
        *(("Home", [1, 0]), ("ArrowUp", [0, 0])),
    ):
        tab.keyboard.press(key)
        assert matrix.evaluate("m => m.matrix.focused") == place
    assert f": {found.counts[0, 0]} (" in readout.inner_text()
    pairs = worst_pairs(found.counts)
    tab.keyboard.press("n")
    tab.keyboard.press("n")
    assert matrix.evaluate("m => m.matrix.focused") == [pairs[1].true, pairs[1].predicted]
    tab.keyboard.press("p")
    assert matrix.evaluate("m => m.matrix.focused") == [pairs[0].true, pairs[0].predicted]
    tab.keyboard.press("+")
    assert matrix.evaluate("m => m.matrix.view.zoom") > 1
    tab.keyboard.press("0")
    assert matrix.evaluate("m => m.matrix.view.zoom") == 1
    tab.keyboard.press("Enter")
    assert {card[:2] for card in visible_cards(tab)} == {(pairs[0].true, pairs[0].predicted)}


def test_tables_sort(opened: Open) -> None:
    found = predictions()
    tab = opened(report(found, gallery=1))
    column = tab.locator("#classes tbody td:nth-child(4)")

    def shares() -> list[float]:
        return [float(text.rstrip(" %")) for text in column.all_inner_texts()]

    assert shares() == sorted(shares())  # the worst first
    header = tab.locator("#classes th button").nth(3)
    header.click()
    header.click()
    assert shares() == sorted(shares(), reverse=True)
    pairs = tab.locator("#confusion table")
    pairs.locator("th button").nth(2).click()
    counts = [int(text) for text in pairs.locator("tbody td:nth-child(3)").all_inner_texts()]
    assert counts == sorted(counts)


def test_players_play_scrub_and_turn(opened: Open) -> None:
    found = predictions()
    tab = opened(report(found, gallery=40))
    players = tab.locator("#gallery-cards .skeleton-player")
    assert tab.locator("#gallery-cards canvas").count() == 0  # they start when they are seen
    first = players.first
    first.scroll_into_view_if_needed()
    until(tab, "document.querySelector('#gallery-cards canvas') !== null")
    assert 0 < tab.locator("#gallery-cards canvas").count() < 40
    kind, index = choose_samples(found, 40)[0]
    text = first.inner_text()
    assert str(found.sample_ids[index]) in text
    assert f"true: {found.class_names[found.labels[index]]}" in text
    assert f"predicted: {found.class_names[found.predicted[index]]}" in text
    assert kind == "mistake"
    assert first.locator("label", has_text="importance").count() == 1

    slider = first.get_by_label("Frame", exact=True)
    slider.focus()
    tab.keyboard.press("End")
    assert first.locator(".count").inner_text() == "20 / 20"
    picture = "document.querySelector('#gallery-cards canvas').toDataURL()"
    before = tab.evaluate(picture)
    first.locator("canvas").focus()
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate(picture) != before
    first.get_by_role("button", name="Play").click()
    until(tab, "document.querySelector('#gallery-cards .skeleton-player').player.frame < 19")
    first.get_by_role("button", name="Pause").click()
    # A card that a filter hides stops.
    first.get_by_role("button", name="Play").click()
    tab.locator("#gallery-kind").select_option("hit")
    until(tab, "!document.querySelector('.card.mistake .skeleton-player').player.playing")


def test_names_run_nothing(opened: Open) -> None:
    found = predictions(name=EVIL)
    run = replace(RUN, work_dir=Path(EVIL), config_text=EVIL)
    facts = replace(report(found, runs=2, name=EVIL, run=run, facts={EVIL: EVIL}), title=EVIL)
    tab = opened(facts)
    tab.locator("#gallery-cards .skeleton-player").first.scroll_into_view_if_needed()
    until(tab, "document.querySelector('#gallery-cards canvas') !== null")
    tab.locator("#mistakes-summary").click()
    assert EVIL in tab.locator("#mistakes-rows td").first.text_content()
    assert EVIL in tab.locator("#summary").text_content()
    assert tab.evaluate("window.hit") is None
    assert tab.locator("img").count() == 0


def test_every_control_has_a_name(opened: Open) -> None:
    tab = opened(report(predictions(), gallery=2))
    tab.locator("#gallery-cards .skeleton-player").first.scroll_into_view_if_needed()
    until(tab, "document.querySelector('#gallery-cards canvas') !== null")
    nameless = tab.evaluate(
        "[...document.querySelectorAll('button, select, input, canvas, [tabindex=\"0\"]')].filter("
        "e => !(e.textContent.trim() && e.tagName !== 'SELECT' || e.ariaLabel"
        " || e.labels?.length)).map(e => e.outerHTML.slice(0, 200))"
    )
    assert nameless == []
    for live in ("#confusion-readout", "#gallery-status"):
        assert tab.locator(live).get_attribute("aria-live") == "polite"
    charts = tab.evaluate(
        "[...document.querySelectorAll('svg.chart')].filter("
        "e => e.getAttribute('role') === 'img' && e.querySelector('title').textContent).length"
    )
    assert charts == tab.locator("svg.chart").count() > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_it_fits_the_window_in_light_and_dark(opened: Open, scheme: str, width: int) -> None:
    facts = report(
        predictions(name="a rather long name of an action "),
        gallery=3,
        runs=4,
        missing=[Missing("What is missing", "python tools/test.py " + "very_long_path/" * 20)],
    )
    tab = opened(facts, color_scheme=scheme, viewport={"width": width, "height": 800})
    tab.locator("#gallery-cards .skeleton-player").last.scroll_into_view_if_needed()
    tab.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    outside = tab.evaluate(
        "[...document.querySelectorAll('svg.chart, canvas')].filter("
        "chart => chart.getBoundingClientRect().right > innerWidth).length"
    )
    assert outside == 0


def test_120_classes_and_20000_samples(opened: Open) -> None:
    found = predictions(20_000, 120, name="S001C001P001R001A")
    facts = report(found, gallery=48, frames=100, persons=2)
    size = len(report_page(facts).encode())
    assert size < 15_000_000
    tab = opened(facts)
    timing = tab.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    # What docs/report.md states; shown by pytest -s.
    sys.stdout.write(f"\n{size / 1e6:.2f} MB, loaded {timing:.0f} ms after it was opened\n")
    assert 0 < timing < 30_000  # generous: the machine may be busy
    pair = worst_pairs(found.counts)[0]
    click_cell(tab, pair.true, pair.predicted)
    assert f"by name: {pair.count} of" in tab.locator("#mistakes-summary").inner_text()
