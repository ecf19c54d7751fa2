"""Optimizers from their configs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from pyskl.errors import ConfigError
from pyskl.training.optimizer import build_optimizer, optimizer_class


def test_builds_over_all_parameters() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    cfg = dict(type="SGD", lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    optimizer = build_optimizer(model, cfg)
    assert type(optimizer) is torch.optim.SGD
    (group,) = optimizer.param_groups
    assert [id(p) for p in group["params"]] == [id(p) for p in model.parameters()]
    for key in ("lr", "momentum", "weight_decay", "nesterov"):
        assert group[key] == cfg[key]
    assert cfg["type"] == "SGD"  # the config itself is left as it is


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_any_class_of_torch(name: str) -> None:
    assert optimizer_class(name) is getattr(torch.optim, name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("SDG", "did you mean 'SGD'"),
        ("sgd", "no optimizer 'sgd'"),
        ("Optimizer", "no optimizer 'Optimizer'"),
        ("lr_scheduler", "no optimizer"),
        (None, "no optimizer None"),
        (["SGD"], "no optimizer"),
    ],
)
def test_unknown_names(name: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_optimizer(nn.Linear(1, 1), dict(type=name, lr=0.1))


def test_the_fused_variant_is_used_on_a_gpu_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not build_optimizer(nn.Linear(1, 1), dict(type="SGD", lr=0.1)).param_groups[0]["fused"]
    seen: dict[str, Any] = {}

    class OnGpu(nn.Linear):
        def parameters(self, recurse: bool = True) -> Any:
            class Parameter:
                is_cuda = True

            return iter([Parameter()])

    def sgd(params: Any, lr: float, fused: bool | None = None, foreach: bool | None = None) -> None:
        seen["fused"] = fused

    monkeypatch.setattr("pyskl.training.optimizer.optimizer_class", lambda name: sgd)
    monkeypatch.setattr("pyskl.training.optimizer._FUSED", (sgd,))
    build_optimizer(OnGpu(1, 1), dict(type="SGD", lr=0.1, foreach=True))
    assert seen == {"fused": None}, "torch refuses the two together"
    build_optimizer(OnGpu(1, 1), dict(type="SGD", lr=0.1))
    assert seen == {"fused": True}
    build_optimizer(OnGpu(1, 1), dict(type="SGD", lr=0.1, fused=False))
    assert seen == {"fused": False}
