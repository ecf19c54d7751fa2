"""Charts: well-formed, escaped, and as long as their values."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.drawing.charts import bar_chart, grouped_bars, histogram, line_chart, short, ticks

EVIL = "</title></svg><script>alert('x')</script>\"&"
SVG = "{http://www.w3.org/2000/svg}"
numbers = st.floats(0, 1e9)


def parsed(chart: str) -> ElementTree.Element:
    return ElementTree.fromstring(chart)


def bars(chart: str) -> list[float]:
    """Return the sizes along the axis of the rectangles that have a tooltip."""
    return [
        float(rectangle.attrib["width"])
        for rectangle in parsed(chart).iter(f"{SVG}rect")
        if rectangle.find(f"{SVG}title") is not None
    ]


CHARTS: dict[str, Callable[[str], str]] = {
    "bar_chart": lambda name: bar_chart([name], [1], title=name),
    "grouped_bars": lambda name: grouped_bars([name], {name: [1], "b": [2]}, title=name),
    "histogram": lambda name: histogram([0, 1, 2], [3, 4], title=name, label=name),
    "line_chart": lambda name: line_chart(
        {name: [(0, 1), (1, 2)], "b": []}, title=name, label=name
    ),
}


@pytest.mark.parametrize("kind", CHARTS)
def test_names_are_escaped_and_the_title_is_there(kind: str) -> None:
    chart = parsed(CHARTS[kind](EVIL))
    assert not list(chart.iter(f"{SVG}script"))
    title = chart.find(f"{SVG}title")
    assert title is not None
    assert title.text == EVIL
    assert chart.attrib["role"] == "img"
    assert EVIL in [text.text for text in chart.iter(f"{SVG}text")]


@given(values=st.lists(numbers, max_size=12))
def test_bars_are_as_long_as_their_values(values: list[float]) -> None:
    labels = [f"bar {index}" for index in range(len(values))]
    for chart in (
        bar_chart(labels, values, title="t"),
        grouped_bars(labels, {"one": values}, title="t"),
    ):
        lengths = bars(chart)
        assert len(lengths) == len(values)
        greatest = max(values, default=0)
        for value, length in zip(values, lengths):
            share = value / greatest if greatest else 0
            assert length == pytest.approx(share * max(lengths, default=0), abs=0.11)


def test_each_series_has_a_bar_at_each_label_and_an_entry_in_the_legend() -> None:
    chart = parsed(grouped_bars(["a", "b"], {"train": [4, 0], "val": [1, 2]}, title="t"))
    tooltips = [title.text for bar in chart.iter(f"{SVG}rect") for title in bar.iter(f"{SVG}title")]
    assert tooltips == ["a, train: 4", "b, train: 0", "a, val: 1", "b, val: 2"]
    texts = [text.text for text in chart.iter(f"{SVG}text")]
    assert {"train", "val", "a", "b"} <= set(texts)
    height = float(chart.attrib["height"])
    assert all(
        float(bar.attrib["y"]) + float(bar.attrib["height"]) <= height
        for bar in chart.iter(f"{SVG}rect")
    )


@given(
    counts=st.lists(st.integers(0, 10**6), min_size=1, max_size=30),
    low=st.floats(-1e6, 1e6),
    width=st.floats(1e-3, 1e3),
)
def test_bins_stand_side_by_side_within_the_picture(
    counts: list[int], low: float, width: float
) -> None:
    edges = [low + index * width for index in range(len(counts) + 1)]
    chart = parsed(histogram(edges, counts, title="t", label="l", width=300, height=150))
    rectangles = [
        {key: float(rectangle.attrib[key]) for key in ("x", "y", "width", "height")}
        for rectangle in chart.iter(f"{SVG}rect")
    ]
    assert len(rectangles) == len(counts)
    for one, other in pairwise(rectangles):
        assert one["x"] + one["width"] <= other["x"] + 0.61
    for rectangle, count in zip(rectangles, counts):
        assert 0 <= rectangle["x"] <= 300
        assert 0 <= rectangle["y"] <= 150
        share = count / max(*counts, 1)
        assert rectangle["height"] == pytest.approx(share * 106, abs=0.11)


def test_a_constant_is_a_histogram_and_a_line_too() -> None:
    assert "nan" not in histogram([1, 1], [4], title="t", label="l")
    assert "nan" not in line_chart({"a": [(0, 1)]}, title="t", label="l")
    assert "nan" not in line_chart({}, title="t", label="l")


def test_lines_leave_out_what_is_no_number() -> None:
    points = [(0.0, 1.0), (1.0, math.nan), (2.0, math.inf), (3.0, 2.0)]
    chart = parsed(line_chart({"loss": points}, title="t", label="epoch"))
    (line,) = chart.iter(f"{SVG}polyline")
    assert len(line.attrib["points"].split()) == 2


@given(low=st.floats(-1e9, 1e9), size=st.floats(1e-6, 1e9))
def test_ticks_are_few_round_and_inside(low: float, size: float) -> None:
    high = low + size
    if not high > low:
        return
    found = ticks(low, high)
    assert len(found) <= 11
    slack = 1e-6 * size + 1e-9 * max(abs(low), abs(high))
    assert all(low - slack <= tick <= high + slack for tick in found)
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (12345.6, "12,346"), (0.123456, "0.1235"), (-2500, "-2,500")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert short(value) == text
