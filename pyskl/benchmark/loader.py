"""Measure data loaders in samples/s, and the training loop with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch.utils.data import DataLoader

from pyskl.benchmark.loaders import ON_DEVICE, endless, label, open_loader, open_loaders
from pyskl.benchmark.report import Table
from pyskl.benchmark.timing import Timed, alternate, ratio, spread, synchronizer
from pyskl.benchmark.variants import (
    LEARNING_RATE,
    TrainingStep,
    Variant,
    allow_tf32,
    select_variants,
)
from pyskl.benchmark.workload import Workload
from pyskl.config import read_config
from pyskl.datasets.sampling import TrainBatches
from pyskl.training.optimizer import build_optimizer
from pyskl.training.schedule import LearningRate
from pyskl.training.trainer import SavePolicy, Trainer

# Batches that each worker of a loader reads ahead; torch's default.
_PREFETCH_FACTOR = 2


def measure_loader(workload: Workload) -> list[Table]:
    """Measure the loaders alone, their first batch, and the training loop on them."""
    default = "bf16" if workload.device.type == "cuda" else "fp32"
    names = workload.settings.variants[:1] or [default]
    variant = select_variants(workload.device, names)[-1]
    tables = []
    for batch in workload.batch_sizes:
        tables += [_throughput(workload, batch), _first_batch(workload, batch)]
        if workload.settings.use == "train":
            tables.append(measure_training_loop(workload, batch, variant))
    return tables


def _throughput(workload: Workload, batch: int) -> Table:
    settings, workers = workload.settings, workload.workers
    loaders, failed = open_loaders(workload, settings.use, batch, workers)
    table = Table(f"loader of data.{settings.use}, batches of {batch}", failed=failed)
    timed = {}
    for source, loader in loaders.items():
        device = workload.device if source == ON_DEVICE else torch.device("cpu")
        read = partial(_read_batch, endless(loader))
        timed[label(source, workers)] = one = Timed(read, synchronizer(device))
        one.prepare(settings.seconds)
    found = alternate({name: one.rate for name, one in timed.items()}, settings.repeats)
    for name, values in found.items():
        table.add(name, "samples/s", values, ratio=table.ratio_to_first(values))
    return table


def _read_batch(batches: Iterator[dict[str, Any]]) -> int:
    return len(next(batches)["keypoint"])


def _first_batch(workload: Workload, batch: int) -> Table:
    """Measure how long a new loader takes to its first batch, with the start of its workers."""
    settings, workers = workload.settings, workload.workers

    def measure(source: str) -> float:
        loader = open_loader(workload, source, settings.use, batch, workers)
        start = time.perf_counter()
        next(iter(loader))
        synchronizer(workload.device)()
        return time.perf_counter() - start

    loaders, failed = open_loaders(workload, settings.use, batch)
    measures = {label(source, workers): partial(measure, source) for source in loaders}
    table = Table(f"first batch of {batch} from a new loader of data.{settings.use}", failed=failed)
    for name, values in alternate(measures, settings.repeats).items():
        table.add(name, "s", values)
    return table


def measure_training_loop(workload: Workload, batch: int, variant: Variant) -> Table:
    """Compare the training loop on data from each source with the step on a fixed batch.

    All of them train a network of their own, in turn, for the same number of steps.

    Args:
        workload: The config, the data and the device.
        batch: Clips per batch.
        variant: How to compute; not as a CUDA graph.

    Returns:
        The step alone, then the loop on each source; ``'% of step'`` compares them.
    """
    synchronize = synchronizer(workload.device)
    step = TrainingStep(
        workload.build_model(),
        workload.cfg.optimizer,
        *workload.random_batch(batch, "train"),
        variant,
    )
    alone = Timed(step, synchronize)
    alone.prepare(workload.settings.seconds)
    measures: dict[str, Callable[[], float]] = {f"step alone, {variant.name}": alone.rate}
    loaders, failed = open_loaders(workload, "train", batch, workload.workers)
    for source, loader in loaders.items():
        feed = LoopFeed(loader, batch, alone.calls, synchronize)
        run = partial(_train_epoch, _build_trainer(workload, feed, variant), feed, variant)
        run()  # warm up
        measures[f"loop, {label(source, workload.workers)}"] = run
    found = alternate(measures, workload.settings.repeats)
    table = Table(f"training loop over training step, {batch} clips", failed=failed)
    for name, values in found.items():
        notes = {"ms/step": 1e3 * batch / spread(values).median}
        if table.figures:
            notes["% of step"] = 100 * ratio(values, table.figures[0].values)
        table.add(name, "clips/s", values, **notes)
    return table


def _build_trainer(workload: Workload, feed: LoopFeed, variant: Variant) -> Trainer:
    cfg = read_config(workload.cfg, ())
    grad_clip = cfg.optimizer_config.grad_clip
    model = variant.prepare(workload.build_model())
    return Trainer(
        model=model,
        optimizer=build_optimizer(model, {**cfg.optimizer, "lr": LEARNING_RATE}),
        schedule=LearningRate(LEARNING_RATE, 1, len(feed), policy="fixed"),
        loader=feed,  # type: ignore[arg-type]
        device=workload.device,
        work_dir=workload.folder,
        epochs=0,
        saving=SavePolicy(interval=0),
        grad_clip=None if grad_clip is None else asdict(grad_clip),
        amp=variant.amp,
        log_interval=cfg.log_config.interval,
    )


def _train_epoch(trainer: Trainer, feed: LoopFeed, variant: Variant) -> float:
    """Train one more epoch; return clips per second."""
    trainer.epochs += 1
    with allow_tf32(variant.precision != "fp32"):
        trainer.run()
    return feed.clips / feed.seconds


class LoopFeed:
    """Passes a fixed number of a loader's batches to a training loop and measures the time.

    The loader's workers continue from one epoch to the next. The batches that they prefetched in
    between are skipped, or a slow loader would look like a fast one.

    Args:
        loader: The loader.
        batch: Samples per batch.
        steps: Batches of an epoch.
        synchronize: Waits for the device.

    Attributes:
        clips: Samples of the last epoch.
        seconds: Time of the last epoch, from the request for the first batch to the end of the last
            step.
    """

    def __init__(
        self, loader: DataLoader, batch: int, steps: int, synchronize: Callable[[], None]
    ) -> None:
        self.dataset = getattr(loader, "dataset", None)  # the trainer's error messages use it
        self.batch_sampler = TrainBatches(steps * batch, batch)
        self.clips = 0
        self.seconds = 0.0
        self._steps = steps
        self._synchronize = synchronize
        self._prefetched = _PREFETCH_FACTOR * getattr(loader, "num_workers", 0)
        self._batches = endless(loader)

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return self._steps

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the batches of an epoch."""
        for _ in islice(self._batches, self._prefetched):
            pass
        self.clips = 0
        self._synchronize()
        start = time.perf_counter()
        for batch in islice(self._batches, self._steps):
            self.clips += len(batch["keypoint"])
            yield batch
        self._synchronize()
        self.seconds = time.perf_counter() - start
