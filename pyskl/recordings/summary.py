"""What a conversion made, for people to read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pyskl.recordings.numbers import listed

# How many reasons why files could not be read are spelled out, and how many files of each.
_REASONS = 20
_NAMED = 3


class Failure(NamedTuple):
    """What could not be read or used.

    Attributes:
        what: The file or the recording.
        message: What was said of it; it begins with ``what`` where it is about the whole of it.
    """

    what: str
    message: str

    @property
    def reason(self) -> str | None:
        """What is wrong, without what it is wrong with; None where both can't be told apart."""
        reason = self.message.removeprefix(f"{self.what}: ")
        return None if reason == self.message else reason


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
    failures: list[Failure] = field(default_factory=list)
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
            lines += [f"  {line}" for line in self.reasons()]
        return "\n".join(lines)

    def reasons(self) -> list[str]:
        """Return a line for each reason why something was left out, with what it was."""
        groups: dict[str, list[Failure]] = {}
        for failure in self.failures:
            groups.setdefault(failure.reason or failure.message, []).append(failure)
        lines = [
            group[0].message
            if len(group) == 1
            else f"{listed([failure.what for failure in group], _NAMED)}: {reason}"
            for reason, group in groups.items()
        ]
        rest = sum(map(len, list(groups.values())[_REASONS:]))
        return lines[:_REASONS] + ([f"... and {rest} more"] if rest else [])
