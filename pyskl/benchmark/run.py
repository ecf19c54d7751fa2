"""Run a benchmark and put what it found into words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmengine.config import Config

from pyskl.benchmark.inference import measure_inference
from pyskl.benchmark.loader import measure_loader
from pyskl.benchmark.machine import machine
from pyskl.benchmark.memory import peak_resident
from pyskl.benchmark.pipeline import measure_pipeline
from pyskl.benchmark.report import Report, readable
from pyskl.benchmark.settings import BenchmarkSettings
from pyskl.benchmark.startup import measure_startup
from pyskl.benchmark.step import measure_step
from pyskl.benchmark.workload import Workload, find_device, open_workload
from pyskl.config import check_config
from pyskl.engine.memory import keep_freed_memory
from pyskl.errors import did_you_mean

MODES = ("pipeline", "loader", "step", "startup", "inference")


def benchmark_from_config(
    mode: str,
    config: str | Path | Mapping[str, Any] | Config,
    settings: BenchmarkSettings | None = None,
    *,
    cfg_options: Sequence[str] = (),
) -> Report:
    """Do what ``tools/benchmark.py`` does.

    Args:
        mode: One of :data:`MODES`.
        config: The config, or its path.
        settings: What the command line decides.
        cfg_options: ``key=value`` overrides.

    Raises:
        InputError: for faults of the config, its data or the settings.
    """
    if mode not in MODES:
        raise ValueError(f"there is no mode {mode!r}{did_you_mean(mode, MODES)}")
    settings = settings or BenchmarkSettings()
    if find_device(settings.device).type == "cpu" and mode != "startup":
        keep_freed_memory()  # as training does, before anything large is allocated
    reads = mode in ("pipeline", "loader", "startup") or settings.end_to_end
    with open_workload(
        config, settings, uses=_uses(mode, settings), reads=reads, cfg_options=cfg_options
    ) as workload:
        report = Report(
            mode=mode,
            config=str(workload.cfg.filename or "given as an object"),
            data=workload.data,
            machine=machine(workload.device),
            settings={name: _plain(value) for name, value in asdict(settings).items()},
        )
        _fill(report, workload)
    peak = peak_resident()
    if peak is not None and mode in ("pipeline", "loader"):
        report.remarks.append(f"this process took up to {readable(peak / 1e6)} MB of memory")
    return report


def _uses(mode: str, settings: BenchmarkSettings) -> list[str]:
    """Return the data sets whose pipelines a mode needs."""
    if mode == "startup":
        return ["train", "val"]
    return ["train"] if mode == "step" else [settings.use]


def _fill(report: Report, workload: Workload) -> None:
    """Find the faults of the config, and measure."""
    mode, use = report.mode, workload.settings.use
    trains = mode == "step" or (mode == "loader" and use == "train")
    if mode != "startup":  # there each process that is started checks for itself
        check_config(workload.cfg, ["train" if trains else use])
    if mode == "pipeline":
        report.tables = measure_pipeline(workload)
    elif mode == "loader":
        report.tables = measure_loader(workload)
    elif mode == "step":
        report.tables, report.limits = measure_step(workload)
    elif mode == "startup":
        report.tables = measure_startup(workload)
    else:
        report.tables = measure_inference(workload)


def _plain(value: Any) -> Any:
    """Return a setting as JSON knows it."""
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, (list, tuple)) else value
