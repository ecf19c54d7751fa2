"""What a dry run found, as fields and as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import numpy as np

from pyskl.apis.rehearsal import FirstSteps, Scored
from pyskl.evaluation.evaluate import describe_metrics
from pyskl.files.download import readable_size
from pyskl.models.cost import ModelCost
from pyskl.text_table import table_lines

# From so many classes on, the table of samples has several columns of them side by side.
_MANY_CLASSES = 30
_COLUMNS = 3

# How many samples of the first batch are named.
_NAMED = 4


@dataclass(frozen=True)
class SplitCounts:
    """The samples of one of a run's data sets.

    Attributes:
        use: ``'train'``, ``'val'`` or ``'test'``.
        per_class: Samples of each class, of as many classes in all splits of a report; a sample
            with several labels counts for each.
        samples: Their number.
        times: How often an epoch passes over them.
    """

    use: str
    per_class: Sequence[int]
    samples: int
    times: int = 1


@dataclass(frozen=True)
class DryRunReport:
    """What a dry run found. Times are in seconds, sizes in bytes.

    Attributes:
        config: The config's file.
        work_dir: Where the run would write.
        start: Where the run would start, in words.
        seed: Of the run.
        model: The recognizer, in words.
        computing: Device, processes, precision, in words.
        memory: Of the device: the GPU's, or the machine's; None where that is not known.
        parameters: Numbers in the model that are learned, or could be.
        trained: Those of them that the run trains.
        cost: Operations for one clip; None if they could not be counted.
        steps: What the first steps took.
        scored: What a batch of ``'val'`` and ``'test'`` took, as far as the run measures them.
        batch: Samples a step, of all processes.
        per_epoch: Steps of an epoch.
        epochs: Of the run.
        epochs_left: Those that are not done yet.
        validations_left: Validations between them.
        rates: The learning rate of the first step, half-way, and of the last.
        splits: The samples.
        label_names: Names of the classes, where the data set knows them.
    """

    config: str
    work_dir: Path
    start: str
    seed: int
    model: str
    computing: str
    memory: int | None
    parameters: int
    trained: int
    cost: ModelCost | None
    steps: FirstSteps
    scored: Mapping[str, Scored]
    batch: int
    per_epoch: int
    epochs: int
    epochs_left: int
    validations_left: int
    rates: tuple[float, float, float]
    splits: Sequence[SplitCounts]
    label_names: Sequence[str] = field(default_factory=tuple)

    @property
    def epoch_seconds(self) -> float:
        """Roughly how long an epoch takes, without validation."""
        return self.per_epoch * (self.steps.later or self.steps.first)

    @property
    def validation_seconds(self) -> float:
        """Roughly how long a validation takes; 0 where there is none."""
        val = self.scored.get("val")
        return val.seconds * val.batches if val is not None else 0.0

    @property
    def run_seconds(self) -> float:
        """Roughly how long the rest of the run takes, without tests at its end."""
        return (
            self.epochs_left * self.epoch_seconds + self.validations_left * self.validation_seconds
        )

    def text(self) -> str:
        """Return what a person reads."""
        parts = [
            f"dry run of {self.config}: nothing is written to {self.work_dir}",
            _pairs(self._run()),
            "\n".join(["first batch", _pairs(self._first_batch())]),
            "\n".join(["measured; times are rough", _pairs(self._measured())]),
            "\n".join(["samples of each class", *self._table(), *self._remarks()]),
        ]
        return "\n\n".join(parts)

    def _run(self) -> dict[str, str]:
        keypoint = self.steps.batch.shape  # N, clips, M, T, V, C
        trained = "" if self.trained == self.parameters else f", of which {self.trained:,} train"
        flop = "not counted: the model computes no clip by itself"
        if self.cost is not None:
            flop = (
                f"{_giga(self.cost.flops)} forward, {_giga(self.cost.step_flops)} a training step, "
                f"for a clip of {_several(keypoint[2], 'person')} x {keypoint[3]} frames"
            )
        clips = self.splits[0].samples * self.splits[0].times
        times = f" ({self.splits[0].times} passes)" if self.splits[0].times > 1 else ""
        first, middle, last = self.rates
        return {
            "start": f"{self.start}; seed {self.seed}",
            "computing": self.computing,
            "model": f"{self.model}, {self.parameters:,} parameters{trained}",
            "operations": flop,
            "epoch": f"{clips:,} samples{times} in {self.per_epoch:,} steps of {self.batch}",
            "run": f"{_several(self.epochs, 'epoch')}, {self.epochs * self.per_epoch:,} steps",
            "lr": f"{first:.3g} in the first step, {middle:.3g} half-way, {last:.3g} in the last",
        }

    def _first_batch(self) -> dict[str, str]:
        batch = self.steps.batch
        shape = "N, clips, M, T, V, C" if len(batch.shape) == 6 else "its shape"
        named = [
            f"{name} is {self._class(label)}"
            for name, label in zip(batch.sample_ids[:_NAMED], batch.labels)
        ]
        more = len(batch.sample_ids) - len(named)
        return {
            "keypoint": f"{batch.shape} ({shape}), {batch.dtype}",
            "values": f"{batch.low:.4g} to {batch.high:.4g}, {batch.zeros:.0%} of them zero",
            "labels": ", ".join(named) + (f", and {more} more" if more > 0 else ""),
            "loss": describe_metrics(self.steps.losses),
        }

    def _class(self, label: Sequence[int]) -> str:
        """Return the classes of a sample, by name where they have one."""
        names = dict(enumerate(self.label_names))
        return "+".join(f"{one} ({names[one]})" if one in names else str(one) for one in label)

    def _measured(self) -> dict[str, str]:
        steps = self.steps
        found = {"first batch": f"after {steps.until_batch:.2g} s"}
        found["first step"] = f"{steps.first:.2g} s"
        if steps.later is not None:
            found["a later step"] = f"{steps.later:.2g} s, with waiting for its batch"
        found["an epoch"] = _duration(self.epoch_seconds)
        if "val" in self.scored:
            found["a validation"] = _duration(self.validation_seconds)
        if "test" in self.scored:
            test = self.scored["test"]
            found["a test"] = _duration(test.seconds * test.batches)
        left = f"{_several(self.epochs_left, 'epoch')} left"
        found["the run" if self.epochs_left == self.epochs else left] = _duration(self.run_seconds)
        found["memory"] = self._memory()
        return found

    def _memory(self) -> str:
        if self.steps.peak is None:
            return "this system does not tell"
        of = f" of {readable_size(self.memory)}" if self.memory is not None else ""
        growth = self.steps.growth
        step = "" if growth is None else f", {readable_size(growth)} of them for the step"
        return f"{readable_size(self.steps.peak)}{of} a process at most{step}; workers not counted"

    def _table(self) -> list[str]:
        """Return the lines of the table of samples per class."""
        head = ["class", *(split.use for split in self.splits)]
        rows = [
            [self._class([label]), *(f"{count:,}" for count in counts)]
            for label, counts in enumerate(zip(*(split.per_class for split in self.splits)))
        ]
        total = ["all", *(f"{split.samples:,}" for split in self.splits)]
        first, *lines, last = table_lines([head, *rows, total], left=0)
        tall = -(-len(lines) // (_COLUMNS if len(lines) > _MANY_CLASSES else 1))
        columns = [[first, *lines[i : i + tall]] for i in range(0, len(lines), tall)]
        beside = ["    ".join(row) for row in zip_longest(*columns, fillvalue="")]
        return [f"  {line}".rstrip() for line in (*beside, last)]

    def _remarks(self) -> list[str]:
        """Return what is strange about the samples."""
        train = np.array(self.splits[0].per_class)
        remarks = []
        empty = np.flatnonzero(train == 0)
        if len(empty):
            remarks.append(f"  no training sample of {_listed(empty)}")
        for split in self.splits[1:]:
            lacking = np.flatnonzero((np.array(split.per_class) == 0) & (train > 0))
            if len(lacking):
                remarks.append(f"  no sample of {_listed(lacking)} in {split.use}")
        return remarks


def _pairs(found: Mapping[str, str]) -> str:
    """Return lines of a name and what there is to say of it."""
    width = max(map(len, found))
    return "\n".join(f"  {name.ljust(width)}  {value}" for name, value in found.items())


def _listed(classes: Sequence[int] | np.ndarray, most: int = 10) -> str:
    more = f" and {len(classes) - most} more" if len(classes) > most else ""
    word = "class" if len(classes) == 1 else "the classes"
    return f"{word} {', '.join(str(one) for one in classes[:most])}{more}"


def _several(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _giga(operations: int) -> str:
    return f"{operations / 1e9:.3g} GFLOP"


def _duration(seconds: float) -> str:
    """Return a duration for people, to two units: ``'2 h 5 min'``."""
    if seconds < 1:
        return f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next(i for i, (count, _) in enumerate(units) if count)
    return " ".join(f"{count} {unit}" for count, unit in units[first : first + 2] if count)
