"""Tables: text files with a line of column names, separated by comma, semicolon or tab."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyskl.recordings.json_file import read_text
from pyskl.recordings.numbers import brief
from pyskl.recordings.recording import RecordingError

# What scores may be called, too.
SCORE = ("score", "confidence", "likelihood", "visibility")


@dataclass
class Table:
    """The cells of a table.

    Attributes:
        path: The file.
        columns: The names of the columns, in lower case, and where they stand.
        names: The same as the file spells them, in order.
        rows: Line number and cells of each row.
        comma: Whether numbers may have a comma for the point.
    """

    path: Path
    columns: dict[str, int]
    names: list[str]
    rows: list[tuple[int, list[str]]]
    comma: bool

    def number(self, line: int, cells: Sequence[str], column: int) -> float:
        """Return a cell as a number; nan where it is empty."""
        text = cells[column].strip()
        if not text:
            return float("nan")
        try:
            return float(text.replace(",", ".") if self.comma else text)
        except ValueError:
            raise RecordingError(
                f"{self.path}, line {line}, column {self.names[column]!r}: expected a number, "
                f"found {brief(text)}"
            ) from None

    def whole(self, line: int, cells: Sequence[str], column: int) -> int:
        """Return a cell as a whole number."""
        found = self.number(line, cells, column)
        if not abs(found) <= 2**53 or not found.is_integer():
            raise RecordingError(
                f"{self.path}, line {line}, column {self.names[column]!r}: expected a whole "
                f"number, found {brief(cells[column])}"
            )
        return int(found)


def read_table(path: Path) -> Table:
    """Read a table.

    Raises:
        RecordingError: if it is none, or its rows differ in length.
    """
    text = read_text(path)
    head = text.lstrip("\r\n").partition("\n")[0]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max((",", ";", "\t"), key=head.count)
    rows: list[tuple[int, list[str]]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((reader.line_num, cells))
    except csv.Error as error:
        raise RecordingError(f"{path}, line {reader.line_num}: no table ({error})") from error
    if len(rows) < 2:
        raise RecordingError(
            f"{path}: the table has {'only a head' if rows else 'no rows'}, expected a line of "
            "column names and rows of numbers"
        )
    names = [name.strip() for name in rows[0][1]]
    columns: dict[str, int] = {}
    for position, name in enumerate(names):
        key = name.lower()
        key = "score" if key in SCORE else key
        if key in columns:
            raise RecordingError(f"{path}, line {rows[0][0]}: the column {name!r} is there twice")
        columns[key] = position
    for line, cells in rows[1:]:
        if len(cells) != len(names):
            raise RecordingError(
                f"{path}, line {line}: {len(cells)} cells, expected {len(names)} as in the head"
            )
    return Table(path, columns, names, rows[1:], comma=delimiter == ";")


def rows_of(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and cells by column name (lower case) of any table, such as of labels."""
    table = read_table(path)
    for line, cells in table.rows:
        yield line, {name: cells[column].strip() for name, column in table.columns.items()}
