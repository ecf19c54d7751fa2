"""Hooks that write files in the work dir: ``TextLoggerHook`` and ``CSVLoggerHook``."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from PIL import Image

from pyskl.files.atomic import write_bytes
from pyskl.logging.trackers.base import Metrics, RunInfo, Tracker
from pyskl.registry import LOGGER_HOOKS

Row = dict[str, str]


@LOGGER_HOOKS.register_module()
class TextLoggerHook:
    """Accepted in configs, but does nothing: ``.log`` and ``.log.json`` are always written."""

    def open(self, run: RunInfo) -> Tracker | None:
        """Return None: there is nothing to do."""
        return None


@LOGGER_HOOKS.register_module()
class CSVLoggerHook:
    """Writes ``<name>.train.csv``, ``<name>.val.csv`` and ``<name>.test.csv``, and images as PNG.

    ``<name>`` is that of the run's ``.log.json``. The first column is ``step``, the finished
    iterations; the others are the metrics.

    Args:
        log_dir: The folder; by default the work dir.
    """

    def __init__(self, log_dir: str | None = None) -> None:
        self.log_dir = log_dir

    def open(self, run: RunInfo) -> Tracker:
        """Open the tables, without the rows that will be written again."""
        folder = run.work_dir if self.log_dir is None else Path(self.log_dir)
        folder.mkdir(parents=True, exist_ok=True)
        tracker = _CSVTracker(folder, run.name, run.first_step)
        for metrics in run.last_metrics:
            tracker.log(metrics, run.first_step)
        return tracker


class _CSVTracker:
    """A table for each mode, the first part of the metrics' names."""

    def __init__(self, folder: Path, name: str, first_step: int) -> None:
        self._folder, self._name, self._first_step = folder, name, first_step
        self._tables: dict[str, _CSVTable] = {}

    def log(self, metrics: Metrics, step: int) -> None:
        rows: dict[str, Row] = {}
        for name, value in metrics.items():
            mode, _, column = name.partition("/")
            rows.setdefault(mode, {"step": str(step)})[column] = f"{value:.10g}"
        for mode, row in rows.items():
            if mode not in self._tables:
                path = self._folder / f"{self._name}.{mode}.csv"
                self._tables[mode] = _CSVTable(path, self._first_step)
            self._tables[mode].add(row)

    def image(self, name: str, array: np.ndarray, step: int) -> None:
        png = io.BytesIO()
        Image.fromarray(array).save(png, "PNG")
        path = self._folder / f"{self._name}.{name.replace('/', '.')}.png"
        write_bytes(path, png.getvalue())

    def close(self) -> None:
        """Do nothing: everything is written."""


class _CSVTable:
    """A CSV file to which rows and columns can be added.

    Args:
        path: The file; rows of earlier steps stay.
        first_step: Rows from this step on, and incomplete ones, are dropped.
    """

    def __init__(self, path: Path, first_step: int) -> None:
        self._path = path
        self._columns = ["step"]
        self._rows: list[Row] = []
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file)
                self._columns = list(reader.fieldnames or ["step"])
                self._rows = [
                    row
                    for row in reader
                    if (row["step"] or "").isdecimal() and int(row["step"]) < first_step
                ]
            self._rewrite()

    def add(self, row: Row) -> None:
        """Add a row, or extend the last one if it is of the same step and lacks these columns."""
        new_columns = [name for name in row if name not in self._columns]
        self._columns += new_columns
        last = self._rows[-1] if self._rows else {}
        extends = last.get("step") == row["step"] and not any(
            last.get(name) for name in row if name != "step"
        )
        if extends:
            last.update(row)
        else:
            self._rows.append(row)
        if extends or new_columns:
            self._rewrite()
        else:
            with self._path.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self._columns, restval="").writerow(row)

    def _rewrite(self) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(self._rows)
        write_bytes(self._path, text.getvalue().encode())
