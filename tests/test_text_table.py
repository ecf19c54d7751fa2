"""Tables of text."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from pyskl.text_table import table_lines, text_table

WORDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12)
ROWS = st.integers(1, 5).flatmap(
    lambda width: st.lists(st.lists(WORDS, min_size=width, max_size=width), min_size=1, max_size=6)
)


@given(ROWS, st.integers(0, 6))
def test_columns_line_up(rows: list[list[str]], left: int) -> None:
    lines = table_lines(rows, left=left)
    assert [line.split() for line in lines] == rows
    start = 0
    for column, words in enumerate(zip(*rows)):
        end = start + max(map(len, words))
        for line, word in zip(lines, words):
            at = start if column < left else end - len(word)
            assert line[at : at + len(word)] == word
        start = end + 2
    assert text_table(rows, left=left) == "\n".join(lines)


def test_first_column_is_to_the_left_and_nothing_trails() -> None:
    rows = [["", "median", "unit"], ["slow", "2", ""]]
    assert table_lines(rows) == ["      median  unit", "slow       2"]
    assert table_lines(rows, left=3) == ["      median  unit", "slow  2"]
    assert table_lines(rows, left=0) == ["      median  unit", "slow       2"]


def test_no_rows() -> None:
    assert table_lines([]) == []
    assert text_table([]) == ""


def test_is_cheap_to_import() -> None:
    code = (
        "import sys, pyskl.text_table; "
        "print(*sorted({'torch', 'numpy', 'mmengine'}.intersection(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
