"""Normalisation and activation layers by name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from pyskl.errors import ConfigError
from pyskl.models.layers import build_activation, build_norm


@pytest.mark.parametrize(
    ("norm", "kind"),
    [
        ("BN", nn.BatchNorm2d),
        ("SyncBN", nn.SyncBatchNorm),
        ("LN", nn.LayerNorm),
        ("IN", nn.InstanceNorm2d),
        ({"type": nn.BatchNorm2d}, nn.BatchNorm2d),
        (None, nn.Identity),
    ],
)
def test_norms(norm: Any, kind: type[nn.Module]) -> None:
    assert type(build_norm(norm, 4)) is kind


def test_norms_take_arguments_and_can_be_frozen() -> None:
    layer = build_norm({"type": "BN", "eps": 0.5, "requires_grad": False}, 4)
    assert layer.eps == 0.5
    assert not any(parameter.requires_grad for parameter in layer.parameters())
    group = build_norm({"type": "GN", "num_groups": 2}, 4)
    assert (group.num_groups, group.num_channels) == (2, 4)
    assert build_norm("LN", 4).normalized_shape == (4,)


# The definitions of mmcv, whose names these are.
@pytest.mark.parametrize(
    ("act", "expected"),
    [
        ("ReLU", torch.relu),
        ("ReLU6", lambda x: x.clamp(0, 6)),
        ("Swish", lambda x: x * x.sigmoid()),
        ("SiLU", lambda x: x * x.sigmoid()),
        ("HSwish", lambda x: x * (x + 3).clamp(0, 6) / 6),
        ("HSigmoid", lambda x: ((x + 3) / 6).clamp(0, 1)),
        ("Clamp", lambda x: x.clamp(-1, 1)),
        ({"type": "Clip", "min": -2, "max": 0.5}, lambda x: x.clamp(-2, 0.5)),
        ({"type": "LeakyReLU", "negative_slope": 0.3}, lambda x: torch.where(x < 0, 0.3 * x, x)),
        ({"type": nn.CELU}, nn.functional.celu),
        (None, lambda x: x),
    ],
)
def test_activations(act: Any, expected: Callable[[Tensor], Tensor]) -> None:
    x = torch.linspace(-8, 8, 101)
    assert_close(build_activation(act)(x.clone()), expected(x))


def test_relu_works_in_place_unless_told_otherwise() -> None:
    assert build_activation("ReLU").inplace
    assert not build_activation({"type": "ReLU", "inplace": False}).inplace


@pytest.mark.parametrize(
    ("build", "key"), [(lambda cfg: build_norm(cfg, 4), "norm"), (build_activation, "act")]
)
@pytest.mark.parametrize(
    "cfg",
    [
        "BNN",
        "RELU6",
        "subprocess.Popen",
        {"type": "torch.nn.ReLU"},
        {"type": "mmengine.GN"},
        {"type": "ConvModule"},
        {"type": print},
        {"type": dict},
        {"typ": "BN"},
        3,
    ],
)
def test_only_layers_are_built(build: Callable[[Any], nn.Module], key: str, cfg: Any) -> None:
    with pytest.raises(ConfigError) as error:
        build(cfg)
    assert error.value.key == key


def test_wrong_arguments() -> None:
    for norm in ("GN", {"type": "GN", "num_groups": 3}, {"type": "BN", "_scope_": "antigravity"}):
        with pytest.raises(ConfigError) as error:
            build_norm(norm, 4)
        assert error.value.key == "norm"
    for name in ("ReLU", "GELU", "Swish"):
        with pytest.raises(ConfigError) as error:
            build_activation({"type": name, "_scope_": "antigravity"})
        assert error.value.key == "act"
    assert "antigravity" not in sys.modules


def test_the_nearest_name_is_offered() -> None:
    with pytest.raises(ConfigError) as error:
        build_activation("RELU6")
    assert error.value.hint == "did you mean 'ReLU6'?"
