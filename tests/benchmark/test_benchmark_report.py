"""What is printed and what is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyskl.benchmark.report import Figure, Report, Table, readable
from pyskl.errors import InputError


@given(st.floats(1e-6, 1e9))
def test_numbers_keep_three_digits(value: float) -> None:
    assert float(readable(value).replace(",", "")) == pytest.approx(value, rel=0.0051)


def report() -> Report:
    """Return a report of two tables, one of them with a failure."""
    rows = [
        Figure("slow", "clips/s", (1.0, 3.0, 2.0), {"ratio": 1.0}),
        Figure("fast", "clips/s", (20.0, 40.0), {"ratio": 15.0, "peak MB": None}),
    ]
    return Report(
        mode="step",
        config="a.py",
        data="random",
        machine={"cpu": "a CPU"},
        settings={"repeats": 3},
        tables=[Table("one", rows), Table("two", failed={"bf16": "out of memory"})],
        limits={"copy, GB/s": 12.5},
        remarks=["a remark"],
    )


def test_the_text_says_all_of_it() -> None:
    text = report().text()
    lines = [line.split() for line in text.splitlines()]
    assert ["slow", "2.00", "1.00", "3.00", "clips/s", "1.00", "-"] in lines
    assert ["fast", "30.0", "20.0", "40.0", "clips/s", "15.0", "-"] in lines
    for part in ("a.py", "random", "a CPU", "copy, GB/s", "12.5", "a remark"):
        assert part in text
    assert "bf16: not measured: out of memory" in text


def test_the_file_holds_every_measurement(tmp_path: Path) -> None:
    path = tmp_path / "new" / "figures.json"
    report().write(path)
    found = json.loads(path.read_text())
    assert found["machine"] == {"cpu": "a CPU"}
    assert found["limits"] == {"copy, GB/s": 12.5}
    figures = found["tables"][0]["figures"]
    assert [figure["values"] for figure in figures] == [[1.0, 3.0, 2.0], [20.0, 40.0]]
    assert [figure["median"] for figure in figures] == [2.0, 30.0]
    assert figures[0]["first_quartile"] == 1.5
    assert found["tables"][1]["failed"] == {"bf16": "out of memory"}


def test_a_place_that_takes_no_file_is_an_error_of_the_input(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="can't be written"):
        report().write(tmp_path / "file" / "figures.json")
