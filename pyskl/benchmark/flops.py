"""How many operations and bytes a training step takes for each clip."""

from __future__ import annotations

from torch.utils.flop_counter import FlopCounterMode

from pyskl.benchmark.training_step import TrainingStep
from pyskl.benchmark.variants import Variant
from pyskl.benchmark.workload import Workload


def training_flops(workload: Workload) -> float:
    """Return the operations of forward and backward pass for one clip, by the plain path.

    Convolutions and matrix products count, a multiplication and an addition as two. A way to
    compute that needs fewer is credited with these all the same, so that the share of the machine's
    limit compares.
    """
    keypoint, label = workload.random_batch(1, "train")
    step = TrainingStep(
        workload.build_model(), workload.cfg.optimizer, keypoint, label, Variant(plain=True)
    )
    with FlopCounterMode(display=False) as counter:
        step()
    return float(counter.get_total_flops())
