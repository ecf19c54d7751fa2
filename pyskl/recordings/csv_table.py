"""Read text tables with a line of column names, separated by comma, semicolon or tab."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pyskl.recordings.input_file import read_text
from pyskl.recordings.numbers import unexpected
from pyskl.recordings.recording import RecordingError

# Other names of the column score.
SCORE_NAMES = ("score", "confidence", "likelihood", "visibility")


class CsvTable:
    """The cells of a table.

    Args:
        path: The file.

    Attributes:
        names: The column names, as in the file.
        columns: Position of each column by its name in lower case, scores under ``'score'``.
        lines: Line number of each row.
        rows: The cells of each row.

    Raises:
        RecordingError: if it is not a table, has no rows, or rows of different lengths.
    """

    def __init__(self, path: Path) -> None:
        text = read_text(path)
        head = text.lstrip("\r\n").partition("\n")[0]
        delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=head.count)
        self._decimal_comma = delimiter == ";"
        rows: list[tuple[int, list[str]]] = []
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            for cells in reader:
                stripped = [cell.strip() for cell in cells]
                if any(stripped):
                    rows.append((reader.line_num, stripped))
        except csv.Error as error:
            place = f"line {reader.line_num}"
            raise RecordingError("malformed table", key=place, found=str(error)) from error
        rows = _without_deeplabcut_head(rows)
        if len(rows) < 2:
            raise RecordingError(
                "there are no rows", expected="a line of column names, then rows of numbers"
            )
        self.names = rows[0][1]
        self.columns: dict[str, int] = {}
        for position, name in enumerate(self.names):
            key = "score" if name.lower() in SCORE_NAMES else name.lower()
            if key in self.columns:
                raise RecordingError("two columns have this name", key=name)
            self.columns[key] = position
        self.lines = [line for line, _ in rows[1:]]
        self.rows = [cells for _, cells in rows[1:]]
        for line, cells in rows[1:]:
            if len(cells) != len(self.names):
                raise unexpected(
                    f"line {line}",
                    len(cells),
                    f"{len(self.names)}, one per column",
                    problem="wrong number of cells",
                )

    def records(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the line number of each row, and its cells by column name in lower case."""
        for line, cells in zip(self.lines, self.rows):
            yield line, {name: cells[column] for name, column in self.columns.items()}

    def strings(self, name: str, *, required: bool = False) -> list[str]:
        """Return the cells of a column, each ``''`` if there is no such column.

        Raises:
            RecordingError: with ``required``, if the column exists and has an empty cell.
        """
        if name not in self.columns:
            return [""] * len(self.rows)
        cells = [row[self.columns[name]] for row in self.rows]
        if required and "" in cells:
            raise self.error(cells.index(""), self.columns[name], "an entry")
        return cells

    def numbers(self, columns: Sequence[int]) -> np.ndarray:
        """Return columns as numbers, (rows, columns) float64; empty cells are NaN.

        Raises:
            RecordingError: if a cell is not a number.
        """
        found = np.full((len(self.rows), len(columns)), np.nan)
        for place, column in enumerate(columns):
            for row, cells in enumerate(self.rows):
                text = cells[column]
                if text:
                    try:
                        found[row, place] = float(
                            text.replace(",", ".") if self._decimal_comma else text
                        )
                    except ValueError:
                        raise self.error(row, column, "a number") from None
        return found

    def whole_numbers(self, name: str) -> np.ndarray:
        """Return a column as whole numbers, (rows,) int64.

        Raises:
            RecordingError: if a cell is not a whole number.
        """
        column = self.columns[name]
        found = self.numbers([column])[:, 0]
        with np.errstate(invalid="ignore"):
            wrong = ~(np.abs(found) <= 2**53) | (found != np.floor(found))
        if wrong.any():
            raise self.error(int(np.argmax(wrong)), column, "a whole number")
        return found.astype(np.int64)

    def error(self, row: int, column: int, expected: str) -> RecordingError:
        """Return the error that a cell is not what was expected."""
        return unexpected(
            f"line {self.lines[row]}, column {self.names[column]!r}",
            self.rows[row][column],
            expected,
        )


def _without_deeplabcut_head(rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Return the rows with one line of column names instead of DeepLabCut's three or four.

    They are ``scorer``, ``individuals`` (if there are several), ``bodyparts`` and ``coords``.
    """
    head = {cells[0].lower(): cells for _, cells in rows[:4]}
    if not {"scorer", "bodyparts", "coords"} <= head.keys() or rows[0][1][0].lower() != "scorer":
        return rows
    if len(set(head.get("individuals", ["", ""])[1:])) > 1:
        raise RecordingError(
            "tables of several individuals by DeepLabCut are not read",
            key="individuals",
            hint="save a table for each",
        )
    pairs = zip(head["bodyparts"][1:], head["coords"][1:])
    names = ["frame", *(f"{part}_{coordinate}" for part, coordinate in pairs)]
    count = 4 if "individuals" in head else 3
    return [(rows[count - 1][0], names), *rows[count:]]
