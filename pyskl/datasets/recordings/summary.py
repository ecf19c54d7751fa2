"""What a conversion made, for people to read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

# How many files that could not be read are spelled out before they are only counted.
SHOWN = 20


@dataclass
class Summary:
    """What a conversion made.

    Attributes:
        out: The annotation file.
        classes: Samples of each class, by name or number, in their order.
        splits: Samples of each split.
        frames: Frames of each sample.
        persons: How many samples have how many persons.
        joints: V.
        dim: C.
        layout: The skeleton: a built-in one's name, the file it was written to, or None.
        failures: What could not be read or used, and why.
        ignored: Files that were left alone, by suffix.
        notes: What is worth knowing before training.
    """

    out: Path
    classes: dict[str, int] = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)
    frames: list[int] = field(default_factory=list)
    persons: Counter[int] = field(default_factory=Counter)
    joints: int = 0
    dim: int = 0
    layout: str | None = None
    failures: list[tuple[str, str]] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return it as lines to print."""
        ordered = sorted(self.frames)
        middle = ordered[len(ordered) // 2]
        lines = [
            f"{self.out}: {len(ordered)} samples",
            f"joints: {self.joints} of {self.dim} coordinates, layout {self.layout or 'unknown'}",
            f"frames: {ordered[0]} to {ordered[-1]}, median {middle}",
            "persons: "
            + ", ".join(
                f"{persons} in {self.persons[persons]}" for persons in sorted(self.persons)
            ),
            f"classes: {len(self.classes)}",
            *(
                f"  {number} {name}: {count}" if name != str(number) else f"  {name}: {count}"
                for number, (name, count) in enumerate(self.classes.items())
            ),
            "splits: "
            + (", ".join(f"{name} {count}" for name, count in self.splits.items()) or "none"),
        ]
        if self.ignored:
            kinds = ", ".join(f"{count} {suffix}" for suffix, count in self.ignored.most_common(6))
            lines.append(f"left alone: {kinds}")
        lines += [f"note: {note}" for note in self.notes]
        if self.failures:
            lines.append(f"left out: {len(self.failures)}")
            lines += [f"  {reason}" for _, reason in self.failures[:SHOWN]]
            if len(self.failures) > SHOWN:
                lines.append(f"  ... and {len(self.failures) - SHOWN} more")
        return "\n".join(lines)
