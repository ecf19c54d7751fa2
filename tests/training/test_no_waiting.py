"""A training step on a GPU never waits for the device: on meta tensors, which have no values.

Whatever would make the host wait (``item``, ``bool``, a copy back) needs a value, and fails there;
so does an operation on tensors of two devices. Only the fused kernel of the optimizer, which meta
tensors lack, is the unfused one here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pyskl.checkpoints.manager import SavePolicy
from pyskl.datasets.sampling import TrainBatches
from pyskl.models import STGCN, GCNHead, RecognizerGCN
from pyskl.training.schedule import LearningRate
from pyskl.training.trainer import Trainer

META = torch.device("meta")
SHAPE = (4, 1, 2, 10, 25, 3)  # N, clips, M, T, V, C


class Feed:
    """Batches on the device that come as they are."""

    batch_sampler = TrainBatches(12, 4)

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for _ in range(len(self)):
            label = torch.empty(4, dtype=torch.int64, device=META)
            yield {"keypoint": torch.empty(SHAPE, device=META), "label": label}


class Unfused(torch.optim.SGD):
    """Takes what a fused optimizer is told about the numbers, and makes nothing of it."""

    found_inf: Tensor | None = None
    grad_scale: Tensor | None = None

    def step(self, closure: Any = None) -> None:
        assert self.found_inf is None or self.found_inf.device == META
        self.found_inf = None
        super().step(closure)


@pytest.fixture
def take_steps(tmp_path: Path) -> Any:
    """A function that takes steps without values: options of the trainer, of the backbone."""

    def take(fused: bool = True, backbone: dict[str, Any] | None = None, **options: Any) -> Trainer:
        small = dict(base_channels=8, num_stages=2, inflate_stages=[2], down_stages=[2])
        graph = dict(layout="nturgb+d", mode="stgcn_spatial")
        stgcn = STGCN(graph, **small, **(backbone or {}))
        model = RecognizerGCN(stgcn, GCNHead(6, 16, dropout=0.2)).to(META).train()
        optimizer = Unfused(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
        optimizer.defaults["fused"] = fused  # what tells the trainer who judges the numbers
        trainer = Trainer(
            model=model,
            optimizer=optimizer,
            schedule=LearningRate(0.1, 1, 3, policy="fixed"),
            loader=Feed(),  # type: ignore[arg-type]
            device=META,
            work_dir=tmp_path,
            epochs=1,
            saving=SavePolicy(interval=0),
            **options,
        )
        for batch in Feed():
            losses, updated = trainer.train_step(batch)
            assert updated
            trainer.meter.add(trainer.guard.masked(losses), samples=SHAPE[0])
        return trainer

    return take


@pytest.mark.parametrize("policy", ["stop", "skip", "ignore"])
@pytest.mark.parametrize("clip", [None, {"max_norm": 1.0}])
def test_a_step_needs_no_value(take_steps: Any, policy: str, clip: dict[str, float] | None) -> None:
    trainer = take_steps(on_nonfinite=policy, grad_clip=clip)
    assert trainer.meter.steps == 3
    assert all(parameter.grad.device == META for parameter in trainer.model.parameters())


@pytest.mark.parametrize(
    "backbone",
    [
        {"gcn_adaptive": "init"},
        {"gcn_adaptive": "offset"},
        {"gcn_adaptive": "init", "gcn_with_res": True, "tcn_type": "mstcn"},
    ],
)
def test_of_any_backbone(take_steps: Any, backbone: dict[str, Any]) -> None:
    take_steps(backbone=backbone)


def test_who_does_need_a_value_fails_here(take_steps: Any) -> None:
    with pytest.raises(RuntimeError, match="meta"):
        take_steps(fused=False)  # the host judges then, as on a CPU
