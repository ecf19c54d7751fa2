"""The table of the model zoo, in Markdown and as plain values."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pyskl.evaluation.fusion import STREAMS

FUSIONS = {"two-stream": ("j", "b"), "four-stream": ("j", "b", "jm", "bm")}
"""The columns of fusions, and the streams that each is of."""

_DASH = "-"


@dataclass(frozen=True)
class Cell:
    """A number of the table, and how it was obtained.

    Attributes:
        name: ``'joint'`` and the like, or ``'two-stream'``, ``'four-stream'``.
        figures: ``top1_acc``, ``top5_acc``, ``mean_class_accuracy``, from 0 to 1; empty where
            there are none.
        files: Score files.
        weights: ``'best'`` or ``'last'``; of a fusion, of each file.
        epoch: After which the weights were saved.
        total_epochs: Of the run.
        seed: Of the run.
        clips: Of each sample in the test.
        samples: Of the test.
        processes: That trained.
        config: The config to link to.
        checkpoint: The weights to link to.
        reason: Why there is no number.
        remark: What else to know of it.
    """

    name: str
    figures: dict[str, float] = field(default_factory=dict)
    files: Sequence[str] = ()
    weights: Sequence[str] = ()
    epoch: int | None = None
    total_epochs: int | None = None
    seed: int | None = None
    clips: int | None = None
    samples: int | None = None
    processes: int | None = None
    config: str | None = None
    checkpoint: str | None = None
    reason: str | None = None
    remark: str | None = None

    @property
    def top1(self) -> float | None:
        """The number that the table shows."""
        return self.figures.get("top1_acc")


@dataclass(frozen=True)
class ZooRow:
    """A row: the streams of one practice on one data set.

    Attributes:
        folder: Where its runs are.
        data: The data set.
        practice: The practice.
        annotation: What the skeletons are.
        gpus: In words.
        epochs: Over the data.
        cells: By name.
    """

    folder: str
    data: str
    practice: str
    annotation: str
    gpus: str
    epochs: str
    cells: dict[str, Cell] = field(default_factory=dict)


@dataclass(frozen=True)
class Zoo:
    """The table.

    Attributes:
        rows: In the order of the folders' names.
    """

    rows: list[ZooRow]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return asdict(self)

    def markdown(self, folder: str | Path = ".") -> str:
        """Return the table in Markdown, with what each number is below it.

        Args:
            folder: Of the file that it is going to be in: links lead from there.
        """
        names = [*STREAMS.values(), *FUSIONS]
        header = ["data set", "practice", "annotation", "GPUs", "epochs", *names]
        lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
        for row in self.rows:
            practice = f"[{row.practice or _DASH}]({_link(row.folder, folder)})"
            words = [row.data, practice, row.annotation, row.gpus, row.epochs]
            words += [_shown(row.cells[name], folder) for name in names]
            lines.append(f"| {' | '.join(_safe(word) or _DASH for word in words)} |")
        lines += ["", "Top-1 in %. How each number was obtained:", ""]
        lines += list(self._explained(missing=False)) or ["- there are none"]
        missing = list(self._explained(missing=True))
        if missing:
            lines += ["", "Missing:", "", *missing]
        return "\n".join(lines) + "\n"

    def _explained(self, *, missing: bool) -> Iterator[str]:
        for row in self.rows:
            for cell in row.cells.values():
                if missing and cell.reason is not None:
                    yield f"- {row.folder}, {cell.name}: {cell.reason}"
                elif not missing and cell.top1 is not None:
                    yield f"- {row.folder}, {cell.name} {100 * cell.top1:.1f}: {_obtained(cell)}"


def _obtained(cell: Cell) -> str:
    files = ", ".join(f"`{file}`" for file in cell.files)
    if cell.name in FUSIONS:
        kinds = sorted(set(cell.weights))
        return f"{cell.remark} of {files}; {' and '.join(kinds)} weights; {cell.samples} samples"
    words = [files, f"{cell.weights[0]} weights"]
    if cell.epoch is not None:
        words.append(f"epoch {cell.epoch} of {cell.total_epochs}")
    for value, what in (
        (cell.seed, "seed {}"),
        (cell.clips, "{} clips"),
        (cell.samples, "{} samples"),
    ):
        if value is not None:
            words.append(what.format(value))
    return ", ".join(words) + (f" ({cell.remark})" if cell.remark else "")


def _shown(cell: Cell, folder: str | Path) -> str:
    if cell.top1 is None:
        return _DASH
    text = f"{100 * cell.top1:.1f}"
    if cell.config is not None:
        text = f"[{text}]({_link(cell.config, folder)})"
    if cell.checkpoint is not None:
        text += f" ([pth]({_link(cell.checkpoint, folder)}))"
    return text


def _link(path: str, folder: str | Path) -> str:
    relative = os.path.relpath(path, folder).replace(os.sep, "/")
    return relative.replace(" ", "%20").replace("(", "%28").replace(")", "%29")


def _safe(word: str) -> str:
    return word.replace("|", "\\|").replace("\n", " ")
