"""Measure training steps in clips/s, with the batch already on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from torch.utils.flop_counter import FlopCounterMode

from pyskl.benchmark.loader import measure_training_loop
from pyskl.benchmark.machine import copy_bandwidth, matmul_flops
from pyskl.benchmark.report import Table
from pyskl.benchmark.timing import spread
from pyskl.benchmark.variants import TrainingStep, Variant, measure_variants, select_variants
from pyskl.benchmark.workload import Workload


def measure_step(workload: Workload) -> tuple[list[Table], dict[str, float]]:
    """Compare the variants of a training step at each batch size.

    Returns:
        A table for each batch size, and the limits of the machine by name.
    """
    device, settings = workload.device, workload.settings
    variants = select_variants(device, settings.variants, compiled=settings.compile)
    precisions = dict.fromkeys(variant.precision for variant in variants)
    peaks = {precision: matmul_flops(device, precision) for precision in precisions}
    flops = training_flops(workload)
    tables = []
    for batch in workload.batch_sizes:
        table = _compare(workload, batch, variants, flops, peaks)
        tables.append(table)
        if settings.end_to_end:
            medians = {figure.name: figure.median for figure in table.figures}
            # The training loop records no CUDA graphs.
            loops = [
                variant for variant in variants if variant.name in medians and not variant.graph
            ]
            if loops:
                best = max(loops, key=lambda variant: medians[variant.name])
                tables.append(measure_training_loop(workload, batch, best))
    limits = {f"{name} matrix product, TFLOP/s": value / 1e12 for name, value in peaks.items()}
    limits["copy in memory, GB/s"] = copy_bandwidth(device) / 1e9
    limits["a training step, GFLOP a clip"] = flops / 1e9
    return tables, limits


def training_flops(workload: Workload) -> float:
    """Return the FLOP of a training step for one clip.

    Convolutions and matrix products are counted, a multiplication and an addition as two.
    """
    batch = workload.random_batch(1, "train")
    step = TrainingStep(workload.build_model(), workload.cfg.optimizer, *batch, Variant())
    with FlopCounterMode(display=False) as counter:
        step()
    return float(counter.get_total_flops())


def _compare(
    workload: Workload,
    batch: int,
    variants: Sequence[Variant],
    flops: float,
    peaks: Mapping[str, float],
) -> Table:
    def build(variant: Variant) -> TrainingStep:
        model, optimizer = workload.build_model(), workload.cfg.optimizer
        return TrainingStep(model, optimizer, *workload.random_batch(batch, "train"), variant)

    table = Table(f"training step, {batch} clips")
    rates, memory, table.failed = measure_variants(
        {variant.name: partial(build, variant) for variant in variants},
        workload.device,
        seconds=workload.settings.seconds,
        repeats=workload.settings.repeats,
    )
    for variant in variants:
        if variant.name not in rates:
            continue
        values = rates[variant.name]
        median = spread(values).median
        notes = {
            "ms/step": 1e3 * batch / median,
            "ratio": table.ratio_to_first(values) if "fp32" in rates else None,
            "TFLOP/s": median * flops / 1e12,
            "% of limit": 100 * median * flops / peaks[variant.precision],
            "peak MB": memory[variant.name],
        }
        table.add(variant.name, "clips/s", values, **notes)
    return table
