"""How many samples per second are scored the way ``tools/test.py`` does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pyskl.benchmark.report import Table
from pyskl.benchmark.timing import Timed, alternate, spread, synchronizer
from pyskl.benchmark.variants import PRECISIONS, Variant, allow_tf32
from pyskl.benchmark.workload import Workload
from pyskl.evaluation.scoring import predictions
from pyskl.models.convert import fuse_conv_bn
from pyskl.training.memory_use import peak_memory


@dataclass(frozen=True)
class Scoring:
    """A way to score samples.

    Attributes:
        batch: Samples per batch; None for the reference, which scores one after the other.
        variant: Precision, compiled or not.
        fused: Whether BatchNorm is folded into convolutions.
    """

    batch: int | None
    variant: Variant
    fused: bool = False

    @property
    def name(self) -> str:
        """The name in the tables."""
        if self.batch is None:
            return f"reference, {self.variant.name}, one sample at a time"
        return f"batch {self.batch}, {self.variant.name}{'-fused' * self.fused}"


def measure_inference(workload: Workload) -> list[Table]:
    """Compare ways to score samples with as many clips as ``data.<use>`` has."""
    settings, device = workload.settings, workload.device
    clips, *_ = workload.sample_shape(settings.use)
    table = Table(
        f"scoring samples of {clips} clip{'' if clips == 1 else 's'}, as data.{settings.use} has"
    )
    ways = [Scoring(None, Variant())] + [
        Scoring(batch, Variant(precision, compiled), fused)
        for batch in workload.batch_sizes
        for precision in (PRECISIONS if device.type == "cuda" else ("fp32",))
        for compiled in ((False, True) if settings.compile else (False,))
        for fused in (False, True)
    ]
    timed: dict[str, Timed] = {}
    memory: dict[str, int | None] = {}
    for way in ways:
        if way.variant.compiled:
            # Otherwise torch would compile for any batch size after having compiled for another.
            torch.compiler.reset()
        try:
            with peak_memory(device) as peak:
                keypoint, _ = workload.random_batch(way.batch or 1, settings.use)
                work = _work(workload.build_model(), keypoint, way)
                one = Timed(work, synchronizer(device))
                one.prepare(settings.seconds)
        except RuntimeError as error:  # out of memory, no compiler
            table.failed[way.name] = str(error).strip().partition("\n")[0]
            continue
        timed[way.name], memory[way.name] = one, peak.bytes
    found = alternate({name: one.rate for name, one in timed.items()}, settings.repeats)
    for name, values in found.items():
        used = memory[name]
        notes = {
            "clips/s": clips * spread(values).median,
            "ratio": table.ratio_to_first(values),
            "peak MB": None if used is None else used / 1e6,
        }
        table.add(name, "samples/s", values, **notes)
    return [table]


def _work(model: nn.Module, keypoint: Tensor, way: Scoring) -> Callable[[], int]:
    """Return a function that scores a few batches, which stay on the device."""
    model.eval()
    if way.fused:
        fuse_conv_bn(model)
    way.variant.prepare(model)
    device = keypoint.device
    batches = [{"keypoint": keypoint}]
    if device.type == "cpu" and way.batch is not None:
        batches *= torch.get_num_threads()  # testing scores one batch per thread

    def work() -> int:
        with allow_tf32(way.variant.precision != "fp32"):
            if way.batch is None:
                with torch.inference_mode():
                    model.predict(keypoint)  # type: ignore[operator]
            else:
                for _ in predictions(model, batches, device, amp=way.variant.amp):
                    pass
        return len(batches) * len(keypoint)

    return work
