"""Measure the samples/s that one process reads, without a network or workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch.utils.data import DataLoader

from pyskl.benchmark.loaders import ON_DEVICE, endless, epochs, open_loaders
from pyskl.benchmark.report import Table
from pyskl.benchmark.timing import Timed, alternate, ratio, spread, synchronizer
from pyskl.benchmark.workload import Workload


def measure_pipeline(workloads: Mapping[str, Workload]) -> list[Table]:
    """Compare the sources: in batches from the loader, and one sample at a time.

    Online and packed data are read in one thread, as in a worker process; the device path uses all
    threads of torch.

    Args:
        workloads: Name of a config → its workload. Each row is measured for all configs in turn
            and compared with the first one.

    Returns:
        One table for each batch size of the first config.
    """
    first = next(iter(workloads.values()))
    return [_measure(workloads, batch) for batch in first.batch_sizes]


def _measure(workloads: Mapping[str, Workload], batch: int) -> Table:
    first = next(iter(workloads))
    settings = workloads[first].settings
    table = Table(f"pipeline of data.{settings.use}, one process, batches of {batch}")

    def name(row: str, config: str) -> str:
        return f"{row}: {config}" if len(workloads) > 1 else row

    rows: dict[str, dict[str, Callable[[], float]]] = {}  # row → config → measures it once
    for config, workload in workloads.items():
        loaders, failed = open_loaders(workload, settings.use, batch)
        table.failed |= {name(row, config): reason for row, reason in failed.items()}
        for source, loader in loaders.items():
            for row, measure in _row_measures(source, loader, workload).items():
                rows.setdefault(row, {})[config] = measure
    keys = [(row, config) for row, configs in rows.items() for config in configs]
    found = alternate({name(*key): rows[key[0]][key[1]] for key in keys}, settings.repeats)
    for row, config in keys:
        values = found[name(row, config)]
        notes: dict[str, Any] = {
            "us/sample": 1e6 / spread(values).median,
            "ratio": table.ratio_to_first(values),
        }
        if len(workloads) > 1:
            of_first = found.get(name(row, first))
            notes[f"of {first}"] = None if of_first is None else ratio(values, of_first)
        table.add(name(row, config), "samples/s", values, **notes)
    return table


def _row_measures(
    source: str, loader: DataLoader, workload: Workload
) -> dict[str, Callable[[], float]]:
    """Return row → a function that measures the samples/s of one source once."""
    on_device = source == ON_DEVICE
    batches = endless(loader)
    works: dict[str, Callable[[], int]] = {
        f"{source}, in batches": lambda: len(next(batches)["keypoint"])
    }
    if not on_device:
        sampler: Any = loader.batch_sampler
        dataset: Any = loader.dataset
        keys = chain.from_iterable(epochs(sampler, sampler))

        def read_one() -> int:
            dataset.__getitems__([next(keys)])
            return 1

        works[f"{source}, one by one"] = read_one
    threads = torch.get_num_threads() if on_device else 1
    measures: dict[str, Callable[[], float]] = {}
    for row, work in works.items():
        timed = Timed(work, synchronizer(workload.device if on_device else torch.device("cpu")))
        with _torch_threads(threads):
            timed.prepare(workload.settings.seconds)
        measures[row] = partial(_rate, timed, threads)
    return measures


def _rate(timed: Timed, threads: int) -> float:
    with _torch_threads(threads):
        return timed.rate()


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    """Let torch compute in a number of threads within the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
