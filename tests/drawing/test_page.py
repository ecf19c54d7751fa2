"""Pages: everything escaped, nothing fetched, tables that sort, light and dark."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.drawing.page import Cell, Section, page, script_json, table

DASH = "\N{EN DASH}"  # stands for nothing
EVIL = "<script>window.hit = 1</script></script><img src=x onerror='window.hit = 1'>\"'&"


class Reader(HTMLParser):
    """Collects the elements of a page, and its text by element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


# --- as text --------------------------------------------------------------------------------------


def test_names_are_shown_and_not_obeyed() -> None:
    text = page(EVIL, [Section(EVIL, table([EVIL], [[EVIL]], caption=EVIL, sortable=True))])
    reader = Reader(text)
    assert [tag for tag, _ in reader.tags].count("script") == 1  # that of every page
    assert not any(tag == "img" for tag, _ in reader.tags)
    assert not any("onerror" in attrs for _, attrs in reader.tags)
    shown = "".join(reader.words)
    assert shown.count(EVIL) == 7  # title, h1, menu, h2, caption, header, cell


@settings(max_examples=25)
@given(value=st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
))  # fmt: skip
def test_data_of_scripts_come_out_as_they_went_in(value: Any) -> None:
    text = script_json(value)
    assert "<" not in text
    assert json.loads(text) == value


def test_no_number_is_written_that_json_lacks() -> None:
    with pytest.raises(ValueError, match="JSON"):
        script_json(float("nan"))


def test_the_policy_comes_before_anything_that_it_forbids() -> None:
    text = page("Runs", [Section("One", "")])
    assert text.index("Content-Security-Policy") < text.index("<script>")
    (policy,) = (
        attrs["content"] or ""
        for tag, attrs in Reader(text).tags
        if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_sections_are_linked_by_their_anchor() -> None:
    text = page("Runs", [Section("One & two", ""), Section("Three", "", anchor="third")])
    identities = {attrs.get("id") for tag, attrs in Reader(text).tags if tag == "section"}
    links = {attrs.get("href") for tag, attrs in Reader(text).tags if tag == "a"}
    assert identities == {"one---two", "third"}
    assert links == {f"#{identity}" for identity in identities}


def test_cells() -> None:
    text = table(
        ["name", "count", "share", "link", "none"],
        [["a", 3, 0.123456, Cell("<a href='#b'>b</a>", 'x"y'), None]],
    )
    assert '<td class="text">a</td>' in text
    assert '<td class="number">3</td>' in text
    assert '<td class="number" data-value="0.123456">0.1235</td>' in text
    assert '<td class="text" data-value="x&quot;y"><a href=\'#b\'>b</a></td>' in text
    assert "&ndash;" in text
    assert "<button" not in text


# --- in a browser ---------------------------------------------------------------------------------


def column(tab: Any, number: int) -> list[str]:
    cells: list[str] = tab.locator(f"tbody td:nth-child({number})").all_text_contents()
    return cells


def test_a_click_on_a_header_sorts_and_another_one_turns_the_order(
    open_page: Callable[..., Any],
) -> None:
    rows = [
        ["b10", 9, 0.5, Cell("<i>high</i>", 2)],
        ["a", 10, 1e-7, Cell("<i>low</i>", 1)],
        ["ä", 1200, 3000.0, Cell("<i>top</i>", 10)],
        ["B", None, None, Cell("<i>none</i>", 0)],
    ]
    text = page("Sort", [Section("T", table(["n", "c", "f", "x"], rows, sortable=True))])
    tab = open_page(text)
    click = [tab.locator(f"th:nth-child({number}) button").click for number in (1, 2, 3, 4)]
    click[1]()
    assert column(tab, 2) == ["9", "10", "1200", DASH]
    assert tab.locator("th").nth(1).get_attribute("aria-sort") == "ascending"
    click[1]()
    assert column(tab, 2) == ["1200", "10", "9", DASH]  # what is empty stays last
    assert tab.locator("th").nth(1).get_attribute("aria-sort") == "descending"
    click[2]()
    assert column(tab, 3) == ["1e-07", "0.5", "3000", DASH]
    assert tab.locator("th[aria-sort]").count() == 1
    click[0]()
    assert column(tab, 1) == ["a", "ä", "B", "b10"]
    click[3]()
    assert column(tab, 4) == ["none", "low", "high", "top"]
    tab.locator("th:nth-child(1) button").focus()
    tab.keyboard.press("Enter")
    assert column(tab, 1)[0] == "a"


def test_the_theme_is_the_readers_until_the_button_says_otherwise(
    open_page: Callable[..., Any],
) -> None:
    def ground(tab: Any) -> str:
        colour: str = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        return colour

    text = page("Theme", [Section("One", "<p>Text.</p>")])
    light, dark = open_page(text, color_scheme="light"), open_page(text, color_scheme="dark")
    white, black = ground(light), ground(dark)
    assert white != black
    for tab, first, second in ((light, white, black), (dark, black, white)):
        tab.locator("#theme").click()
        assert ground(tab) == second
        tab.locator("#theme").click()
        assert ground(tab) == first
    light.emulate_media(color_scheme="dark")
    light.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    assert ground(light) == black


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(open_page: Callable[..., Any], scheme: str) -> None:
    """WCAG 2.1, success criterion 1.4.3: a contrast of at least 4.5 : 1."""
    tab = open_page(page("Colours", [Section("One", "")]), color_scheme=scheme)
    style = "getComputedStyle(document.documentElement).getPropertyValue('--{}').trim()"
    colours = {
        role: tab.evaluate(style.format(role))
        for role in ("ground", "raised", "text", "faint", "accent", "good", "bad", "warn")
    }
    for role in ("text", "faint", "accent", "good", "bad", "warn"):
        assert _contrast(colours[role], colours["ground"]) >= 4.5, role
    assert _contrast(colours["text"], colours["raised"]) >= 4.5


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_names_run_nothing_and_data_arrive(open_page: Callable[..., Any]) -> None:
    script = "window.got = JSON.parse(document.getElementById('data-own').textContent);"
    sections = [Section(EVIL, table([EVIL], [[EVIL]], caption=EVIL, sortable=True))]
    tab = open_page(page(EVIL, sections, scripts=[script], data={"own": [EVIL, 1.5]}))
    assert tab.evaluate("window.hit") is None
    assert tab.evaluate("window.got") == [EVIL, 1.5]
    assert tab.title() == EVIL
    assert tab.locator("td").text_content() == EVIL


def test_the_policy_holds_back_what_gets_in_all_the_same(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    body = '<img src="http://127.0.0.1:9/x.png"><link rel="stylesheet" href="other.css">'
    path.write_text(page("Leak", [Section("One", body)]), encoding="utf-8")
    tab = browser.new_page()
    reached: list[str] = []
    tab.on("requestfinished", lambda request: reached.append(request.url))
    blocked: list[str] = []
    tab.on("console", lambda line: blocked.append(line.text))
    tab.goto(path.as_uri())
    tab.wait_for_load_state("load")
    tab.close()
    assert reached == [path.as_uri()]
    assert sum("Content Security Policy" in line for line in blocked) >= 2


@pytest.mark.parametrize("width", [400, 1280])
def test_a_page_is_no_wider_than_the_window(open_page: Callable[..., Any], width: int) -> None:
    wide = table([f"column {number}" for number in range(30)], [list(range(30))])
    tab = open_page(page("word" * 60, [Section("One", wide)]))
    tab.set_viewport_size({"width": width, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
