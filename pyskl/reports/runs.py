"""Read the work dirs of training runs: logs, config, scores and checkpoints.

Nothing in a work dir is run: the dumped config is read as data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeGuard

from pyskl.checkpoints.manager import LATEST
from pyskl.config.text import read_config_text
from pyskl.errors import ConfigError, InputError
from pyskl.evaluation.scores import origin_file, read_origin
from pyskl.files.hashing import sha256_of

Weights = Literal["best", "last"]
Points = list[tuple[float, float]]

_LOG = ".log.json"
_RUN_FILES = (_LOG, ".log", ".py", "_pred.pkl", "_pred.pkl.meta.json", ".pth")

# Entries of a validation's log line that are not metrics.
_NO_METRICS = ("mode", "epoch", "iter", "lr", "time", "data_time", "memory")

# A metric computed again may differ from the logged one by this much.
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Scored:
    """The scores of a run's weights.

    Attributes:
        path: The score file.
        weights: Whose scores they are.
        epoch: The epoch after which the weights were saved; None if it is not known.
        checkpoint: The file of these weights, if it is in the work dir and known to be theirs.
    """

    path: Path
    weights: Weights
    epoch: int | None = None
    checkpoint: Path | None = None

    def describe(self) -> str:
        """Return the weights in words, such as ``'best, epoch 3'``."""
        known = "of an unknown epoch" if self.epoch is None else f"epoch {self.epoch}"
        return f"{self.weights}, {known}"


@dataclass(frozen=True)
class Run:
    """The content of a work dir.

    Attributes:
        work_dir: The folder.
        config: The resolved config; empty if there is none that can be read.
        config_file: The dumped config; None if there is none, or more than one.
        config_text: The text of the config, from its file or else from the log.
        lines: The lines of the logs with a ``mode``, in the order of the steps. If a step was
            logged twice, as after a resume, the later line.
        head: The line without a ``mode``: ``env``, ``seed``, ``processes``, ``device``.
    """

    work_dir: Path
    config: Mapping[str, Any] = field(default_factory=dict)
    config_file: Path | None = None
    config_text: str = ""
    lines: Sequence[Mapping[str, Any]] = ()
    head: Mapping[str, Any] = field(default_factory=dict)

    @property
    def total_epochs(self) -> int | None:
        """The epochs that the config asks for."""
        total = self.config.get("total_epochs")
        return total if isinstance(total, int) else None

    @property
    def epochs(self) -> int:
        """The last epoch in the log."""
        return max((int(line.get("epoch", 0)) for line in self.lines), default=0)

    @property
    def progress(self) -> str:
        """The progress in words, such as ``'3 of 16 epochs'``."""
        return f"{self.epochs} of {self.total_epochs or '?'} epochs"

    @property
    def is_finished(self) -> bool:
        """Whether the last epoch is complete."""
        if self.total_epochs is None or self.epochs < self.total_epochs:
            return False
        return (self.work_dir / f"epoch_{self.total_epochs}.pth").exists() or any(
            line.get("mode") == "test"
            or (line.get("mode") == "val" and line.get("epoch") == self.total_epochs)
            for line in self.lines
        )

    @property
    def environment(self) -> Mapping[str, Any]:
        """What the log says about the machine and the software."""
        env = self.head.get("env")
        return env if isinstance(env, Mapping) else {}

    @property
    def seed(self) -> int | None:
        """The seed, if the log or the config has it."""
        seed = self.head.get("seed", self.config.get("seed"))
        return seed if isinstance(seed, int) else None

    @property
    def processes(self) -> int | None:
        """The number of training processes, if the log says so."""
        count = self.head.get("processes")
        return count if isinstance(count, int) else None

    def scores(self, weights: Weights) -> Path | None:
        """Return the score file of the best or the last weights, if it exists."""
        path = self.work_dir / f"{weights}_pred.pkl"
        return path if path.is_file() else None

    def scored(self, preferred: Weights) -> Scored | None:
        """Return the scores of the preferred weights, else of the others, if there are any.

        Their metadata, not their names, say which checkpoint they are of.

        Raises:
            InputError: if they are not the scores of the run's newest weights.
        """
        other: Weights = "last" if preferred == "best" else "best"
        for weights in (preferred, other):
            path = self.scores(weights)
            if path is not None:
                return self._scored(path, weights)
        return None

    def _scored(self, path: Path, weights: Weights) -> Scored:
        origin, newest = read_origin(path), self.checkpoint(weights)
        if origin is None or origin.checkpoint is None:
            if origin is not None and origin.fused:
                raise InputError("these are fused scores, not those of a run", file=path)
            return Scored(path, weights)
        name = Path(origin.checkpoint).name
        epoch = _epoch_in(name) if origin.epoch is None else origin.epoch
        named = self.work_dir / name
        candidates = [newest] if newest is not None else []
        if weights == "best" and named.is_file():
            candidates.append(named)  # each metric has a best checkpoint
        for checkpoint in candidates:
            if origin.checkpoint_sha256 is None:
                is_same = checkpoint.name == name
            else:
                is_same = sha256_of(checkpoint) == origin.checkpoint_sha256
            if is_same:
                return Scored(path, weights, _epoch_in(checkpoint.name) or epoch, checkpoint)
        # The weights may have been deleted; then the log says how far the run went.
        if newest is None and (weights == "best" or epoch in (None, self.epochs)):
            return Scored(path, weights, epoch)
        own = f"epoch {self.epochs}" if newest is None else _described(newest)
        theirs = _described(named, epoch)
        if theirs == own:
            theirs = f"an earlier {named.name}"
        raise InputError(
            f"according to the .meta.json the scores are of {theirs}, but the {weights} weights of "
            f"{own}",
            file=path,
            hint="test again with tools/test.py --out",
        )

    def checkpoint(self, weights: Weights) -> Path | None:
        """Return the best or the last checkpoint, if it exists."""
        if weights == "last":
            latest = self.work_dir / LATEST
            if latest.is_symlink() and latest.is_file():
                return self.work_dir / latest.resolve().name
        pattern = r"best_\w+_epoch_\d+\.pth" if weights == "best" else r"epoch_\d+\.pth"
        found = [path for path in self.work_dir.glob("*.pth") if re.fullmatch(pattern, path.name)]
        return max(found, key=lambda path: (_epoch_in(path.name), path.name), default=None)

    def tested(self, weights: Weights) -> dict[str, float]:
        """Return the metrics that the test at the end of the run logged."""
        found = {}
        for line in self.lines:
            if line.get("mode") == "test" and line.get("weights") == weights:
                found = {key: value for key, value in line.items() if isinstance(value, float)}
        return found

    def outdated_top1(self, weights: Weights, metrics: Mapping[str, float]) -> float | None:
        """Return the logged top-1 accuracy if it differs from that of these metrics."""
        logged, measured = self.tested(weights).get("top1_acc"), metrics.get("top1_acc")
        if logged is None or measured is None or abs(logged - measured) <= _TOLERANCE:
            return None
        return logged

    def curves(self) -> dict[tuple[str, str], Points]:
        """Return what was logged over the epochs, by mode and name, as in ``('train', 'loss')``.

        Points are (epoch, value), where the first epoch ends at 1. Training has a point for each
        line of the log, validation one for each epoch.
        """
        steps = [line.get("iter") for line in self.lines if line.get("mode") == "train"]
        per_epoch = max(filter(_is_number, steps), default=0)
        found: dict[tuple[str, str], Points] = {}
        for line in self.lines:
            mode, epoch, step = line.get("mode"), line.get("epoch"), line.get("iter")
            if not _is_number(epoch):
                continue
            if mode == "train" and per_epoch and _is_number(step):
                place, names = epoch - 1 + step / per_epoch, ["loss", "top1_acc", "lr"]
            elif mode == "val":
                place, names = epoch, [name for name in line if name not in _NO_METRICS]
            else:
                continue
            for name in names:
                if _is_number(line.get(name)):
                    points = found.setdefault((mode, name), [])
                    points.append((float(place), float(line[name])))
        return found


def _epoch_in(name: str) -> int | None:
    """Return the epoch in the name of a checkpoint."""
    match = re.search(r"epoch_(\d+)\.pth$", name)
    return int(match[1]) if match else None


def _described(checkpoint: Path, epoch: int | None = None) -> str:
    known = _epoch_in(checkpoint.name) if epoch is None else epoch
    return checkpoint.name if known is None else f"epoch {known} ({checkpoint.name})"


def epoch_of(place: float) -> int:
    """Return the epoch of a point of a curve: epoch 1 is from 0 to 1."""
    return max(int(-(-place // 1)), 1)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def find_runs(root: str | Path) -> list[Path]:
    """Return the work dirs under a folder, including itself, sorted by path.

    Raises:
        InputError: if there is no such folder, or no run in it.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError("there is no such folder", file=root)
    found = sorted({path.parent for path in root.rglob(f"*{_LOG}") if path.is_file()})
    if not found:
        raise InputError(f"there are no runs in it (a run has a <timestamp>{_LOG})", file=root)
    return found


