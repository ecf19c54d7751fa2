"""Run a benchmark and put what it found into words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from mmengine.config import Config

from pyskl.apis.prepare import prepare
from pyskl.benchmark.inference import measure_inference
from pyskl.benchmark.loader import measure_loader
from pyskl.benchmark.machine import machine
from pyskl.benchmark.pipeline import measure_pipeline
from pyskl.benchmark.report import Report, readable
from pyskl.benchmark.settings import BenchmarkSettings
from pyskl.benchmark.startup import measure_startup
from pyskl.benchmark.step import measure_step
from pyskl.benchmark.workload import Workload, find_device, open_workload
from pyskl.errors import did_you_mean
from pyskl.training.memory import keep_freed_memory, peak_resident

ConfigLike: TypeAlias = str | Path | Mapping[str, Any] | Config

MODES = ("pipeline", "loader", "step", "startup", "inference")


def benchmark_from_config(
    mode: str,
    config: ConfigLike,
    settings: BenchmarkSettings | None = None,
    *,
    beside: Sequence[ConfigLike] = (),
    cfg_options: Sequence[str] = (),
) -> Report:
    """Do what ``tools/benchmark.py`` does.

    Args:
        mode: One of :data:`MODES`.
        config: The config, or its path.
        settings: What the command line decides.
        beside: Other configs whose reading to measure in turn with it; for ``'pipeline'`` only.
        cfg_options: ``key=value`` overrides, of all configs.

    Raises:
        InputError: for faults of a config, its data or the settings.
    """
    if mode not in MODES:
        raise ValueError(f"there is no mode {mode!r}{did_you_mean(mode, MODES)}")
    settings = settings or BenchmarkSettings()
    if find_device(settings.device).type == "cpu" and mode != "startup":
        keep_freed_memory()  # as training does, before anything large is allocated
    if beside and mode != "pipeline":
        raise ValueError(f"only 'pipeline' measures configs beside each other, not {mode!r}")
    reads = mode in ("pipeline", "loader", "startup") or settings.end_to_end
    uses = _uses(mode, settings)
    with ExitStack() as opened:
        workload, *others = (
            opened.enter_context(
                open_workload(one, settings, uses=uses, reads=reads, cfg_options=cfg_options)
            )
            for one in (config, *beside)
        )
        report = Report(
            mode=mode,
            config=", ".join(_called(one) for one in (workload, *others)),
            data="; ".join(dict.fromkeys(one.data for one in (workload, *others))),
            machine=machine(workload.device),
            settings={name: _plain(value) for name, value in asdict(settings).items()},
        )
        _fill(report, workload, others)
    peak = peak_resident()
    if peak is not None and mode in ("pipeline", "loader"):
        report.remarks.append(f"this process took up to {readable(peak / 1e6)} MB of memory")
    return report


def _uses(mode: str, settings: BenchmarkSettings) -> list[str]:
    """Return the data sets whose pipelines a mode needs."""
    if mode == "startup":
        return ["train", "val"]
    return ["train"] if mode == "step" else [settings.use]


def _fill(report: Report, workload: Workload, others: Sequence[Workload]) -> None:
    """Find the faults of the configs, and measure."""
    mode, use = report.mode, workload.settings.use
    trains = mode == "step" or (mode == "loader" and use == "train")
    if mode != "startup":  # there each process that is started checks for itself
        for one in (workload, *others):
            prepare(one.cfg, ["train" if trains else use])
    if mode == "pipeline":
        report.tables = measure_pipeline(_named([workload, *others]))
    elif mode == "loader":
        report.tables = measure_loader(workload)
    elif mode == "step":
        report.tables, report.limits = measure_step(workload)
    elif mode == "startup":
        report.tables = measure_startup(workload)
    else:
        report.tables = measure_inference(workload)


def _called(workload: Workload) -> str:
    """Return what to call a config."""
    return str(workload.cfg.filename or "given as an object")


def _named(workloads: Sequence[Workload]) -> dict[str, Workload]:
    """Return name → workload: names of the files, with as many folders as tell them apart."""
    paths = [Path(_called(one)).with_suffix("").parts for one in workloads]
    for count in range(1, max(map(len, paths)) + 1):
        names = ["/".join(parts[-count:]) for parts in paths]
        if len(set(names)) == len(names):
            break
    else:
        names = [f"{number} {name}" for number, name in enumerate(names, start=1)]
    return dict(zip(names, workloads, strict=True))


def _plain(value: Any) -> Any:
    """Return a setting as JSON knows it."""
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, (list, tuple)) else value
