"""The figures of a benchmark, as text tables and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from textwrap import indent
from typing import Any, TypeAlias

from pyskl.benchmark.timing import ratio, spread
from pyskl.text_table import text_table

# Additional columns of a row: header (with its unit) → number or word.
Notes: TypeAlias = Mapping[str, "float | int | str | None"]


@dataclass(frozen=True)
class Figure:
    """A row of a table: the measurements of one variant.

    Attributes:
        name: Name of the variant.
        unit: Unit of the values, for example ``'samples/s'``.
        values: One for each repeat.
        notes: Additional columns.
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
        """Return the values with their summary, for JSON."""
        return {**asdict(self), **asdict(spread(self.values))}


@dataclass
class Table:
    """A table of figures.

    Attributes:
        title: Its title.
        figures: The rows.
        failed: Name of a variant that could not be measured → the reason.
    """

    title: str
    figures: list[Figure] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, unit: str, values: tuple[float, ...], **notes: Any) -> None:
        """Add a row."""
        self.figures.append(Figure(name, unit, values, notes))

    def ratio_to_first(self, values: tuple[float, ...]) -> float:
        """Return the ratio of measurements to the first row; 1 if there is none yet."""
        return ratio(values, self.figures[0].values) if self.figures else 1.0

    def as_dict(self) -> dict[str, Any]:
        """Return the table for JSON."""
        return {**asdict(self), "figures": [figure.as_dict() for figure in self.figures]}

    def text(self) -> str:
        """Return the table with aligned columns."""
        lines = [self.title]
        if self.figures:
            columns = list(dict.fromkeys(key for figure in self.figures for key in figure.notes))
            rows = [["", "median", "min", "max", "unit", *columns]]
            for figure in self.figures:
                summary = spread(figure.values)
                rows.append(
                    [
                        figure.name,
                        *map(format_number, (summary.median, summary.low, summary.high)),
                        figure.unit,
                        *(format_number(figure.notes.get(column)) for column in columns),
                    ]
                )
            lines.append(indent(text_table(rows), "  "))
        lines += [f"  {name}: not measured: {reason}" for name, reason in self.failed.items()]
        return "\n".join(lines)


@dataclass
class Report:
    """All figures of one run of a benchmark.

    Attributes:
        mode: What was measured: ``'pipeline'``, ``'loader'``, ``'step'``, ...
        config: Name of the config.
        data: Where the samples come from.
        machine: Hardware, versions, command line.
        settings: Options of the command line.
        tables: The figures.
        limits: Peak performance of the machine: name with unit → value.
    """

    mode: str
    config: str
    data: str
    machine: Mapping[str, str]
    settings: Mapping[str, Any]
    tables: list[Table]
    limits: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON."""
        return {**asdict(self), "tables": [table.as_dict() for table in self.tables]}

    def text(self) -> str:
        """Return the report as text: the machine, its limits, the tables."""
        head = {"config": self.config, "data": self.data, **self.machine}
        parts = ["\n".join(f"{name}: {value}" for name, value in head.items())]
        if self.limits:
            rows = [[name, format_number(value)] for name, value in self.limits.items()]
            table = indent(text_table(rows), "  ")
            parts.append(f"limits of the machine, measured in this run\n{table}")
        return "\n\n".join([*parts, *(table.text() for table in self.tables)])


def format_number(value: float | int | str | None) -> str:
    """Return a number with at least three digits; a word as it is.

    Example:
        >>> [format_number(value) for value in (12345.6, 123.45, 1.2345, 0.012345, 16, None)]
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
