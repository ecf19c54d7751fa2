"""How many operations and bytes a training step takes for each clip."""

from __future__ import annotations

from torch.utils.flop_counter import FlopCounterMode

from pyskl.benchmark.training_step import TrainingStep
from pyskl.benchmark.variants import Variant
from pyskl.benchmark.workload import Workload
from pyskl.models.cost import step_cost


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


def least_bytes(workload: Workload) -> float | None:
    """Return the bytes that a step in single precision moves for one clip at least.

    See :func:`pyskl.models.cost.step_cost`; None for a model that it does not know.
    """
    keypoint, _ = workload.random_batch(1, "train")  # (N, clips, M, T, V, C)
    try:
        cost = step_cost(workload.build_model(), keypoint.shape[3], keypoint.shape[2])
    except TypeError:
        return None
    return 4.0 * cost.activations
