"""The report about a conversion."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pyskl.errors import InputError
from pyskl.recordings.numbers import listed

# How many reasons for leaving out recordings are printed, and how many recordings of each.
_REASONS = 20
_NAMED = 3


@dataclass
class ConversionReport:
    """The result of a conversion.

    Attributes:
        out: The annotation file.
        classes: Samples of each class, by name or number, in their order.
        splits: Samples of each split.
        frames: Frames of each sample.
        persons: Number of samples by number of persons.
        joints: V.
        dim: C.
        layout: The skeleton: name of a built-in layout, the file that it was written to, or None.
        failures: Files and recordings that were left out, and why.
        ignored: Other files in the folders, by suffix.
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
    failures: list[tuple[str, InputError]] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the report as text."""
        frames = sorted(self.frames)
        persons = ", ".join(
            f"{number} in {count}" for number, count in sorted(self.persons.items())
        )
        lines = [
            f"{self.out}: {len(frames)} samples",
            f"joints: {self.joints} of {self.dim} coordinates, layout {self.layout or 'unknown'}",
            f"frames: {frames[0]} to {frames[-1]}, median {frames[len(frames) // 2]}",
            f"persons: {persons}",
            f"classes: {len(self.classes)}",
        ]
        for number, (name, count) in enumerate(self.classes.items()):
            lines.append(
                f"  {name}: {count}" if name == str(number) else f"  {number} {name}: {count}"
            )
        splits = ", ".join(f"{name} {count}" for name, count in self.splits.items())
        lines.append(f"splits: {splits or 'none'}")
        if self.ignored:
            kinds = ", ".join(f"{count} {suffix}" for suffix, count in self.ignored.most_common(6))
            lines.append(f"other files: {kinds}")
        lines += [f"note: {note}" for note in self.notes]
        if self.failures:
            lines.append(f"left out: {len(self.failures)}")
            lines += [f"  {line}" for line in self.reasons()]
        return "\n".join(lines)

    def reasons(self) -> list[str]:
        """Return a line for each reason for leaving out recordings, with the first of these."""
        groups: dict[str, list[tuple[str, InputError]]] = {}
        for what, error in self.failures:
            reason = str(error)
            if error.file in (None, what) and not error.errors:
                reason = str(
                    InputError(
                        error.problem,
                        key=error.key,
                        found=error.found,
                        expected=error.expected,
                        hint=error.hint,
                    )
                )
            groups.setdefault(reason, []).append((what, error))
        lines = [
            str(group[0][1])
            if len(group) == 1
            else f"{listed([what for what, _ in group], _NAMED)}: {reason}"
            for reason, group in groups.items()
        ]
        rest = sum(map(len, list(groups.values())[_REASONS:]))
        return lines[:_REASONS] + ([f"... and {rest} more"] if rest else [])
