"""How many samples a second one process reads, without a network and without workers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader

from pyskl.benchmark.limits import waiter
from pyskl.benchmark.report import Figure, Table
from pyskl.benchmark.sources import ON_DEVICE, endless, open_loaders
from pyskl.benchmark.timing import Timed, alternate, spread
from pyskl.benchmark.workload import Workload
from pyskl.datasets.sampling import SampleKey, TrainBatches


def measure_pipeline(workload: Workload) -> list[Table]:
    """Compare the sources: in batches through the loader, and one sample at a time.

    The host's sources compute in one thread, as each worker process does; the device path in all
    that torch has.
    """
    return [_measure(workload, batch) for batch in workload.batch_sizes]


def _measure(workload: Workload, batch: int) -> Table:
    settings = workload.settings
    loaders, failed = open_loaders(workload, settings.use, batch)
    measures: dict[str, Callable[[], float]] = {}
    for source, loader in loaders.items():
        works = {f"{source}, in batches": _in_batches(loader)}
        if source != ON_DEVICE:
            works[f"{source}, one by one"] = _one_by_one(loader)
        on_host = source != ON_DEVICE
        wait = waiter(torch.device("cpu") if on_host else workload.device)
        for name, work in works.items():
            timed = Timed(work, wait)
            with _threads(one=on_host):
                timed.prepare(settings.seconds)
            measures[name] = partial(_rate, timed, on_host)
    found = alternate(measures, settings.repeats)
    reference = spread(next(iter(found.values()))).median
    table = Table(
        f"pipeline of data.{settings.use}, one process, batches of {batch}", failed=failed
    )
    for name, values in found.items():
        median = spread(values).median
        notes = {"us/sample": 1e6 / median, "ratio": median / reference}
        table.figures.append(Figure(name, "samples/s", values, notes))
    return table


def _rate(timed: Timed, one_thread: bool) -> float:
    with _threads(one=one_thread):
        return timed.rate()


def _in_batches(loader: DataLoader) -> Callable[[], int]:
    """Return a function that reads the next batch."""
    batches = endless(loader)
    return lambda: len(next(batches)["keypoint"])


def _one_by_one(loader: DataLoader) -> Callable[[], int]:
    """Return a function that reads the next sample and stacks nothing."""
    order = _keys(loader)

    def work() -> int:
        loader.dataset[next(order)]
        return 1

    return work


def _keys(loader: DataLoader) -> Iterator[SampleKey]:
    """Yield the keys of one epoch's samples after the other's, without end."""
    batches: Any = loader.batch_sampler
    epoch = 0
    while True:
        if isinstance(batches, TrainBatches):
            batches.set_epoch(epoch)
        yield from itertools.chain.from_iterable(list(batches))
        epoch += 1


@contextmanager
def _threads(*, one: bool) -> Iterator[None]:
    """Let torch compute in one thread within the block, or in as many as it does anyway."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if one else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
