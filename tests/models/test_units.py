from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from pyskl.errors import ConfigError
from pyskl.models.units import MultiScaleTCN, UnitGCN, UnitTCN
from pyskl.models.units import norm as norms
from pyskl.models.units.norm import build_activation, build_norm, replace_sync_batchnorm

N, T, V, K = 2, 6, 5, 3


def adjacency() -> torch.Tensor:
    return torch.rand(K, V, V, generator=torch.Generator().manual_seed(3))


def names(module: nn.Module) -> list[str]:
    return [name for name in module.state_dict() if "running" not in name and "num_b" not in name]


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(["importance", "offset", "init", None]),
    st.sampled_from(["pre", "post"]),
    st.booleans(),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_gcn_is_the_sum_over_subsets_and_joints(
    adaptive: str | None, conv_pos: str, with_res: bool, C: int, D: int
) -> None:
    A = adjacency()
    unit = UnitGCN(C, D, A, adaptive=adaptive, conv_pos=conv_pos, with_res=with_res).double().eval()
    for parameter in unit.parameters():
        parameter.data.uniform_(-1, 1)
    x = torch.rand(N, C, T, V, dtype=torch.float64)
    learned = {
        "importance": lambda: A * unit.PA,
        "offset": lambda: A + unit.PA,
        "init": lambda: unit.A,
        None: lambda: A.double(),
    }[adaptive]()
    weight = unit.conv.weight[:, :, 0, 0]
    y = unit.conv.bias[:D].view(1, D, 1, 1) * torch.ones(N, D, T, V, dtype=torch.float64)
    if conv_pos == "pre":
        y = torch.zeros_like(y)
    for k in range(K):
        if conv_pos == "pre":
            rows = slice(k * D, (k + 1) * D)
            mixed = torch.stack([weight[rows] @ x[n].flatten(1) for n in range(N)])
            mixed = mixed.view(N, D, T, V) + unit.conv.bias[rows].view(D, 1, 1)
            y = y + mixed @ learned[k]
        else:
            mixed = (x @ learned[k]).flatten(2)  # N, C, T·V
            y = y + (weight[:, k * C : (k + 1) * C] @ mixed).view(N, D, T, V)
    y = unit.bn(y)
    if with_res:
        y = y + unit.down(x)
    assert_close(unit(x), y.relu())


def test_gcn_s_names_and_starting_values() -> None:
    A = adjacency()
    common = ["bn.weight", "bn.bias", "conv.weight", "conv.bias"]
    down = ["down.0.weight", "down.0.bias", "down.1.weight", "down.1.bias"]
    importance = UnitGCN(3, 4, A, with_res=True)
    assert names(importance) == ["PA", "A", *common, *down]
    assert (importance.PA == 1).all()
    assert not importance.A.requires_grad
    assert names(UnitGCN(4, 4, A, with_res=True)) == ["PA", "A", *common]
    offset = UnitGCN(3, 4, A, adaptive="offset")
    assert names(offset) == ["PA", "A", *common]
    assert 0 < offset.PA.abs().max() <= 1e-6
    init = UnitGCN(3, 4, A, adaptive="init")
    assert names(init) == ["A", *common]
    assert init.A.requires_grad
    assert_close(init.A.data, A)
    fixed = UnitGCN(3, 4, A, adaptive=None)
    assert names(fixed) == ["A", *common]
    assert not fixed.A.requires_grad


def test_gcn_keeps_its_own_adjacency() -> None:
    A = adjacency()
    unit = UnitGCN(3, 4, A, adaptive="init")
    unit.A.data.zero_()
    assert (A > 0).any()


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


def test_tcn_s_names() -> None:
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


def test_multi_scale_tcn_s_names() -> None:
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


def test_norm_by_name_and_by_dict() -> None:
    assert type(build_norm("BN", 4)) is nn.BatchNorm2d
    assert type(build_norm("SyncBN", 4)) is nn.SyncBatchNorm
    assert type(build_norm(None, 4)) is nn.Identity
    frozen = build_norm({"type": "BN", "eps": 0.5, "requires_grad": False}, 4)
    assert frozen.eps == 0.5
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    assert type(build_activation("ReLU")) is nn.ReLU
    assert type(build_activation(None)) is nn.Identity


def test_the_names_are_those_of_mmcv() -> None:
    pytest.importorskip("mmcv.cnn")
    from mmengine.registry import MODELS

    for name, cls in {**norms._NORMS, **norms._ACTIVATIONS}.items():
        assert issubclass(MODELS.module_dict[name], cls), name
    for name in norms._ACTIVATIONS_OF_MMCV:
        assert type(build_activation(name)) is MODELS.module_dict[name]


