"""What came out of the raw files, beside what the public annotation files have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyskl.recordings.ntu.data_sets import DataSet
from pyskl.recordings.ntu.raw_files import Odd


@dataclass(frozen=True)
class Written:
    """What an annotation file has.

    Attributes:
        data_set: Which of the two it is of.
        path: The file.
        split_sizes: Samples of each split.
        persons: Samples by number of persons.
        frames: Frames of each sample, (n,).
    """

    data_set: DataSet
    path: Path
    split_sizes: Mapping[str, int]
    persons: Mapping[int, int]
    frames: np.ndarray

    @classmethod
    def of(
        cls,
        data_set: DataSet,
        path: Path,
        split: Mapping[str, Sequence[str]],
        shapes: Iterable[tuple[str, int, int]],
    ) -> Written:
        """Count what was written: the splits, and (name, persons, frames) of each sample."""
        shapes = list(shapes)
        return cls(
            data_set,
            path,
            {name: len(ids) for name, ids in split.items()},
            dict(sorted(Counter(persons for _, persons, _ in shapes).items())),
            np.array([frames for *_, frames in shapes]),
        )

    def lines(self) -> list[str]:
        """Return the counts as lines of text, with those of the public file where they differ."""
        found = {"samples": len(self.frames), **self.split_sizes}
        public = {"samples": self.data_set.num_samples, **self.data_set.split_sizes()}
        width = max(map(len, found))
        lines = [f"{self.path}"]
        for name, count in found.items():
            same = count == public[name]
            note = "as in the public file" if same else f"the public file has {public[name]:,}"
            lines.append(f"  {name:{width}} {count:>8,}  ({note})")
        persons = ", ".join(
            f"{count:,} of {number} {'person' if number == 1 else 'persons'}"
            for number, count in self.persons.items()
        )
        low, middle, high = np.percentile(self.frames, (0, 50, 100))
        lines.append(f"  samples by persons: {persons}")
        lines.append(
            f"  frames: {self.frames.sum():,} in all, {low:g} to {high:g} a sample, "
            f"{middle:g} in the median"
        )
        return lines


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes:
        num_files: Raw files that were found, one a sample.
        num_missing: Those of them on the official list of missing skeletons, which are left out.
        num_repeated: Further files of samples that were there already.
        written: The annotation files.
        odd: Files that gave no sample, or are not what they should be.
    """

    num_files: int
    num_missing: int
    num_repeated: int
    written: Sequence[Written]
    odd: Sequence[Odd]

    def text(self, most: int = 50) -> str:
        """Return all of it as text.

        Args:
            most: How many odd files are spelled out.
        """
        lines = [
            f"{self.num_files:,} raw files, of which {self.num_missing:,} are on the official list "
            "of missing skeletons and left out"
        ]
        if self.num_repeated:
            lines.append(f"{self.num_repeated:,} more are of samples that are there already")
        for written in self.written:
            lines += written.lines()
        return "\n".join(lines + odd_lines(self.odd, most))


def odd_lines(odd: Sequence[Odd], most: int) -> list[str]:
    """Return lines that list odd files with their reasons, at most so many of them."""
    if not odd:
        return []
    lines = [f"{len(odd):,} odd {'file' if len(odd) == 1 else 'files'}:"]
    for file, reason in odd[:most]:
        # A file's name may be of bytes that are no text.
        shown = file.encode("utf-8", "backslashreplace").decode()
        lines.append(f"  {shown}: {reason}")
    if len(odd) > most:
        lines.append(f"  ... and {len(odd) - most:,} more")
    return lines
