"""The result of a run, compared with the public annotation files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyskl.recordings.ntu.datasets import NtuDataset


@dataclass(frozen=True)
class WrittenFile:
    """An annotation file.

    Attributes:
        dataset: NTU RGB+D 60 or 120.
        path: The file.
        split_sizes: Samples of each split.
        persons: M of each sample.
        frames: T of each sample.
    """

    dataset: NtuDataset
    path: Path
    split_sizes: Mapping[str, int]
    persons: Sequence[int]
    frames: Sequence[int]

    def lines(self) -> list[str]:
        """Return the counts as text, with those of the public file if they differ."""
        found = {"samples": len(self.frames), **self.split_sizes}
        public = {"samples": self.dataset.num_samples, **self.dataset.split_sizes()}
        width = max(map(len, found))
        lines = [f"{self.path}"]
        for name, count in found.items():
            same = count == public[name]
            note = "as in the public file" if same else f"the public file has {public[name]:,}"
            lines.append(f"  {name:{width}} {count:>8,}  ({note})")
        persons = ", ".join(
            f"{count:,} of {number} {'person' if number == 1 else 'persons'}"
            for number, count in sorted(Counter(self.persons).items())
        )
        low, middle, high = np.percentile(self.frames, (0, 50, 100))
        return [
            *lines,
            f"  samples by persons: {persons}",
            f"  frames: {sum(self.frames):,} in all, {low:g} to {high:g} a sample, "
            f"{middle:g} in the median",
        ]


@dataclass(frozen=True)
class NtuReport:
    """The result of a run.

    Attributes:
        num_files: Raw files that were found, one per sample.
        num_missing: How many of them are on the official list of missing skeletons; left out.
        num_repeated: Number of further files of the same samples.
        written: The annotation files.
        problems: Messages about files that gave no sample or are ambiguous.
    """

    num_files: int
    num_missing: int
    num_repeated: int
    written: Sequence[WrittenFile]
    problems: Sequence[str]

    def text(self, most: int = 50) -> str:
        """Return it as text, with at most ``most`` of the problems."""
        lines = [
            f"{self.num_files:,} raw files, of which {self.num_missing:,} are on the official list "
            "of missing skeletons and left out"
        ]
        if self.num_repeated:
            lines.append(f"{self.num_repeated:,} more repeat samples of other files")
        for written in self.written:
            lines += written.lines()
        return "\n".join(lines + problem_lines(self.problems, most))


def problem_lines(problems: Sequence[str], most: int) -> list[str]:
    """Return lines that list problems with files, at most ``most`` of them."""
    if not problems:
        return []
    lines = [f"{len(problems):,} skipped {'file' if len(problems) == 1 else 'files'}:"]
    # File names may not be valid UTF-8.
    lines += [f"  {text.encode('utf-8', 'backslashreplace').decode()}" for text in problems[:most]]
    if len(problems) > most:
        lines.append(f"  ... and {len(problems) - most:,} more")
    return lines