def test_other_layers() -> None:
    group = build_norm({"type": "GN", "num_groups": 2, "requires_grad": False}, 4)
    assert (type(group), group.num_groups, group.num_channels) == (nn.GroupNorm, 2, 4)
    assert not any(parameter.requires_grad for parameter in group.parameters())
    assert build_norm("LN", 4).normalized_shape == (4,)
    assert type(build_activation("HSwish")) is nn.Hardswish
    assert build_activation({"type": "LeakyReLU", "negative_slope": 0.3}).negative_slope == 0.3
    assert type(build_activation({"type": nn.CELU})) is nn.CELU
    assert type(build_norm({"type": nn.BatchNorm2d}, 4)) is nn.BatchNorm2d


@pytest.mark.parametrize("build", [lambda cfg: build_norm(cfg, 4), build_activation])
@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ("BNN", r"'BNN' is no layer; did you mean 'BN'|'BNN' is no layer; there are"),
        ("RELU6", r"'RELU6' is no layer; (did you mean 'ReLU6'|there are)"),
        ("subprocess.Popen", r"'subprocess\.Popen' is no layer; there are"),
        ({"type": "torch.nn.ReLU"}, r"'torch\.nn\.ReLU' is no layer"),
        ({"type": "mmengine.GN"}, "is no layer"),
        ({"type": "ConvModule"}, "'ConvModule' is no layer"),
        ({"type": print}, "is a name or dict"),
        ({"type": dict}, "is a name or dict"),
        ({"type": 1}, "is a name or dict"),
        (3, "is a name or dict"),
    ],
)
def test_what_is_no_layer_is_refused(
    build: Callable[[Any], nn.Module], cfg: Any, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build(cfg)


def test_arguments_that_make_no_layer() -> None:
    for cfg in ("GN", {"type": "GN", "num_groups": 3}, {"type": "BN", "_scope_": "antigravity"}):
        with pytest.raises(ConfigError, match="makes no layer"):
            build_norm(cfg, 4)
    for name in ("ReLU", "GELU", "Swish"):
        with pytest.raises(ConfigError, match="makes no layer"):
            build_activation({"type": name, "_scope_": "antigravity"})
    assert "antigravity" not in sys.modules


def test_sync_norm_is_replaced_by_one_that_computes_the_same() -> None:
    model = nn.Sequential(
        nn.Sequential(build_norm("SyncBN", 3)), nn.Flatten(2), nn.SyncBatchNorm(3, eps=0.1)
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(0.5, 1.5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    local = nn.Sequential(nn.Sequential(nn.BatchNorm2d(3)), nn.Flatten(2), nn.BatchNorm1d(3, 0.1))
    local.load_state_dict(before)
    x = torch.rand(4, 3, T, V)
    replaced = replace_sync_batchnorm(model)
    assert replaced is model
    assert not any(isinstance(module, nn.SyncBatchNorm) for module in model.modules())
    assert list(model.state_dict()) == list(before)
    assert_close(model(x), local(x))
    assert_close(model.state_dict(), local.state_dict())
    assert replace_sync_batchnorm(nn.SyncBatchNorm(3).eval()).training is False


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: UnitGCN(3, 4, adjacency(), adaptive="ofset"), "did you mean 'offset'"),
        (lambda: UnitGCN(3, 4, adjacency(), conv_pos="mid"), "'pre' or 'post', found 'mid'"),
        (lambda: UnitGCN(3, 4, torch.ones(V, V)), r"\(K, V, V\), found \(5, 5\)"),
        (lambda: UnitTCN(3, 4, kernel_size=4), "odd number of frames, found 4"),
        (lambda: MultiScaleTCN(3, 4), "6 branches, expected 1 to 4"),
        (lambda: MultiScaleTCN(3, 4, ms_cfg=[]), "0 branches"),
        (lambda: MultiScaleTCN(3, 4, ms_cfg=["3x3"]), "found '3x3'"),
        (lambda: MultiScaleTCN(3, 4, ms_cfg=[("max", 2)]), "odd number of frames, found 2"),
        (lambda: build_norm({"typ": "BN"}, 4), "norm is a name or dict"),
        (lambda: build_norm({"type": "BN", "epsilon": 1}, 4), "epsilon"),
        (lambda: build_activation({"type": "ReLU", "slope": 1}), "slope"),
    ],
)
def test_refuses(build: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()  # type: ignore[operator]
