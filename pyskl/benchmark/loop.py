"""The training loop over the training step: what reading the data costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from torch.utils.data import DataLoader

from pyskl.benchmark.limits import waiter
from pyskl.benchmark.precision import amp_of
from pyskl.benchmark.report import Figure, Table
from pyskl.benchmark.sources import describe, endless, open_loaders
from pyskl.benchmark.timing import Timed, alternate, ratio, spread
from pyskl.benchmark.training_step import RATE, TrainingStep
from pyskl.benchmark.variants import Variant
from pyskl.benchmark.workload import Workload
from pyskl.checkpoints.manager import Saving
from pyskl.datasets.sampling import TrainBatches
from pyskl.training.optimizer import build_optimizer
from pyskl.training.schedule import LearningRate
from pyskl.training.trainer import Trainer

# Batches that each worker of a loader reads ahead; torch's default.
_READ_AHEAD = 2


def loop_over_step(workload: Workload, batch: int, variant: Variant) -> Table:
    """Compare the training loop on data from each source with the step alone on a fixed batch.

    All train a network of their own, in turn, for as many steps.

    Args:
        workload: The config, the data and the device.
        batch: Clips per batch.
        variant: How to compute; no CUDA graph.

    Returns:
        The step alone, then the loop with each source; their note ``'% of step'`` compares.
    """
    settings, cfg = workload.settings, workload.cfg
    wait = waiter(workload.device)
    step = TrainingStep(
        workload.build_model(), cfg.optimizer, *workload.random_batch(batch, "train"), variant
    )
    alone = Timed(step, wait)
    alone.prepare(settings.seconds)
    name = f"step alone, {variant.name}"
    measures: dict[str, Callable[[], float]] = {name: alone.rate}
    loaders, failed = open_loaders(workload, "train", batch, workload.workers)
    for source, loader in loaders.items():
        feed = _Feed(loader, batch, alone.calls, wait)
        run = partial(_next_epoch, _trainer(workload, feed, variant), feed, variant)
        run()  # a first epoch to warm up
        measures[f"loop, {describe(source, workload.workers)}"] = run
    found = alternate(measures, settings.repeats)
    table = Table(f"training loop over training step, {batch} clips", failed=failed)
    for one, values in found.items():
        notes: dict[str, float | int | str | None] = {
            "ms/step": 1e3 * batch / spread(values).median
        }
        if one != name:
            notes["% of step"] = 100 * ratio(values, found[name])
        table.figures.append(Figure(one, "clips/s", values, notes))
    return table


def _trainer(workload: Workload, feed: _Feed, variant: Variant) -> Trainer:
    """Return what trains one epoch after the other on what a feed hands out."""
    cfg = workload.cfg
    model = workload.build_model()
    if variant.compiled:
        model.get_submodule("backbone").compile(dynamic=False)
    return Trainer(
        model=model,
        optimizer=build_optimizer(model, {**cfg.optimizer, "lr": RATE}),
        schedule=LearningRate(RATE, 1, len(feed), policy="fixed"),
        loader=feed,  # type: ignore[arg-type]
        device=workload.device,
        work_dir=workload.folder,
        epochs=0,
        saving=Saving(interval=0),
        grad_clip=(cfg.get("optimizer_config") or {}).get("grad_clip"),
        amp=amp_of(variant.precision),
        log_interval=cfg.get("log_config", {}).get("interval", 100),
    )


def _next_epoch(trainer: Trainer, feed: _Feed, variant: Variant) -> float:
    """Train one more epoch; return clips per second."""
    trainer.epochs += 1
    with variant.switched_on():
        trainer.run()
    return feed.clips / feed.seconds


class _Feed:
    """Hands a training loop a fixed number of a loader's batches, and stops the time it takes.

    The loader's workers go on from one use to the next, as they do within an epoch; what they have
    read ahead in between is left out, or a slow loader would look like a fast one.

    Args:
        loader: The loader.
        batch: Samples per batch.
        steps: Batches to hand out.
        wait: Returns once the device has done all that was asked of it.

    Attributes:
        clips: Samples that were handed out, last time.
        seconds: From the first batch's being asked for to the end of the last step.
    """

    def __init__(
        self, loader: DataLoader, batch: int, steps: int, wait: Callable[[], None]
    ) -> None:
        self.dataset = getattr(
            loader, "dataset", None
        )  # for messages; batches of a device have none
        self.batch_sampler = TrainBatches(steps * batch, batch)
        self.clips = 0
        self.seconds = 0.0
        self._steps = steps
        self._wait = wait
        self._read_ahead = _READ_AHEAD * getattr(loader, "num_workers", 0)
        self._batches = endless(loader)

    def __len__(self) -> int:
        """Return the number of batches that are handed out."""
        return self._steps

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield batches."""
        for _ in islice(self._batches, self._read_ahead):
            pass
        self.clips = 0
        self._wait()
        start = time.perf_counter()
        for batch in islice(self._batches, self._steps):
            self.clips += len(batch["keypoint"])
            yield batch
        self._wait()
        self.seconds = time.perf_counter() - start
