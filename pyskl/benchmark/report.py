"""What a benchmark found: as aligned tables for people, as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from textwrap import indent
from typing import Any

from pyskl.benchmark.timing import spread
from pyskl.errors import InputError
from pyskl.files.atomic import write_text
from pyskl.text_table import text_table

# One row's further columns: numbers, or words.
Notes = Mapping[str, "float | int | str | None"]


@dataclass(frozen=True)
class Figure:
    """One thing that was measured.

    Attributes:
        name: What it is: the variant.
        unit: Of the values, such as ``'samples/s'``.
        values: One for each repeat.
        notes: Further columns: header (with its unit) → number or word.
    """

    name: str
    unit: str
    values: tuple[float, ...]
    notes: Notes = field(default_factory=dict)

    @property
    def median(self) -> float:
        """The median of the values."""
        return spread(self.values).median

    def as_dict(self) -> dict[str, Any]:
        """Return all of it, with the summary of the values, for JSON."""
        return {
            "name": self.name,
            "unit": self.unit,
            **asdict(spread(self.values)),
            "values": list(self.values),
            "notes": dict(self.notes),
        }


@dataclass
class Table:
    """Figures that belong together.

    Attributes:
        title: What they are about.
        figures: The rows.
        failed: Name of a variant that could not be measured → why.
    """

    title: str
    figures: list[Figure] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return {
            "title": self.title,
            "figures": [figure.as_dict() for figure in self.figures],
            "failed": dict(self.failed),
        }

    def text(self) -> str:
        """Return the table with its columns aligned."""
        columns = list(dict.fromkeys(key for figure in self.figures for key in figure.notes))
        rows = [["", "median", "min", "max", "unit", *columns]]
        for figure in self.figures:
            found = spread(figure.values)
            middle = [readable(value) for value in (found.median, found.low, found.high)]
            notes = [readable(figure.notes.get(column)) for column in columns]
            rows.append([figure.name, *middle, figure.unit, *notes])
        lines = [self.title, indent(text_table(rows), "  ")] if self.figures else [self.title]
        lines += [f"  {name}: not measured: {why}" for name, why in self.failed.items()]
        return "\n".join(lines)


@dataclass
class Report:
    """All that one run of a benchmark found.

    Attributes:
        mode: What was measured: ``'pipeline'``, ``'loader'``, ``'step'``, ...
        config: The config, as it was named.
        data: Where the samples came from.
        machine: Hardware, versions, command line.
        settings: What the command line asked for.
        tables: The figures.
        limits: What the machine can do at best: name with unit → figure.
        remarks: What a reader of the figures should know.
    """

    mode: str
    config: str
    data: str
    machine: Mapping[str, str]
    settings: Mapping[str, Any]
    tables: list[Table] = field(default_factory=list)
    limits: dict[str, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return {
            "mode": self.mode,
            "config": self.config,
            "data": self.data,
            "machine": dict(self.machine),
            "settings": dict(self.settings),
            "limits": self.limits,
            "tables": [table.as_dict() for table in self.tables],
            "remarks": self.remarks,
        }

    def text(self) -> str:
        """Return what a person reads: the machine, the limits, the tables, the remarks."""
        head = {"config": self.config, "data": self.data, **self.machine}
        parts = ["\n".join(f"{name}: {value}" for name, value in head.items())]
        if self.limits:
            rows = [[name, readable(value)] for name, value in self.limits.items()]
            table = indent(text_table(rows), "  ")
            parts.append(f"the machine's limits, measured in this run\n{table}")
        parts += [table.text() for table in self.tables]
        if self.remarks:
            parts.append("\n".join(self.remarks))
        return "\n\n".join(parts)

    def write(self, path: str | Path) -> None:
        """Write :meth:`as_dict` as a JSON file.

        Raises:
            InputError: if the file can't be written.
        """
        text = json.dumps(self.as_dict(), indent=2) + "\n"
        try:
            write_text(Path(path), text)
        except OSError as error:
            raise InputError(f"{path}: the figures can't be written there ({error})") from error


def readable(value: float | int | str | None) -> str:
    """Return a number to three digits or more; a word as it is.

    Example:
        >>> [readable(value) for value in (12345.6, 123.45, 1.2345, 0.012345, 16, None)]
        ['12,346', '123', '1.23', '0.0123', '16', '-']
    """
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, int) or abs(value) >= 100 or value == 0:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    if abs(value) >= 1:
        return f"{value:.2f}"
    return f"{value:.3g}"
