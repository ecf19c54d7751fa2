"""The first steps of a run, taken to see what they cost; nothing is written.

Shapes: N batch, M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch.utils.data import DataLoader

from pyskl.datasets.sampling import TrainBatches
from pyskl.distributed.collectives import broadcast_object, gather_objects
from pyskl.distributed.stop_signals import prepare_workers
from pyskl.errors import DeviceError
from pyskl.evaluation.scoring import is_compiled, predictions
from pyskl.training.memory import peak_memory, resident
from pyskl.training.nonfinite import NonFiniteStep
from pyskl.training.trainer import Trainer

# Steps that are timed after the first, and the seconds that they may take together.
_TIMED_STEPS = 5
_TIMED_SECONDS = 10.0


@dataclass(frozen=True)
class BatchFacts:
    """What a batch is made of.

    Attributes:
        shape: Of the keypoints: (N, clips, M, T, V, C).
        dtype: Of the keypoints.
        low: Their least value.
        high: Their greatest.
        zeros: Share of them that are zero: absent persons and joints, padding.
        labels: Classes of each sample; one, unless it has several.
        sample_ids: Their ids, or places in the data set.
    """

    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float
    zeros: float
    labels: list[list[int]]
    sample_ids: list[str]

    @classmethod
    def of(cls, batch: Mapping[str, Any], sample_ids: list[str]) -> BatchFacts:
        """Look at a batch as a loader gives it."""
        keypoint, label = batch["keypoint"], batch["label"]
        if label.ndim > 1 and label.shape[-1] > 1:  # 0/1, (N, classes)
            labels = [row.nonzero().flatten().tolist() for row in label]
        else:
            labels = [[one] for one in label.flatten().tolist()]
        return cls(
            shape=tuple(keypoint.shape),
            dtype=str(keypoint.dtype).removeprefix("torch."),
            low=float(keypoint.min()),
            high=float(keypoint.max()),
            zeros=float((keypoint == 0).float().mean()),
            labels=labels,
            sample_ids=sample_ids,
        )


@dataclass(frozen=True)
class FirstSteps:
    """What the first steps of a run took.

    Attributes:
        batch: The first batch of this process.
        losses: Of the first step.
        until_batch: Seconds until the first batch was there.
        first: Seconds of the first step.
        later: Seconds of a later step, waiting for its batch included: their median; None where
            the epoch has one step only.
        peak: The most memory at once, of the process that took most: on a GPU what torch had
            allocated, on the CPU what was resident; None where the system does not tell.
        growth: How much of it the first step added.
    """

    batch: BatchFacts
    losses: dict[str, float]
    until_batch: float
    first: float
    later: float | None
    peak: int | None
    growth: int | None


@dataclass(frozen=True)
class Scored:
    """What scoring a batch of a data set took.

    Attributes:
        seconds: For one batch.
        batches: Of the data set, on this process.
    """

    seconds: float
    batches: int


class Rehearsal(Trainer):
    """A trainer that takes the first steps of a run only, and measures them."""

    def rehearse(self, tests: Mapping[str, DataLoader]) -> tuple[FirstSteps, dict[str, Scored]]:
        """Take a few steps of the epoch that is due, and score a batch of each set to measure.

        Every process has to call it.

        Args:
            tests: The sets to measure, by use.

        Raises:
            TrainingError: if a step is not finite and such a step ends the run.
            LostProcessError: if a data worker or another process died.
            DeviceError: if a step does not fit into the GPU's memory.
        """
        with self.supervised():
            self.monitor.stop.raise_at_once = True  # there is nothing to save
            try:
                return self._first_steps(), {use: self._score(one) for use, one in tests.items()}
            except torch.OutOfMemoryError as error:
                sampler: Any = self.loader.batch_sampler
                raise DeviceError(
                    f"a step of {sampler.batch_size} clips a process does not fit into the memory "
                    f"({str(error).partition('. ')[0]}): lower data.videos_per_gpu, or compute in "
                    "bf16 (--amp bf16)"
                ) from error

    def _first_steps(self) -> FirstSteps:
        prepare_workers(self.loader, self.monitor.timeouts.stall)
        batches = self._batches()
        self.parallel.train()
        start = time.perf_counter()
        batch = next(batches)
        until_batch = time.perf_counter() - start
        held = _resident()
        with peak_memory(self.device) as peak:
            start = time.perf_counter()
            losses = self._timed_step(batch, 0)
            first = time.perf_counter() - start
        highest, growth = peak.bytes, peak.bytes
        if self.device.type == "cuda":
            highest = torch.cuda.max_memory_allocated(self.device)
        elif highest is not None:
            growth = None if held is None else max(0, highest - held)
        return FirstSteps(
            batch=BatchFacts.of(batch, self._first_ids()),
            losses=losses,
            until_batch=until_batch,
            first=first,
            later=self._later_steps(batches, first),
            peak=_most(highest),
            growth=_most(growth),
        )

    def _batches(self) -> Iterator[dict[str, Any]]:
        self._sampler().set_epoch(self.progress.epoch)
        for step, batch in enumerate(self.loader, start=1):
            self.monitor.report("in step", step, "of a dry run")
            yield batch

    def _sampler(self) -> TrainBatches:
        sampler = self.loader.batch_sampler
        if not isinstance(sampler, TrainBatches):
            raise TypeError("Rehearsal takes a loader built with shuffle=True")
        return sampler

    def _first_ids(self) -> list[str]:
        """Return the ids of the samples of the first batch, as far as the data set knows them."""
        ids = getattr(getattr(self.loader.dataset, "dataset", None), "sample_ids", None)
        keys = next(iter(self._sampler()))
        return [str(key.index if ids is None else ids[key.index]) for key in keys]

    def _timed_step(self, batch: Mapping[str, Any], step: int) -> dict[str, float]:
        """Take a step, wait for its end, and see that it was finite."""
        losses, _ = self.train_step(batch)
        found = {name: float(value.detach()) for name, value in losses.items()}
        for _, own_loss in self.guard.collect():
            if self.on_nonfinite == "stop":
                bad_step = NonFiniteStep(self.loader, self.progress.epoch, step, own_loss=own_loss)
                lr = self.schedule.at(self.progress.iteration)
                raise bad_step.error(bad_step.describe_samples(), lr)
        return found

    def _later_steps(self, batches: Iterator[Mapping[str, Any]], first: float) -> float | None:
        """Take some more steps and return how long one takes, data included."""
        # All processes have to take as many.
        count = broadcast_object(max(1, min(_TIMED_STEPS, int(_TIMED_SECONDS / first))))
        times = []
        start = time.perf_counter()
        for step, batch in zip(range(1, 1 + count), batches):
            self._timed_step(batch, step)
            times.append(time.perf_counter() - start)
            start = time.perf_counter()
        return median(times) if times else None

    def _score(self, loader: DataLoader) -> Scored:
        """Score the first batch of a data set as a validation does."""
        prepare_workers(loader, self.monitor.timeouts.stall)
        batch = next(iter(loader), None)
        if batch is None:  # there are more processes than batches
            return Scored(0.0, 0)
        # On the CPU as many batches are scored at once as there are threads.
        at_once = 1
        if self.device.type == "cpu" and not is_compiled(self.model):
            at_once = min(torch.get_num_threads(), len(loader))
        self.model.eval()
        seconds = 0.0
        for _ in range(2):  # the first time is longer
            start = time.perf_counter()
            scores = list(predictions(self.model, [batch] * at_once, self.device, amp=self.amp))
            scores[-1].sum().item()  # waits for the device
            seconds = (time.perf_counter() - start) / at_once
        self.model.train()
        return Scored(seconds, len(loader))


def _resident() -> int | None:
    """Return this process's resident memory, where the system tells."""
    found = resident()
    return None if found is None else found.anonymous + found.file + found.shared


def _most(size: int | None) -> int | None:
    """Return the largest value of all processes."""
    sizes = [one for one in gather_objects(size) if one is not None]
    return max(sizes, default=None)
