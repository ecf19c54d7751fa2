"""Temporal units."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from pyskl.errors import ConfigError
from pyskl.models.backbones.temporal import MultiScaleTCN, UnitTCN

N, V = 2, 5


def names(module: nn.Module) -> list[str]:
    return [name for name in module.state_dict() if "running" not in name and "num_b" not in name]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(1, 3), st.integers(1, 4), st.sampled_from([1, 3, 5, 9]))
def test_tcn_keeps_joints_apart_and_strides(
    frames: int, stride: int, dilation: int, kernel: int
) -> None:
    unit = UnitTCN(2, 3, kernel, stride=stride, dilation=dilation).eval()
    x = torch.rand(N, 2, frames, V)
    y = unit(x)
    assert y.shape == (N, 3, -(-frames // stride), V)
    for joint in range(V):
        assert_close(unit(x[..., [joint]]), y[..., [joint]])


def test_tcn_centres_its_kernel() -> None:
    unit = UnitTCN(1, 1, 5, dilation=2, norm=None)
    unit.conv.weight.data.fill_(1)
    unit.conv.bias.data.zero_()
    x = torch.zeros(1, 1, 15, 1)
    x[0, 0, 7] = 1
    assert unit(x).flatten().nonzero().flatten().tolist() == [3, 5, 7, 9, 11]


def test_tcn_names() -> None:
    assert names(UnitTCN(2, 3)) == ["conv.weight", "conv.bias", "bn.weight", "bn.bias"]
    assert names(UnitTCN(2, 3, norm=None)) == ["conv.weight", "conv.bias"]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 14), st.integers(1, 2), st.integers(6, 20))
def test_multi_scale_tcn_shapes(frames: int, stride: int, channels: int) -> None:
    unit = MultiScaleTCN(4, channels, stride=stride).eval()
    x = torch.rand(N, 4, frames, V)
    assert unit(x).shape == (N, channels, -(-frames // stride), V)
    widths = [branch(x).shape[1] for branch in unit.branches]
    assert widths[1:] == [channels // 6] * 5
    assert sum(widths) == channels


def test_multi_scale_tcn_names() -> None:
    unit = MultiScaleTCN(6, 6)
    conv = ["0.weight", "0.bias", "1.weight", "1.bias"]
    expected = []
    for branch in range(4):
        expected += [f"branches.{branch}.{n}" for n in (*conv, "3.conv.weight", "3.conv.bias")]
    expected += [f"branches.4.{n}" for n in conv]
    expected += ["branches.5.weight", "branches.5.bias"]
    expected += ["transform.0.weight", "transform.0.bias", "transform.2.weight"]
    expected += ["transform.2.bias", "bn.weight", "bn.bias"]
    assert names(unit) == expected
    dilations = [unit.branches[branch][3].conv.dilation[0] for branch in range(4)]
    assert dilations == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("unit", "arguments", "key"),
    [
        (UnitTCN, {"kernel_size": 4}, "kernel_size"),
        (MultiScaleTCN, {}, "ms_cfg"),  # fewer channels than branches
        (MultiScaleTCN, {"ms_cfg": []}, "ms_cfg"),
        (MultiScaleTCN, {"ms_cfg": ["3x3"]}, "ms_cfg"),
        (MultiScaleTCN, {"ms_cfg": [("max", 2)]}, "kernel_size"),
    ],
)
def test_refuses(unit: type[nn.Module], arguments: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as error:
        unit(3, 4, **arguments)
    assert error.value.key == key
