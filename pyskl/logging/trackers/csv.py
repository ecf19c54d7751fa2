"""``CSVLoggerHook``: tables that spreadsheets and data frames read."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pyskl.files.atomic import replace_with, write_bytes
from pyskl.logging.trackers.base import Figures, RunInfo, Tracker
from pyskl.logging.trackers.png import png_bytes
from pyskl.registry import LOGGER_HOOKS

Row = dict[str, str]


@LOGGER_HOOKS.register_module()
class CSVLoggerHook:
    """Writes ``<name>.train.csv``, ``<name>.val.csv`` and ``<name>.test.csv``, and pictures as PNG.

    ``<name>`` is that of the run's ``.log.json``. The first column is ``step``, finished
    iterations; the others are the figures.

    Args:
        log_dir: The folder; by default the work dir.
    """

    def __init__(self, log_dir: str | None = None) -> None:
        self.log_dir = log_dir

    def open(self, run: RunInfo) -> Tracker:
        """Open the tables, without the rows that are going to be written again."""
        folder = run.work_dir if self.log_dir is None else Path(self.log_dir)
        folder.mkdir(parents=True, exist_ok=True)
        tracker = _Tables(folder, run.name, run.first_step)
        for figures in run.told:
            tracker.log(figures, run.first_step)
        return tracker


class _Tables:
    """A table for each kind of figures: what their names begin with."""

    def __init__(self, folder: Path, name: str, first_step: int) -> None:
        self._folder, self._name, self._first_step = folder, name, first_step
        self._tables: dict[str, _Table] = {}

    def log(self, figures: Figures, step: int) -> None:
        """Write a row."""
        rows: dict[str, Row] = {}
        for name, value in figures.items():
            kind, _, column = name.partition("/")
            rows.setdefault(kind, {})[column] = f"{value:.10g}"
        for kind, row in rows.items():
            if kind not in self._tables:
                path = self._folder / f"{self._name}.{kind}.csv"
                self._tables[kind] = _Table(path, self._first_step)
            self._tables[kind].add({"step": str(step), **row})

    def image(self, name: str, array: np.ndarray, step: int) -> None:
        """Write a picture; one of the same name is replaced."""
        path = self._folder / f"{self._name}.{name.replace('/', '.')}.png"
        write_bytes(path, png_bytes(array))

    def close(self) -> None:
        """Do nothing: all is written."""


class _Table:
    """A file of comma-separated values that grows by rows, and where it must by columns.

    Args:
        path: The file; what it holds of earlier steps stays.
        first_step: Rows from here on are dropped.
    """

    def __init__(self, path: Path, first_step: int) -> None:
        self._path = path
        self._columns: list[str] = ["step"]
        self._rows: list[Row] = []
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file)
                self._columns = list(reader.fieldnames or ["step"])
                self._rows = [row for row in reader if _is_before(row, first_step)]
            self._write_all()

    def add(self, row: Row) -> None:
        """Add a row; what belongs to the step of the last one joins it, if that has room."""
        last = self._rows[-1] if self._rows else {}
        joins = last.get("step") == row["step"] and not (
            row.keys() & {name for name, value in last.items() if value} - {"step"}
        )
        new = [name for name in row if name not in self._columns]
        self._columns += new
        if joins:
            last.update(row)
        else:
            self._rows.append(row)
        if joins or new:
            self._write_all()
        else:
            with self._path.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self._columns, restval="").writerow(row)

    def _write_all(self) -> None:
        rows, columns = self._rows, self._columns
        replace_with(self._path, lambda partial: _write_table(partial, columns, rows))


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def _is_before(row: Row, first_step: int) -> bool:
    """Return whether a row that was read is whole, and of an earlier step."""
    step = row.get("step")
    return step is not None and step.isdecimal() and int(step) < first_step
