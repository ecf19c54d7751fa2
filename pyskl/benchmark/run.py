"""Run the modes of ``tools/benchmark.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pyskl.apis.prepare import prepare
from pyskl.benchmark.inference import measure_inference
from pyskl.benchmark.loader import measure_loader
from pyskl.benchmark.machine import describe_machine
from pyskl.benchmark.pipeline import measure_pipeline
from pyskl.benchmark.report import Report, Table
from pyskl.benchmark.startup import measure_startup
from pyskl.benchmark.step import measure_step
from pyskl.benchmark.workload import (
    BenchmarkSettings,
    ConfigLike,
    Workload,
    find_device,
    open_workload,
)
from pyskl.errors import InputError, did_you_mean
from pyskl.training.memory import keep_freed_memory

MODES = ("pipeline", "loader", "step", "startup", "inference")


def benchmark_from_config(
    mode: str,
    config: ConfigLike,
    settings: BenchmarkSettings | None = None,
    *,
    compare: Sequence[ConfigLike] = (),
    cfg_options: Sequence[str] = (),
) -> Report:
    """Do what ``tools/benchmark.py`` does.

    Args:
        mode: One of :data:`MODES`.
        config: The config, or its path.
        settings: The options of the command line.
        compare: Other configs to measure in turn with the first one; for ``'pipeline'`` only.
        cfg_options: ``key=value`` overrides, for all configs.

    Raises:
        InputError: for errors in a config, its data or the settings.
    """
    if mode not in MODES:
        hint = did_you_mean(mode, MODES).removeprefix("; ")
        raise InputError("unknown mode", key="mode", found=mode, hint=hint)
    if compare and mode != "pipeline":
        raise InputError("only 'pipeline' compares configs", key="compare", found=mode)
    settings = settings or BenchmarkSettings()
    if find_device(settings.device).type == "cpu" and mode != "startup":
        keep_freed_memory()  # as training does, and before anything large is allocated
    uses = {"startup": ["train", "val"], "step": ["train"]}.get(mode, [settings.use])
    reads = mode in ("pipeline", "loader", "startup") or settings.end_to_end
    with ExitStack() as stack:
        workloads = [
            stack.enter_context(
                open_workload(one, settings, uses=uses, reads=reads, cfg_options=cfg_options)
            )
            for one in (config, *compare)
        ]
        if mode != "startup":  # its processes check their config themselves
            for workload in workloads:
                prepare(workload.cfg, uses)
        tables, limits = _measure(mode, workloads)
        return Report(
            mode=mode,
            config=", ".join(workload.name for workload in workloads),
            data="; ".join(dict.fromkeys(workload.data for workload in workloads)),
            machine=describe_machine(workloads[0].device),
            settings={name: _plain(value) for name, value in asdict(settings).items()},
            tables=tables,
            limits=limits,
        )


def _measure(mode: str, workloads: Sequence[Workload]) -> tuple[list[Table], Mapping[str, float]]:
    if mode == "pipeline":
        return measure_pipeline(_by_short_name(workloads)), {}
    if mode == "loader":
        return measure_loader(workloads[0]), {}
    if mode == "step":
        return measure_step(workloads[0])
    if mode == "startup":
        return measure_startup(workloads[0]), {}
    return measure_inference(workloads[0]), {}


def _by_short_name(workloads: Sequence[Workload]) -> dict[str, Workload]:
    """Return name → workload: file names with as many folders as are needed to be distinct."""
    paths = [Path(workload.name).with_suffix("").parts for workload in workloads]
    for count in range(1, max(map(len, paths)) + 1):
        names = ["/".join(parts[-count:]) for parts in paths]
        if len(set(names)) == len(names):
            return dict(zip(names, workloads))
    return {f"{number} {name}": one for number, (name, one) in enumerate(zip(names, workloads), 1)}


def _plain(value: Any) -> Any:
    """Return a setting as plain JSON."""
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, (list, tuple)) else value
