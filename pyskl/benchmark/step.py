"""How many clips a second a network trains on, whatever the data."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence

import torch

from pyskl.benchmark.flops import least_bytes, training_flops
from pyskl.benchmark.limits import copy_bandwidth, matmul_flops, waiter
from pyskl.benchmark.loop import loop_over_step
from pyskl.benchmark.report import Figure, Table
from pyskl.benchmark.timing import Timed, alternate, ratio, spread
from pyskl.benchmark.training_step import TrainingStep
from pyskl.benchmark.variants import REFERENCE, Variant, choose_variants
from pyskl.benchmark.workload import Workload
from pyskl.training.memory import peak_memory


def measure_step(workload: Workload) -> tuple[list[Table], dict[str, float]]:
    """Compare the variants of a training step at each batch size.

    Returns:
        A table for each batch size, and the limits of the machine by name.
    """
    device, settings = workload.device, workload.settings
    variants = choose_variants(device, settings.variants, compiled=settings.compile)
    precisions = dict.fromkeys(variant.precision for variant in variants)
    limits = {precision: matmul_flops(device, precision) for precision in precisions}
    flops = training_flops(workload)
    tables = []
    for batch in workload.batch_sizes:
        tables.append(_compare(workload, batch, variants, flops, limits))
        if settings.end_to_end:
            tables += _end_to_end(workload, batch, variants, tables[-1])
    named = {f"{name} matrix product, TFLOP/s": value / 1e12 for name, value in limits.items()}
    named["copy in memory, GB/s"] = copy_bandwidth(device) / 1e9
    named["a training step, GFLOP a clip"] = flops / 1e9
    moved = least_bytes(workload)
    if moved is not None:
        named["a training step, MB a clip at least"] = moved / 1e6
    return tables, named


def _compare(
    workload: Workload,
    batch: int,
    variants: Sequence[Variant],
    flops: float,
    limits: Mapping[str, float],
) -> Table:
    """Measure the variants in turn; one that fails, for want of memory say, leaves the others."""
    settings, device = workload.settings, workload.device
    table = Table(f"training step, {batch} clips")
    timed: dict[str, Timed] = {}
    peaks: dict[str, int | None] = {}
    if any(variant.compiled for variant in variants):
        # Having compiled for another batch size, torch would now compile for any.
        torch.compiler.reset()
    for variant in variants:
        try:
            with peak_memory(device) as peak:
                keypoint, label = workload.random_batch(batch, "train")
                model, optimizer = workload.build_model(), workload.cfg.optimizer
                step = TrainingStep(model, optimizer, keypoint, label, variant)
                one = Timed(step, waiter(device))
                one.prepare(settings.seconds)
        except RuntimeError as error:  # out of memory, no compiler, an operation no graph can hold
            table.failed[variant.name] = str(error).strip().partition("\n")[0]
            _let_go(device)
            continue
        timed[variant.name], peaks[variant.name] = one, peak.bytes
    found = alternate({name: one.rate for name, one in timed.items()}, settings.repeats)
    reference = found.get(REFERENCE)
    for variant in variants:
        if variant.name not in found:
            continue
        values, highest = found[variant.name], peaks[variant.name]
        median = spread(values).median
        notes: dict[str, float | int | str | None] = {
            "ms/step": 1e3 * batch / median,
            "ratio": None if reference is None else ratio(values, reference),
            "TFLOP/s": median * flops / 1e12,
            "% of limit": 100 * median * flops / limits[variant.precision],
            "peak MB": None if highest is None else highest / 1e6,
        }
        table.figures.append(Figure(variant.name, "clips/s", values, notes))
    return table


def _end_to_end(
    workload: Workload, batch: int, variants: Sequence[Variant], table: Table
) -> list[Table]:
    """Measure the training loop, data and all, with the variant that came out best."""
    _let_go(workload.device)
    medians = {figure.name: figure.median for figure in table.figures}
    # The training loop records no CUDA graphs.
    candidates = [one for one in variants if one.name in medians and not one.graphed]
    if not candidates:
        return []
    return [loop_over_step(workload, batch, max(candidates, key=lambda one: medians[one.name]))]


def _let_go(device: torch.device) -> None:
    """Give back the memory of what is no longer used."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
