"""How many samples a second one process reads, without a network and without workers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader

from pyskl.benchmark.limits import waiter
from pyskl.benchmark.report import Figure, Table
from pyskl.benchmark.sources import ON_DEVICE, endless, open_loaders
from pyskl.benchmark.timing import Timed, alternate, ratio, spread
from pyskl.benchmark.workload import Workload
from pyskl.datasets.sampling import SampleKey, TrainBatches


def measure_pipeline(workloads: Mapping[str, Workload]) -> list[Table]:
    """Compare the sources: in batches through the loader, and one sample at a time.

    The host's sources compute in one thread, as each worker process does; the device path in all
    that torch has.

    Args:
        workloads: Name of a config → its data. Where there are several, each row is measured for
            one after the other, and compared with the first.

    Returns:
        One table for each batch size of the first.
    """
    first = next(iter(workloads.values()))
    return [_measure(workloads, batch) for batch in first.batch_sizes]


def _measure(workloads: Mapping[str, Workload], batch: int) -> Table:
    first, *others = workloads
    settings = workloads[first].settings
    table = Table(f"pipeline of data.{settings.use}, one process, batches of {batch}")
    rows: dict[str, dict[str, Callable[[], float]]] = {}  # row → config → what measures it
    for config, workload in workloads.items():
        loaders, failed = open_loaders(workload, settings.use, batch)
        table.failed |= {_name(row, config, others): why for row, why in failed.items()}
        for source, loader in loaders.items():
            for row, measure in _ways(source, loader, workload).items():
                rows.setdefault(row, {})[config] = measure
    measures = {
        _name(row, config, others): measure
        for row, configs in rows.items()
        for config, measure in configs.items()
    }
    found = alternate(measures, settings.repeats)
    reference = next(iter(found.values()))
    for row, configs in rows.items():
        for config in configs:
            values = found[_name(row, config, others)]
            notes: dict[str, float | int | str | None] = {
                "us/sample": 1e6 / spread(values).median,
                "ratio": ratio(values, reference),
            }
            if others:
                beside = found.get(_name(row, first, others))
                notes[f"of {first}"] = None if beside is None else ratio(values, beside)
            table.figures.append(Figure(_name(row, config, others), "samples/s", values, notes))
    return table


def _name(row: str, config: str, others: Sequence[str]) -> str:
    """Return what the table calls a row: with the config where there are others beside it."""
    return f"{row}: {config}" if others else row


def _ways(source: str, loader: DataLoader, workload: Workload) -> dict[str, Callable[[], float]]:
    """Return row → a function that measures samples/s of one source."""
    works = {f"{source}, in batches": _in_batches(loader)}
    if source != ON_DEVICE:
        works[f"{source}, one by one"] = _one_by_one(loader)
    on_host = source != ON_DEVICE
    wait = waiter(torch.device("cpu") if on_host else workload.device)
    measures: dict[str, Callable[[], float]] = {}
    for row, work in works.items():
        timed = Timed(work, wait)
        with _threads(one=on_host):
            timed.prepare(workload.settings.seconds)
        measures[row] = partial(_rate, timed, on_host)
    return measures


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
