"""The printed tables and the JSON of a benchmark."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.benchmark.report import Report, Table, format_number


@given(st.floats(1e-6, 1e9))
def test_numbers_keep_three_digits(value: float) -> None:
    assert float(format_number(value).replace(",", "")) == pytest.approx(value, rel=0.0051)


@pytest.fixture
def report() -> Report:
    """A report of two tables, one of them with a failure."""
    table = Table("one")
    for name, values, memory in (("slow", (1.0, 3.0, 2.0), 7), ("fast", (20.0, 40.0, 40.0), None)):
        ratio = table.ratio_to_first(values)
        table.add(name, "clips/s", values, **{"ratio": ratio, "peak MB": memory})
    return Report(
        mode="step",
        config="a.py",
        data="random",
        machine={"cpu": "a CPU"},
        settings={"repeats": 3},
        tables=[table, Table("two", failed={"bf16": "out of memory"})],
        limits={"copy, GB/s": 12.5},
    )


def test_the_text(report: Report) -> None:
    text = report.text()
    lines = [line.split() for line in text.splitlines()]
    assert ["slow", "2.00", "1.00", "3.00", "clips/s", "1.00", "7"] in lines
    assert ["fast", "40.0", "20.0", "40.0", "clips/s", "20.0", "-"] in lines
    for part in ("a.py", "random", "a CPU", "copy, GB/s", "12.5"):
        assert part in text
    assert "bf16: not measured: out of memory" in text


def test_the_json_holds_every_measurement(report: Report) -> None:
    found = json.loads(json.dumps(report.as_dict()))
    assert found["machine"] == {"cpu": "a CPU"}
    assert found["limits"] == {"copy, GB/s": 12.5}
    figures = found["tables"][0]["figures"]
    assert [figure["values"] for figure in figures] == [[1.0, 3.0, 2.0], [20.0, 40.0, 40.0]]
    assert [figure["median"] for figure in figures] == [2.0, 40.0]
    assert figures[0]["first_quartile"] == 1.5
    assert figures[1]["notes"] == {"ratio": 20.0, "peak MB": None}
    assert found["tables"][1]["failed"] == {"bf16": "out of memory"}
