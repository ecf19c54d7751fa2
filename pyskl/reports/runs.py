"""Finished and unfinished runs, by what they left in their work dirs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pyskl.config.text import read_config_text
from pyskl.errors import ConfigError, InputError
from pyskl.evaluation.score_origin import origin_file

Weights = Literal["best", "last"]

_LOG = ".log.json"
# What ends the names of files that runs leave: logs, config, scores and their origin, weights.
_LEFT = (_LOG, ".log", ".py", "_pred.pkl", "_pred.pkl.meta.json", ".pth")


@dataclass(frozen=True)
class Run:
    """What a work dir tells of a run.

    Attributes:
        work_dir: The folder.
        config: The config, resolved; empty where none can be read.
        config_file: The dumped config; None if there is none, or more than one.
        lines: The lines of its ``.log.json``, without their heads, in the order of the steps; where
            a step was taken twice, as after an interruption, the later line.
        head: What the log says of the run: ``env``, ``seed``, ``processes``.
    """

    work_dir: Path
    config: Mapping[str, Any]
    config_file: Path | None
    lines: Sequence[Mapping[str, Any]]
    head: Mapping[str, Any] = field(default_factory=dict)

    @property
    def total_epochs(self) -> int | None:
        """Epochs that the run was to take."""
        total = self.config.get("total_epochs")
        return total if isinstance(total, int) else None

    @property
    def epochs(self) -> int:
        """The epoch that the log ends in."""
        return max((int(line.get("epoch", 0)) for line in self.lines), default=0)

    @property
    def is_finished(self) -> bool:
        """Whether the last epoch was taken to its end."""
        if self.total_epochs is None or self.epochs < self.total_epochs:
            return False
        return (self.work_dir / f"epoch_{self.total_epochs}.pth").exists() or any(
            line.get("mode") == "test"
            or (line.get("mode") == "val" and line.get("epoch") == self.total_epochs)
            for line in self.lines
        )

    @property
    def seed(self) -> int | None:
        """The seed, if the log or the config has it."""
        seed = self.head.get("seed", self.config.get("seed"))
        return seed if isinstance(seed, int) else None

    @property
    def processes(self) -> int | None:
        """How many processes trained, if the logs say so."""
        found = self.head.get("processes")
        if isinstance(found, int):
            return found
        for path in sorted(self.work_dir.glob("*.log"), reverse=True):
            text = path.read_text(encoding="utf-8", errors="replace")
            told = re.findall(r"(\d+) process\(es\)", text)
            if told:
                return int(told[-1])
        return None

    def scores(self, weights: Weights) -> Path | None:
        """Return the scores of the last or the best weights, if they are there."""
        path = self.work_dir / f"{weights}_pred.pkl"
        return path if path.is_file() else None

    def checkpoint(self, weights: Weights) -> Path | None:
        """Return the last or the best checkpoint, if it is there."""
        found = {}
        for path in self.work_dir.glob("*.pth"):
            pattern = r"best_\w+_epoch_(\d+)\.pth" if weights == "best" else r"epoch_(\d+)\.pth"
            match = re.fullmatch(pattern, path.name)
            if match:
                found[int(match[1])] = path
        return found[max(found)] if found else None

    def epoch_of(self, weights: Weights) -> int | None:
        """Return after which epoch the last or the best weights were saved."""
        path = self.checkpoint(weights)
        return None if path is None else int(path.stem.rpartition("_")[2])

    def tested(self, weights: Weights) -> dict[str, float]:
        """Return the figures that the run's own final test logged."""
        found = {}
        for line in self.lines:
            if line.get("mode") == "test" and line.get("weights") == weights:
                found = {key: value for key, value in line.items() if isinstance(value, float)}
        return found

    def curve(self, mode: str, figure: str) -> list[tuple[float, float]]:
        """Return a figure by epoch: that of ``'train'`` as the mean of an epoch's lines.

        Args:
            mode: ``'train'`` or ``'val'``.
            figure: Such as ``'loss'``.
        """
        found: dict[int, list[float]] = {}
        for line in self.lines:
            value = line.get(figure)
            if line.get("mode") == mode and isinstance(value, (int, float)):
                found.setdefault(int(line.get("epoch", 0)), []).append(float(value))
        return [(epoch, sum(values) / len(values)) for epoch, values in sorted(found.items())]


def is_run(folder: str | Path) -> bool:
    """Return whether a folder is the work dir of a run: whether it has a ``.log.json``."""
    return any(Path(folder).glob(f"*{_LOG}"))


def find_runs(root: str | Path) -> list[Path]:
    """Return the work dirs under a folder, itself included, in the order of their names.

    Raises:
        InputError: if there is no such folder, or no run in it.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root}: there is no such folder")
    found = sorted({path.parent for path in root.rglob(f"*{_LOG}") if path.is_file()})
    if not found:
        raise InputError(f"{root}: there are no runs in it (a run has a <timestamp>{_LOG})")
    return found


def check_work_dir(work_dir: str | Path) -> Path:
    """Return the path of a run's work dir.

    Raises:
        InputError: if the folder is none.
    """
    folder = Path(work_dir)
    if is_run(folder):
        return folder
    reason = f"there is no <timestamp>{_LOG}" if folder.is_dir() else "there is no such folder"
    if folder.is_file():
        reason = "it is a file"
    raise InputError(f"{folder}: it is no work dir of a run ({reason})")


def files_read(path: str | Path) -> list[Path]:
    """Return the files that a run left in a folder or below it; of a file, it and its origin."""
    path = Path(path)
    if not path.is_dir():
        return [path, origin_file(path)]
    return [file for file in path.rglob("*") if file.name.endswith(_LEFT) and file.is_file()]


def read_run(work_dir: str | Path) -> Run:
    """Read what a work dir tells of its run; nothing in it is run.

    Raises:
        InputError: if the folder is no work dir.
    """
    folder = check_work_dir(work_dir)
    lines: list[dict[str, Any]] = []
    head: dict[str, Any] = {}
    for path in sorted(folder.glob(f"*{_LOG}")):
        own = list(_lines(path))
        steps = [line for line in own if "mode" in line]
        heads = [line for line in own if "mode" not in line]
        if heads:
            head = heads[-1]
        if steps:
            # A log that goes on from a checkpoint begins after it: what others have from there on
            # was taken again.
            lines = [line for line in lines if _position(line) < _position(steps[0])] + steps
    config_file, config = _config(folder, head)
    return Run(folder, config, config_file, lines, head)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a file of figures; one that was cut off is left out."""
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict):
            yield line


def _position(line: Mapping[str, Any]) -> tuple[float, int, float]:
    """Return where in a run a line stands: epoch, then training before validation, iteration."""
    mode = line.get("mode")
    if mode not in ("train", "val"):
        return (float("inf"), 0, 0.0)
    epoch, step = line.get("epoch", 0), line.get("iter", 0)
    return (float(epoch), int(mode == "val"), float(step))


def _config(folder: Path, head: Mapping[str, Any]) -> tuple[Path | None, dict[str, Any]]:
    """Return the dumped config's path and content; where it can't be read, the log's."""
    files = sorted(folder.glob("*.py"))
    config_file = files[0] if len(files) == 1 else None
    texts = [head.get("config")]
    if config_file is not None:
        texts.insert(0, config_file.read_text(encoding="utf-8", errors="replace"))
    for text in texts:
        try:
            if isinstance(text, str):
                return config_file, read_config_text(text, str(folder))
        except ConfigError:  # as a person wrote it
            continue
    return config_file, {}
