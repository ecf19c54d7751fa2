"""Measure scoring in samples/s, as ``tools/test.py`` does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from pyskl.benchmark.report import Table
from pyskl.benchmark.timing import spread
from pyskl.benchmark.variants import PRECISIONS, Variant, allow_tf32, measure_variants
from pyskl.benchmark.workload import Workload
from pyskl.evaluation.scoring import predictions
from pyskl.models.convert import fuse_conv_bn


@dataclass(frozen=True)
class Scoring:
    """A way to score samples.

    Attributes:
        batch: Samples per batch.
        variant: Precision, compiled or not.
        fused: Whether BatchNorm is folded into convolutions.
        threaded: Whether each thread of the CPU scores a batch, as in testing.
    """

    batch: int
    variant: Variant
    fused: bool = False
    threaded: bool = True

    @property
    def name(self) -> str:
        """The name in the tables."""
        return self.variant.name + "-fused" * self.fused


def measure_inference(workload: Workload) -> list[Table]:
    """Compare ways to score samples with as many clips as ``data.<use>`` has.

    Returns:
        A table for each batch size.
    """
    return [_measure(workload, batch) for batch in workload.batch_sizes]


def _measure(workload: Workload, batch: int) -> Table:
    settings, device = workload.settings, workload.device
    clips, *_ = workload.sample_shape(settings.use)
    ways = {"reference, fp32, one sample at a time": Scoring(1, Variant(), threaded=False)}
    for precision in PRECISIONS if device.type == "cuda" else ("fp32", "bf16"):
        for compiled in (False, True) if settings.compile else (False,):
            for fused in (False, True):
                way = Scoring(batch, Variant(precision, compiled), fused)
                ways[way.name] = way

    def build(way: Scoring) -> Callable[[], int]:
        keypoint, _ = workload.random_batch(way.batch, settings.use)
        return _work(workload.build_model(), keypoint, way)

    table = Table(
        f"scoring samples of {clips} clip{'' if clips == 1 else 's'}, as data.{settings.use} has, "
        f"batches of {batch}"
    )
    rates, memory, table.failed = measure_variants(
        {name: partial(build, way) for name, way in ways.items()},
        device,
        seconds=settings.seconds,
        repeats=settings.repeats,
    )
    for name, values in rates.items():
        notes = {
            "clips/s": clips * spread(values).median,
            "ratio": table.ratio_to_first(values),
            "peak MB": memory[name],
        }
        table.add(name, "samples/s", values, **notes)
    return table


def _work(model: nn.Module, keypoint: Tensor, way: Scoring) -> Callable[[], int]:
    """Return a function that scores a few batches, which stay on the device."""
    model.eval()
    if way.fused:
        fuse_conv_bn(model)
    way.variant.prepare(model)
    device = keypoint.device
    batches = [{"keypoint": keypoint}]
    if device.type == "cpu" and way.threaded:
        batches *= torch.get_num_threads()

    def work() -> int:
        with allow_tf32(way.variant.precision != "fp32"):
            if not way.threaded:
                with torch.inference_mode():
                    model.predict(keypoint)  # type: ignore[operator]
            else:
                for _ in predictions(model, batches, device, amp=way.variant.amp):
                    pass
        return len(batches) * len(keypoint)

    return work