def check_work_dir(work_dir: str | Path) -> Path:
    """Return the path of a run's work dir.

    Raises:
        InputError: if the folder is not a work dir.
    """
    folder = Path(work_dir)
    if any(folder.glob(f"*{_LOG}")):
        return folder
    if folder.is_dir():
        reason = f"it has no <timestamp>{_LOG}"
    else:
        reason = "it is a file" if folder.is_file() else "there is no such folder"
    raise InputError("this is not the work dir of a run", file=folder, hint=reason)


def input_files(path: str | Path) -> list[Path]:
    """Return the files to read: those of all runs in a folder, or a score file and its metadata."""
    path = Path(path)
    if not path.is_dir():
        return [path, origin_file(path)]
    return [file for file in path.rglob("*") if file.name.endswith(_RUN_FILES) and file.is_file()]


def read_run(work_dir: str | Path) -> Run:
    """Read the logs and the config of a work dir.

    Raises:
        InputError: if the folder is not a work dir.
    """
    folder = check_work_dir(work_dir)
    lines: list[dict[str, Any]] = []
    head: dict[str, Any] = {}
    for path in sorted(folder.glob(f"*{_LOG}")):
        own = list(_log_lines(path))
        head = next((line for line in reversed(own) if "mode" not in line), head)
        steps = [line for line in own if "mode" in line]
        if steps:
            # A resumed run repeats the steps after its checkpoint: the earlier lines are dropped.
            lines = [line for line in lines if _position(line) < _position(steps[0])] + steps
    files = list(folder.glob("*.py"))
    config_file = files[0] if len(files) == 1 else None
    texts = [str(head.get("config", ""))]
    if config_file is not None:
        texts.insert(0, config_file.read_text(encoding="utf-8", errors="replace"))
    config: dict[str, Any] = {}
    for text in texts:
        try:
            config = read_config_text(text, str(folder))
            break
        except ConfigError:  # not a dumped config
            continue
    return Run(folder, config, config_file, texts[0], lines, head)


def _log_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a ``.log.json``, except one that was cut off."""
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict):
            yield line


def _position(line: Mapping[str, Any]) -> tuple[float, bool, float]:
    """Return the sort key of a line: epoch, training before validation, iteration."""
    mode = line.get("mode")
    if mode not in ("train", "val"):
        return (float("inf"), False, 0.0)
    return (float(line.get("epoch", 0)), mode == "val", float(line.get("iter", 0)))
