"""How many samples a second are scored, as ``tools/test.py`` does it, whatever the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pyskl.benchmark.limits import waiter
from pyskl.benchmark.precision import PRECISIONS, amp_of
from pyskl.benchmark.report import Figure, Table
from pyskl.benchmark.timing import Timed, alternate, ratio, spread
from pyskl.benchmark.variants import REFERENCE, Variant
from pyskl.benchmark.workload import Workload
from pyskl.evaluation.scoring import predictions
from pyskl.models.fuse import fuse_conv_bn
from pyskl.training.memory import peak_memory


@dataclass(frozen=True)
class Scoring:
    """One way to score samples.

    Attributes:
        batch: Samples that are scored at once.
        variant: Precision, plain or fast path, compiled or not.
        fused: With BatchNorm folded into convolutions.
    """

    batch: int
    variant: Variant
    fused: bool = False

    @property
    def name(self) -> str:
        """What the tables call it."""
        if self.variant.plain:
            return f"{REFERENCE}, one sample at a time"
        return f"batch {self.batch}, {self.variant.name}{'-fused' * self.fused}"


def measure_inference(workload: Workload) -> list[Table]:
    """Compare ways to score samples of as many clips as ``data.<use>`` has."""
    settings, device = workload.settings, workload.device
    use = settings.use
    clips, *_ = workload.sample_shape(use)
    table = Table(f"scoring samples of {clips} clip{'' if clips == 1 else 's'}, as data.{use} has")
    timed: dict[str, Timed] = {}
    peaks: dict[str, int | None] = {}
    for way in _ways(workload):
        if way.variant.compiled:
            torch.compiler.reset()  # having compiled for another batch size, torch would for any
        try:
            with peak_memory(device) as peak:
                keypoint, _ = workload.random_batch(way.batch, use)
                one = Timed(_work(workload.build_model(), keypoint, way), waiter(device))
                one.prepare(settings.seconds)
        except RuntimeError as error:  # out of memory, no compiler
            table.failed[way.name] = str(error).strip().partition("\n")[0]
            continue
        timed[way.name], peaks[way.name] = one, peak.bytes
    found = alternate({name: one.rate for name, one in timed.items()}, settings.repeats)
    reference = next(iter(found.values()))
    for name, values in found.items():
        median, highest = spread(values).median, peaks[name]
        notes = {
            "clips/s": clips * median,
            "ratio": ratio(values, reference),
            "peak MB": None if highest is None else highest / 1e6,
        }
        table.figures.append(Figure(name, "samples/s", values, notes))
    return [table]


def _ways(workload: Workload) -> list[Scoring]:
    """Return what to compare, the reference first."""
    precisions = PRECISIONS if workload.device.type == "cuda" else ("fp32",)
    return [Scoring(1, Variant(plain=True))] + [
        Scoring(batch, Variant(precision, compiled=compiled), fused)
        for batch in workload.batch_sizes
        for precision in precisions
        for compiled in ((False, True) if workload.settings.compile else (False,))
        for fused in (False, True)
    ]


def _work(model: nn.Module, keypoint: Tensor, way: Scoring) -> Callable[[], int]:
    """Return a function that scores a few batches; they stay on the device.

    The reference scores one sample after the other. The others go the way of testing, which on the
    CPU scores a batch with each thread.
    """
    model.eval()
    if way.fused:
        fuse_conv_bn(model)
    if way.variant.compiled:
        model.get_submodule("backbone").compile(dynamic=False)
    device = keypoint.device
    batches = [{"keypoint": keypoint}]
    if device.type == "cpu" and not way.variant.plain:
        batches *= torch.get_num_threads()

    def work() -> int:
        with way.variant.switched_on():
            if way.variant.plain:
                with torch.inference_mode():
                    model.predict(keypoint)  # type: ignore[operator]
            else:
                for _ in predictions(model, batches, device, amp=amp_of(way.variant.precision)):
                    pass
        return len(batches) * way.batch

    return work
