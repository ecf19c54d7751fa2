"""Factors of learning rate and weight decay by parameter; exact under resume."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pyskl.apis import TrainSettings, train_from_config
from pyskl.apis.prepare import prepare
from pyskl.errors import ConfigError
from pyskl.training.optimizer import ParamwiseOptions, build_optimizer


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.depthwise = nn.Conv1d(4, 4, 1, groups=4)
        self.head = nn.Linear(4, 2)


def test_factors_follow_mmcv() -> None:
    options = ParamwiseOptions(
        bias_lr_mult=2, bias_decay_mult=3, norm_decay_mult=0, dwconv_decay_mult=5
    )
    assert options.factors(Net()) == {
        "norm.weight": (1, 0),
        "norm.bias": (1, 0),
        "depthwise.weight": (1, 5),
        "depthwise.bias": (2, 5),
        "head.weight": (1, 1),
        "head.bias": (2, 3),
    }
    keys = {"head": dict(lr_mult=10), "head.bias": dict(decay_mult=0)}
    custom = ParamwiseOptions(custom_keys=keys, bias_lr_mult=2).factors(Net())
    assert (custom["head.weight"], custom["head.bias"]) == ((10, 1), (1, 0))
    assert custom["depthwise.bias"] == (2, 1)


@pytest.mark.parametrize("kind", ["SGD", "AdamW", "Rprop"])
def test_groups_of_the_optimizer(kind: str) -> None:
    paramwise = dict(custom_keys={"head": dict(lr_mult=10.0, decay_mult=0.5)})
    optimizer = build_optimizer(Net(), dict(type=kind, lr=0.1, paramwise_cfg=paramwise))
    assert sorted(group["lr_mult"] for group in optimizer.param_groups) == [1.0, 10.0]
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 6


@pytest.mark.parametrize(
    "paramwise",
    [
        dict(custom_keys={"cls_haed": dict(lr_mult=2.0)}),
        dict(custom_keys={"cls_head": dict(lr_mul=2.0)}),
        dict(norm_decay=0.0),
        3,
    ],
)
def test_what_fits_nothing_is_an_error(
    tiny_config: Callable[..., dict[str, Any]], paramwise: Any
) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare(tiny_config(optimizer__paramwise_cfg=paramwise), ())
    assert all(str(one.key).startswith("optimizer.paramwise_cfg") for one in caught.value.errors)


def test_a_resumed_run_ends_with_the_same_bits(
    tiny_config: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    config = tiny_config(
        optimizer__weight_decay=0.1,
        optimizer__paramwise_cfg=dict(
            norm_decay_mult=0.0, custom_keys={"cls_head": dict(lr_mult=3.0)}
        ),
        lr_config=dict(policy="Step", step=[1]),
    )
    train_from_config(config, work_dir=tmp_path / "whole")
    settings = TrainSettings(resume=tmp_path / "whole" / "epoch_1.pth")
    train_from_config(config, settings, work_dir=tmp_path / "resumed")
    whole, resumed = (
        torch.load(tmp_path / name / "epoch_2.pth", weights_only=False)
        for name in ("whole", "resumed")
    )
    assert [group["lr"] for group in whole["optimizer"]["param_groups"]] == pytest.approx(
        [group["lr_mult"] * 0.005 for group in whole["optimizer"]["param_groups"]]
    )
    for name, value in whole["state_dict"].items():
        assert torch.equal(value, resumed["state_dict"][name]), name
