"""How many samples a second the loader's workers read, and whether that keeps training busy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from pyskl.benchmark.limits import waiter
from pyskl.benchmark.loop import loop_over_step
from pyskl.benchmark.report import Figure, Table
from pyskl.benchmark.sources import (
    ON_DEVICE,
    describe,
    endless,
    open_loaders,
    source_loader,
)
from pyskl.benchmark.timing import Timed, alternate, ratio
from pyskl.benchmark.variants import Variant, choose_variants
from pyskl.benchmark.workload import Workload


def measure_loader(workload: Workload) -> list[Table]:
    """Measure the loaders alone, their first batch, and the training loop over the step alone."""
    tables = []
    for batch in workload.batch_sizes:
        tables += [_alone(workload, batch), _first_batch(workload, batch)]
        if workload.settings.use == "train":
            tables.append(loop_over_step(workload, batch, _variant(workload)))
    return tables


def _variant(workload: Workload) -> Variant:
    """Return the way to compute the step: the one asked for, or what suits the device."""
    names = workload.settings.variants[:1] or ["bf16" if workload.device.type == "cuda" else "fp32"]
    return choose_variants(workload.device, names)[-1]


def _alone(workload: Workload, batch: int) -> Table:
    settings = workload.settings
    loaders, failed = open_loaders(workload, settings.use, batch, workload.workers)
    table = Table(f"loader of data.{settings.use}, batches of {batch}", failed=failed)
    timed = {}
    for source, loader in loaders.items():
        wait = waiter(workload.device if source == ON_DEVICE else torch.device("cpu"))
        name = describe(source, workload.workers)
        timed[name] = Timed(partial(_read, endless(loader)), wait)
        timed[name].prepare(settings.seconds)
    found = alternate({name: one.rate for name, one in timed.items()}, settings.repeats)
    reference = next(iter(found.values()))
    for name, values in found.items():
        notes = {"ratio": ratio(values, reference)}
        table.figures.append(Figure(name, "samples/s", values, notes))
    return table


def _read(batches: Iterator[dict[str, Any]]) -> int:
    """Take the next batch; return the number of samples in it."""
    return len(next(batches)["keypoint"])


def _first_batch(workload: Workload, batch: int) -> Table:
    """Measure how long a loader that stands ready takes to its first batch, workers started."""
    settings = workload.settings

    def measure(source: str) -> float:
        loader = source_loader(workload, source, settings.use, batch, workload.workers)
        start = time.perf_counter()
        next(iter(loader))
        waiter(workload.device)()
        return time.perf_counter() - start

    loaders, failed = open_loaders(workload, settings.use, batch)
    measures = {describe(one, workload.workers): partial(measure, one) for one in loaders}
    table = Table(f"first batch of {batch} from a new loader of data.{settings.use}", failed=failed)
    for name, values in alternate(measures, settings.repeats).items():
        table.figures.append(Figure(name, "s", values))
    return table
