"""The findings and statistics of an annotation file, as plain data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from pyskl.health.kinds import KINDS, SEVERITIES, Kind, Severity

FORMAT = 1
"""Version of the JSON, raised when a key changes its meaning."""


class Item(NamedTuple):
    """One sample, split, class or joint that a finding counts.

    Attributes:
        name: Its id or name.
        detail: What is wrong with it; may be empty.
    """

    name: str
    detail: str = ""


@dataclass(frozen=True)
class Finding:
    """All items of one kind, in the order of the file."""

    kind: str
    items: list[Item]

    @property
    def about(self) -> Kind:
        """The kind's title, meaning and remedy."""
        return KINDS[self.kind]

    @property
    def severity(self) -> Severity:
        """``error``, ``warning`` or ``note``."""
        return self.about.severity


@dataclass(frozen=True)
class AxisStatistics:
    """The values of one coordinate, of joints that are not missing.

    Attributes:
        name: ``x``, ``y`` or ``z``.
        low: The minimum.
        high: The maximum.
        low1: The 1st percentile of a subset of the values.
        high99: The 99th percentile of the subset.
        edges: Bin edges of a histogram of the subset, from ``low1`` to ``high99``.
        counts: Values in each bin.
    """

    name: str
    low: float
    high: float
    low1: float
    high99: float
    edges: list[float]
    counts: list[int]


@dataclass(frozen=True)
class DuplicateGroup:
    """Samples that are identical bit for bit: their ids, labels, and the splits of each."""

    names: list[str]
    labels: list[str]
    splits: list[list[str]]


@dataclass(frozen=True)
class SharedRun:
    """A run of frames that two samples share bit for bit.

    Attributes:
        first: Id of one sample.
        second: Id of the other.
        first_start: First frame of the run in one sample.
        second_start: First frame of the run in the other.
        frames: Length of the run.
    """

    first: str
    second: str
    first_start: int
    second_start: int
    frames: int


@dataclass
class Statistics:
    """Statistics of a data set, over the samples that can be read.

    Attributes:
        samples: Number of samples, including those that can't be read.
        joints: V of most samples; 0 if none can be read.
        coordinates: C of most samples.
        dtypes: Number of samples by float type.
        scores: Number of samples with ``keypoint_score``.
        splits: Number of existing samples by split.
        overlap: Number of samples in both the split of the row and that of the column.
        classes: Number of samples by split and label; the split '' means all samples.
        label_names: Names of the classes, by label.
        frames: T of the shortest, the median and the longest sample.
        length_edges: Bin edges of a histogram of T.
        length_counts: Samples in each bin.
        slots: Number of samples by M, the person slots.
        persons: Number of samples by number of persons who appear.
        axes: One for each coordinate.
        presence: Share of the frames with a person in which joint v is not zero, (V,).
        joint_names: (V,), if the layout is known and names them.
        extent: Size of a person: median over the samples, in the unit of the file.
        unit: The probable unit, and how it was guessed.
        up: The probable upward axis, and how it was guessed.
        duplicates: Groups of identical samples.
        shared: Runs of frames that two samples share.
    """

    samples: int = 0
    joints: int = 0
    coordinates: int = 0
    dtypes: dict[str, int] = field(default_factory=dict)
    scores: int = 0
    splits: dict[str, int] = field(default_factory=dict)
    overlap: list[list[int]] = field(default_factory=list)
    classes: dict[str, dict[int, int]] = field(default_factory=dict)
    label_names: list[str] = field(default_factory=list)
    frames: tuple[int, float, int] = (0, 0.0, 0)
    length_edges: list[float] = field(default_factory=list)
    length_counts: list[int] = field(default_factory=list)
    slots: dict[int, int] = field(default_factory=dict)
    persons: dict[int, int] = field(default_factory=dict)
    axes: list[AxisStatistics] = field(default_factory=list)
    presence: list[float] = field(default_factory=list)
    joint_names: list[str] = field(default_factory=list)
    extent: float | None = None
    unit: str = ""
    up: str = ""
    duplicates: list[DuplicateGroup] = field(default_factory=list)
    shared: list[SharedRun] = field(default_factory=list)


@dataclass
class HealthReport:
    """The result of examining an annotation file.

    Attributes:
        path: The file.
        bytes: Its size.
        config: The config that it was compared with, or None.
        statistics: Statistics of the data set.
        findings: Worst first, each kind once and none without items; see :func:`sorted_findings`.
    """

    path: str
    bytes: int
    config: str | None
    statistics: Statistics
    findings: list[Finding]

    def count(self, severity: Severity) -> int:
        """Return the number of findings of a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def reaches(self, severity: Severity) -> bool:
        """Return whether there is a finding at least as bad as ``severity``."""
        bad = SEVERITIES[: SEVERITIES.index(severity) + 1]
        return any(finding.severity in bad for finding in self.findings)

    def find(self, kind: str) -> Finding | None:
        """Return the finding of a kind, or None."""
        return next((finding for finding in self.findings if finding.kind == kind), None)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON can represent."""
        return {
            "format": FORMAT,
            "path": self.path,
            "bytes": self.bytes,
            "config": self.config,
            "facts": asdict(self.statistics),
            "findings": [
                {
                    "kind": finding.kind,
                    "severity": finding.severity,
                    "title": finding.about.title,
                    "count": len(finding.items),
                    "meaning": finding.about.meaning,
                    "remedy": finding.about.remedy,
                    "items": [item._asdict() for item in finding.items],
                }
                for finding in self.findings
            ],
        }


def sorted_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that have items: worst first, then in the order of :data:`KINDS`."""
    order = list(KINDS)
    return sorted(
        (finding for finding in findings if finding.items),
        key=lambda finding: (SEVERITIES.index(finding.severity), order.index(finding.kind)),
    )
