"""What was found out about an annotation file, as plain data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from pyskl.health.kinds import KINDS, SEVERITIES, Kind, Severity

FORMAT = 1
"""Of the JSON; raised when a key changes its meaning."""


@dataclass(frozen=True)
class Item:
    """One of what a finding counts.

    Attributes:
        name: Id of the sample, or name of the split, class or joint.
        detail: What is the matter with it; may be empty.
    """

    name: str
    detail: str = ""


@dataclass(frozen=True)
class Finding:
    """All items of one kind.

    Attributes:
        kind: Key of :data:`~pyskl.health.kinds.KINDS`.
        items: In the order of the file.
    """

    kind: str
    items: list[Item]

    @property
    def about(self) -> Kind:
        """What the kind means."""
        return KINDS[self.kind]

    @property
    def severity(self) -> Severity:
        """``error``, ``warning`` or ``note``."""
        return self.about.severity


@dataclass(frozen=True)
class Axis:
    """The values of one coordinate, of joints that are there.

    Attributes:
        name: ``x``, ``y`` or ``z``.
        low: The least of all.
        high: The greatest of all.
        low1: The first percentile of a sample of the values.
        high99: The 99th.
        edges: Of the bins of a histogram of that sample, from ``low1`` to ``high99``.
        counts: In them.
    """

    name: str
    low: float
    high: float
    low1: float
    high99: float
    edges: list[float]
    counts: list[int]


@dataclass(frozen=True)
class Group:
    """Samples that are the same to the last bit.

    Attributes:
        names: Their ids.
        labels: Of each.
        splits: That list each.
    """

    names: list[str]
    labels: list[str]
    splits: list[list[str]]


@dataclass(frozen=True)
class SharedRun:
    """A run of frames that two samples have in common, to the last bit.

    Attributes:
        first: Id of one sample.
        second: Id of the other.
        first_start: Where the run begins in it, a frame.
        second_start: The same in the other.
        frames: Length of the run.
    """

    first: str
    second: str
    first_start: int
    second_start: int
    frames: int


@dataclass
class Facts:
    """Figures of a data set; of samples that could be read.

    Attributes:
        samples: Number of samples, with those that could not be read.
        joints: V of most samples; 0 where none could be read.
        coordinates: C of most samples.
        dtypes: Number of samples by float type.
        scores: Number of samples with ``keypoint_score``.
        splits: Number of samples (that exist) by split.
        overlap: Ids that the split of the row shares with that of the column.
        classes: Number of samples by split and label; the split '' stands for all samples.
        label_names: By label, as far as the file has them.
        frames: T of the shortest, the median and the longest sample.
        length_edges: Of the bins of a histogram of T.
        length_counts: In them.
        slots: Number of samples by M, the places for persons.
        persons: Number of samples by persons that are really there.
        axes: Of each coordinate.
        presence: Share of the frames with a person in which joint v is not zero, (V,).
        joint_names: (V,), where the layout is known and names them.
        extent: Size of a person: median over the samples, in the file's unit.
        unit: What the unit probably is, and how that was guessed.
        up: Which axis probably points up, and how that was guessed.
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
    axes: list[Axis] = field(default_factory=list)
    presence: list[float] = field(default_factory=list)
    joint_names: list[str] = field(default_factory=list)
    extent: float | None = None
    unit: str = ""
    up: str = ""
    duplicates: list[Group] = field(default_factory=list)
    shared: list[SharedRun] = field(default_factory=list)


@dataclass
class HealthReport:
    """The health of an annotation file.

    Attributes:
        path: The file.
        bytes: Its size.
        config: The config that it was held against, or None.
        facts: Figures.
        findings: The worst first; each kind once, and none without items.
    """

    path: str
    bytes: int
    config: str | None
    facts: Facts
    findings: list[Finding]

    def count(self, severity: Severity) -> int:
        """Return the number of findings of a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def reaches(self, severity: Severity) -> bool:
        """Return whether there is a finding as bad as ``severity``, or worse."""
        bad = SEVERITIES[: SEVERITIES.index(severity) + 1]
        return any(finding.severity in bad for finding in self.findings)

    def find(self, kind: str) -> Finding | None:
        """Return the finding of a kind, or None."""
        return next((finding for finding in self.findings if finding.kind == kind), None)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can spell: all figures, and of each finding all items."""
        return {
            "format": FORMAT,
            "path": self.path,
            "bytes": self.bytes,
            "config": self.config,
            "facts": asdict(self.facts),
            "findings": [
                {
                    "kind": finding.kind,
                    "severity": finding.severity,
                    "title": finding.about.title,
                    "count": len(finding.items),
                    "meaning": finding.about.meaning,
                    "remedy": finding.about.remedy,
                    "items": [asdict(item) for item in finding.items],
                }
                for finding in self.findings
            ],
        }


def sorted_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that have items, the worst first, then in the order of the kinds."""
    order = {key: position for position, key in enumerate(KINDS)}
    return sorted(
        (finding for finding in findings if finding.items),
        key=lambda finding: (SEVERITIES.index(finding.severity), order[finding.kind]),
    )
