"""A dry run of a training: build everything, take a few steps, report, and keep nothing.

Shapes: N batch, M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch.utils.data import DataLoader

from pyskl.apis.data import build_loader, loader_settings
from pyskl.apis.settings import TrainSettings
from pyskl.apis.train import TrainingRun, build_trainer, open_run
from pyskl.checkpoints.manager import LATEST
from pyskl.distributed.collectives import (
    broadcast_object,
    gather_objects,
    raise_on_all_ranks,
)
from pyskl.distributed.env import Launcher, warn_of_slow_devices
from pyskl.distributed.stop_signals import prepare_workers
from pyskl.errors import DeviceError, InputError
from pyskl.evaluation.evaluate import describe_metrics
from pyskl.evaluation.metrics import check_finite_scores
from pyskl.evaluation.scoring import is_compiled, predictions
from pyskl.files.download import readable_size
from pyskl.logging.log import setup_logging
from pyskl.logging.run_log import RunLog
from pyskl.models.cost import model_cost
from pyskl.text_table import table_lines
from pyskl.training.memory import peak_memory, resident
from pyskl.training.nonfinite import NonFiniteStep
from pyskl.training.trainer import Trainer

# How many steps to time after the first one, and for how many seconds at most.
_TIMED_STEPS = 5
_TIMED_SECONDS = 10.0


@dataclass(frozen=True)
class Measurements:
    """What the first steps of a run took, in seconds and bytes.

    Attributes:
        batch: The first batch of this process: ``keypoint`` (N, clips, M, T, V, C), ``label``.
        sample_ids: The ids of its samples, or their positions in the data set.
        losses: The losses of the first step.
        first_batch: The wait for the first batch.
        first_step: The time of the first step.
        later_step: The median time of later steps, with the wait for the batch; None if an epoch
            has only one step.
        scoring: The time to score a batch of ``'val'`` and ``'test'``.
        batches: The number of batches of ``'val'`` and ``'test'`` on this process.
        peak: The peak memory of the process that used most: on a GPU allocated by torch, on the
            CPU resident; None if the system does not report it.
        growth: How much of ``peak`` the first step added.
    """

    batch: Mapping[str, Any]
    sample_ids: Sequence[str]
    losses: Mapping[str, float]
    first_batch: float
    first_step: float
    later_step: float | None
    scoring: Mapping[str, float]
    batches: Mapping[str, int]
    peak: int | None
    growth: int | None


class DryRunTrainer(Trainer):
    """A trainer that takes and measures only the first steps of a run."""

    def measure(self, tests: Mapping[str, DataLoader]) -> Measurements:
        """Take a few steps of the next epoch, and score a batch of each loader in ``tests``.

        All processes must call it.

        Args:
            tests: The loaders of ``'val'`` and ``'test'``, if the run uses them.

        Raises:
            TrainingError: if a step is not finite and ``on_nonfinite`` is ``'stop'``.
            LostProcessError: if a data worker or another process died.
            DeviceError: if a step does not fit into the memory of the GPU.
        """
        sampler: Any = self.loader.batch_sampler
        with self.supervised():
            self.monitor.stop.raise_at_once = True  # there is nothing to save
            try:
                return self._measure(sampler, tests)
            except torch.OutOfMemoryError as error:
                raise DeviceError(
                    f"a step of {sampler.batch_size} clips per process does not fit into the "
                    f"memory ({str(error).partition('. ')[0]})",
                    key="data.videos_per_gpu",
                    found=sampler.batch_size,
                    hint="lower it, or compute in bf16 (--amp bf16)",
                ) from error

    def _measure(self, sampler: Any, tests: Mapping[str, DataLoader]) -> Measurements:
        prepare_workers(self.loader, self.monitor.timeouts.stall)
        sampler.set_epoch(self.progress.epoch)
        keys = next(iter(sampler))
        ids = getattr(getattr(self.loader.dataset, "dataset", None), "sample_ids", None)
        batches = self._batches()
        self.parallel.train()
        start = time.perf_counter()
        batch = next(batches)
        first_batch = time.perf_counter() - start
        before = resident()
        with peak_memory(self.device) as memory:
            start = time.perf_counter()
            losses = self._timed_step(batch, 0)
            first_step = time.perf_counter() - start
        peak, growth = memory.bytes, memory.bytes
        if self.device.type == "cuda":
            peak = torch.cuda.max_memory_allocated(self.device)
        elif peak is not None:
            growth = None
            if before is not None:
                growth = max(0, peak - before.anonymous - before.file - before.shared)
        # All processes have to take the same number of steps.
        count = broadcast_object(max(1, min(_TIMED_STEPS, int(_TIMED_SECONDS / first_step))))
        times = []
        start = time.perf_counter()
        for step, later in zip(range(1, 1 + count), batches):
            self._timed_step(later, step)
            times.append(time.perf_counter() - start)
            start = time.perf_counter()
        highest, added = (
            max((one for one in gather_objects(size) if one is not None), default=None)
            for size in (peak, growth)
        )
        return Measurements(
            batch=batch,
            sample_ids=[str(key.index if ids is None else ids[key.index]) for key in keys],
            losses=losses,
            first_batch=first_batch,
            first_step=first_step,
            later_step=median(times) if times else None,
            scoring={use: self._score(loader) for use, loader in tests.items()},
            batches={use: len(loader) for use, loader in tests.items()},
            peak=highest,
            growth=added,
        )

    def _batches(self) -> Iterator[dict[str, Any]]:
        for step, batch in enumerate(self.loader, start=1):
            self.monitor.report("in step", step, "of a dry run")
            yield batch

    def _timed_step(self, batch: Mapping[str, Any], step: int) -> dict[str, float]:
        """Take a step, wait for the device, and check that the step was finite."""
        losses, _ = self.train_step(batch)
        found = {name: float(value.detach()) for name, value in losses.items()}
        for _, own_loss in self.guard.collect():
            if self.on_nonfinite == "stop":
                bad_step = NonFiniteStep(self.loader, self.progress.epoch, step, own_loss=own_loss)
                lr = self.schedule.at(self.progress.iteration)
                raise bad_step.error(bad_step.describe_samples(), lr)
        return found

    def _score(self, loader: DataLoader) -> float:
        """Return how many seconds a validation takes to score the first batch."""
        prepare_workers(loader, self.monitor.timeouts.stall)
        batch = next(iter(loader), None)
        if batch is None:  # there are more processes than batches
            return 0.0
        # On the CPU as many batches are scored at once as there are threads.
        at_once = 1
        if self.device.type == "cpu" and not is_compiled(self.model):
            at_once = min(torch.get_num_threads(), len(loader))
        self.model.eval()
        seconds = 0.0
        for _ in range(2):  # the first time takes longer
            start = time.perf_counter()
            scores = list(predictions(self.model, [batch] * at_once, self.device, amp=self.amp))
            check_finite_scores(scores[-1].cpu())  # waits for the device
            seconds = (time.perf_counter() - start) / at_once
        self.model.train()
        return seconds


# --- the report -----------------------------------------------------------------------------------

# With more classes than this, the table of samples has several columns.
_MANY_CLASSES = 30
_COLUMNS = 3

# How many samples of the first batch the report lists, and how many classes a remark lists.
_SAMPLES_LISTED = 4
_CLASSES_LISTED = 10


@dataclass(frozen=True)
class DryRunReport:
    """What a dry run found.

    Attributes:
        run: The run.
        trainer: Its trainer, after the steps.
        measured: The measurements of the steps.
        done: Epochs that were finished before.
        start: A description of where the run would start.
    """

    run: TrainingRun
    trainer: DryRunTrainer
    measured: Measurements
    done: int
    start: str

    @property
    def epochs_left(self) -> int:
        """The number of epochs that are left."""
        return max(0, self.trainer.epochs - self.done)

    @property
    def validations_left(self) -> int:
        """The number of validations in these epochs."""
        validation, epochs = self.trainer.validation, range(self.done, self.trainer.epochs)
        return sum(validation is not None and validation.is_due(epoch + 1) for epoch in epochs)

    @property
    def class_counts(self) -> dict[str, np.ndarray]:
        """Number of samples of each class in each data set, (classes,), without repetitions.

        A sample with several labels counts in each of its classes.
        """
        counts = {}
        for use in self.run.settings.uses:
            labels = np.asarray(_without_repetition(self.run.datasets[use])[0].labels)
            counts[use] = labels.sum(axis=0).astype(int) if labels.ndim > 1 else np.bincount(labels)
        classes = getattr(getattr(self.run.model, "cls_head", None), "num_classes", 0)
        classes = max([classes, *map(len, counts.values())])
        return {use: np.pad(found, (0, classes - len(found))) for use, found in counts.items()}

    @property
    def epoch_seconds(self) -> float:
        """The estimated seconds of an epoch, without validation."""
        return len(self.trainer.loader) * (self.measured.later_step or self.measured.first_step)

    def test_seconds(self, use: str) -> float:
        """The estimated seconds to score ``'val'`` or ``'test'``; 0 if the run doesn't use it."""
        return self.measured.scoring.get(use, 0.0) * self.measured.batches.get(use, 0)

    @property
    def run_seconds(self) -> float:
        """The estimated seconds of the rest of the run, without the final tests."""
        validations = self.validations_left * self.test_seconds("val")
        return self.epochs_left * self.epoch_seconds + validations

    def text(self) -> str:
        """Return the report as text."""
        sections = {
            f"dry run of {self.run.cfg.source}: nothing is written to {self.run.work_dir}\n": (
                self._plan()
            ),
            "first batch": self._first_batch(),
            "measured; times are rough": self._times(),
        }
        parts = []
        for title, rows in sections.items():
            width = max(map(len, rows))
            lines = [f"  {name.ljust(width)}  {value}" for name, value in rows.items()]
            parts.append("\n".join([title, *lines]))
        parts.append("\n".join(["samples of each class", *self._class_table()]))
        return "\n\n".join(parts)

    def _plan(self) -> dict[str, str]:
        run, trainer, model = self.run, self.trainer, self.run.model
        device = "CPU"
        if run.device.type == "cuda":
            device = torch.cuda.get_device_name(run.device)
        computing = [device, _plural(run.env.world_size, "process", "processes")]
        computing += [run.settings.amp] if run.settings.amp is not None else []
        computing += ["compiled"] if run.settings.compile else []
        sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
        parameters, trainable = sum(n for n, _ in sizes), sum(n for n, trains in sizes if trains)
        trained = "" if trainable == parameters else f", {trainable:,} of them trained"
        persons, frames = self.measured.batch["keypoint"].shape[2:4]
        try:
            cost = model_cost(model, self.measured.batch["keypoint"].shape[2:])
            operations = (
                f"{cost.flops / 1e9:.3g} GFLOP forward, {cost.step_flops / 1e9:.3g} GFLOP a "
                f"training step, for a clip of {_plural(persons, 'person')} x {frames} frames"
            )
        except ValueError:
            operations = "not counted: the model does not run on one clip alone"
        clips, steps = len(run.datasets["train"]), len(trainer.loader)
        _, repeats = _without_repetition(run.datasets["train"])
        passes = f" ({repeats} passes)" if repeats > 1 else ""
        sampler: Any = trainer.loader.batch_sampler
        last = max(0, trainer.epochs * steps - 1)
        first, middle, final = map(trainer.schedule.at, (0, last // 2, last))
        backbone = type(model.get_submodule("backbone")).__name__
        return {
            "start": f"{self.start}; seed {trainer.seed}",
            "computing": ", ".join(computing),
            "model": f"{type(model).__name__} with {backbone}, {parameters:,} parameters{trained}",
            "operations": operations,
            "epoch": f"{clips:,} samples{passes} in {steps:,} steps of "
            f"{sampler.batch_size * run.env.world_size}",
            "run": f"{_plural(trainer.epochs, 'epoch')}, {trainer.epochs * steps:,} steps",
            "lr": f"{first:.3g} in the first step, {middle:.3g} half-way, {final:.3g} in the last",
        }

    def _first_batch(self) -> dict[str, str]:
        keypoint, label = self.measured.batch["keypoint"], self.measured.batch["label"]
        if label.ndim > 1 and label.shape[-1] > 1:  # 0/1, (N, classes)
            classes = [row.nonzero().flatten().tolist() for row in label]
        else:
            classes = [[one] for one in label.flatten().tolist()]
        ids = self.measured.sample_ids
        listed = [
            f"{name} is {'+'.join(map(self._class_name, one))}"
            for name, one in zip(ids[:_SAMPLES_LISTED], classes)
        ]
        listed += [f"and {len(ids) - _SAMPLES_LISTED} more"] * (len(ids) > _SAMPLES_LISTED)
        shape = "N, clips, M, T, V, C" if keypoint.ndim == 6 else "its shape"
        zeros = float((keypoint == 0).float().mean())
        dtype = str(keypoint.dtype).removeprefix("torch.")
        return {
            "keypoint": f"{tuple(keypoint.shape)} ({shape}), {dtype}",
            "values": f"{keypoint.min():.4g} to {keypoint.max():.4g}, {zeros:.0%} of them zero",
            "labels": ", ".join(listed),
            "loss": describe_metrics(self.measured.losses),
        }

    def _times(self) -> dict[str, str]:
        took = self.measured
        rows = {"first batch": f"after {took.first_batch:.2g} s"}
        rows["first step"] = f"{took.first_step:.2g} s"
        if took.later_step is not None:
            rows["a later step"] = f"{took.later_step:.2g} s, with the wait for its batch"
        rows["an epoch"] = _duration(self.epoch_seconds)
        for name, use in (("a validation", "val"), ("a test", "test")):
            if use in took.scoring:
                rows[name] = _duration(self.test_seconds(use))
        left = f"{_plural(self.epochs_left, 'epoch')} left"
        rows["the run" if self.done == 0 else left] = _duration(self.run_seconds)
        rows["memory"] = "not reported by this system"
        if took.peak is not None:
            total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
            if self.run.device.type == "cuda":
                total = torch.cuda.get_device_properties(self.run.device).total_memory
            step = ""
            if took.growth is not None:
                step = f", {readable_size(took.growth)} of them for the step"
            rows["memory"] = (
                f"{readable_size(took.peak)} of {readable_size(total)} a process at most{step}; "
                "workers not counted"
            )
        return rows

    def _class_name(self, label: int) -> str:
        dataset, _ = _without_repetition(self.run.datasets["train"])
        names = getattr(dataset, "label_names", ())
        return f"{label} ({names[label]})" if label < len(names) else str(label)

    def _class_table(self) -> list[str]:
        per_class = self.class_counts
        counts = np.stack(list(per_class.values()), axis=1)
        rows = [["class", *per_class]]
        rows += [[self._class_name(i), *(f"{n:,}" for n in row)] for i, row in enumerate(counts)]
        datasets = [_without_repetition(self.run.datasets[use])[0] for use in per_class]
        rows.append(["all", *(f"{len(dataset):,}" for dataset in datasets)])
        head, *lines, last = table_lines(rows, left=0)
        height = -(-len(lines) // (_COLUMNS if len(lines) > _MANY_CLASSES else 1))
        columns = [[head, *lines[i : i + height]] for i in range(0, len(lines), height)]
        table = ["    ".join(row) for row in zip_longest(*columns, fillvalue="")]
        lines = [f"  {line}".rstrip() for line in (*table, last)]
        in_train = per_class["train"] > 0
        for use, found in per_class.items():
            missing = np.flatnonzero((found == 0) & (in_train | (use == "train")))
            if len(missing):
                listed = ", ".join(map(str, missing[:_CLASSES_LISTED]))
                more = len(missing) - _CLASSES_LISTED
                listed += f" and {more} more" if more > 0 else ""
                lines.append(f"  {use} has no sample of class {listed}")
        return lines


def _plural(count: int, noun: str, plural: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def _duration(seconds: float) -> str:
    """Return a duration in its two largest units: ``'2 h 5 min'``."""
    if seconds < 1:
        return f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next(i for i, (count, _) in enumerate(units) if count)
    return " ".join(f"{count} {unit}" for count, unit in units[first : first + 2] if count)


# --- the dry run ----------------------------------------------------------------------------------


def dry_run_from_config(
    config: str | Path | Mapping[str, Any] | Config,
    settings: TrainSettings | None = None,
    *,
    cfg_options: Sequence[str] = (),
    work_dir: str | Path | None = None,
    launcher: Launcher = "none",
) -> DryRunReport:
    """Do what ``tools/train.py --dry-run`` does.

    The arguments are those of :func:`pyskl.apis.train.train_from_config`. Nothing is written to
    ``work_dir``.

    Returns:
        The report, on every process.

    Raises:
        InputError: as a training does, also if its work dir could not be written.
    """
    with open_run("dry run", config, settings, cfg_options, work_dir, launcher) as run:
        return dry_run(run)


def dry_run(run: TrainingRun) -> DryRunReport:
    """Build the trainer of a run and take a few steps. The weights of the model change."""
    setup_logging(level=run.cfg.log_level, is_main=run.env.is_main)
    warn_of_slow_devices(run.env, run.device)
    with raise_on_all_ranks():
        if run.env.is_main:
            folder = run.work_dir.absolute()
            while not folder.exists():
                folder = folder.parent
            if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
                raise InputError(
                    f"the work dir can't be written ({folder} is not a writable folder)",
                    file=run.work_dir,
                    hint="choose another with --work-dir",
                )
    with tempfile.TemporaryDirectory(prefix="dry_run_") as scratch:
        trainer = build_trainer(DryRunTrainer, run, RunLog(None), Path(scratch))
        done = trainer.progress.epoch
        start = _start_in_words(run, trainer)
        loaders = {}
        for use in run.settings.uses[1:]:
            if use == "val" and trainer.validation is not None:
                loaders[use] = trainer.validation.loader
            else:
                settings = loader_settings(run.cfg, use)
                dataset = run.datasets[use]
                loaders[use] = build_loader(dataset, device=run.device, shuffle=False, **settings)
        measured = trainer.measure(loaders)
    return DryRunReport(run, trainer, measured, done, start)


def _start_in_words(run: TrainingRun, trainer: Trainer) -> str:
    """Describe where a run starts, and where --resume would start it."""
    start, progress = run.start, trainer.progress
    if start is not None and start.resumed:
        path = start.path.resolve() if start.path.is_symlink() else start.path
        finished = ", so it is finished" if progress.epoch >= trainer.epochs else ""
        return (
            f"continues from {start.path.with_name(path.name)}: {progress.epoch} of "
            f"{trainer.epochs} epochs and {progress.iteration:,} steps are done{finished}"
        )
    words = "a new run"
    if start is not None:
        words = f"a new run with the weights of {start.checkpoint.source}"
    latest = run.work_dir / LATEST
    return f"{words}; --resume would continue from {latest}" if latest.exists() else words


def _without_repetition(dataset: Any) -> tuple[Any, int]:
    """Return the data set inside a ``RepeatDataset``, and how many times it is repeated."""
    times = 1
    while hasattr(dataset, "times"):
        times *= dataset.times
        dataset = dataset.dataset
    return dataset, times
