"""MS-G3D: the recorded values of the original, and the paper's formulas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from family_goldens import check_names, check_outputs, check_start, check_training
from naive_networks import make_naive
from network_checks import (
    check_all_parameters_are_used,
    check_export,
    check_low_precision,
    check_same_function,
    keypoints,
    unsettled,
)
from torch.testing import assert_close

from pyskl.errors import ConfigError
from pyskl.models import MSG3D, GCNHead, RecognizerGCN
from pyskl.models.backbones.msg3d import MultiScaleGCN, WindowGCN, scale_adjacency
from pyskl.models.cost import model_cost
from pyskl.skeleton import Graph, SkeletonLayout

CHAIN = {"name": "chain", "num_joints": 4, "dim": 3, "edges": [(1, 0), (2, 1), (3, 2)], "center": 0}


def small(**arguments: Any) -> MSG3D:
    """A small network on four joints in a row."""
    given: dict[str, Any] = {
        "graph_cfg": {"layout": CHAIN, "mode": "binary_adj"},
        "base_channels": 6,
        "num_gcn_scales": 4,
        "num_g3d_scales": 3,
    }
    return MSG3D(**{**given, **arguments})


@pytest.mark.shared_data
@pytest.mark.parametrize("form", ["nturgb+d/small", "nturgb+d/full"])
def test_names_and_shapes_are_those_of_published_weights(golden: Path, form: str) -> None:
    check_names(golden, "msg3d", form)


@pytest.mark.shared_data
def test_outputs_are_those_of_the_original(golden: Path) -> None:
    check_outputs(golden, "msg3d")


@pytest.mark.slow
@pytest.mark.shared_data
def test_training_is_that_of_the_original(golden: Path) -> None:
    check_training(golden, "msg3d")


@pytest.mark.shared_data
def test_initial_weights_are_spread_like_those_of_the_original(golden: Path) -> None:
    check_start(golden, "msg3d")


def test_scales_are_distances() -> None:
    links = Graph(CHAIN, mode="binary_adj").A[0]
    scales = scale_adjacency(links, 5)
    assert_close(scales.sum(1), np.ones((5, 4)))  # each joint averages over its neighbours
    assert (scales[0] == np.eye(4)).all()
    for distance in (1, 2, 3):
        far = np.abs(np.subtract.outer(range(4), range(4)))
        assert ((scales[distance] > 0) == ((far == distance) | (far == 0))).all()
    assert (scales[4] == np.eye(4)).all()  # nothing is four steps away


@pytest.mark.parametrize("in_channels", [3, 8])  # graph first, and convolution first
@pytest.mark.parametrize(
    "frames",
    [1, 7, pytest.param(2, marks=pytest.mark.slow), pytest.param(8, marks=pytest.mark.slow)],
)
def test_the_network_is_that_of_the_paper(in_channels: int, frames: int) -> None:
    model = unsettled(small(in_channels=in_channels))
    check_same_function(model, make_naive(model), keypoints(model, T=frames))


@pytest.mark.slow
def test_checkpointing_changes_nothing() -> None:
    model, other = unsettled(small()), small(with_cp=True)
    other.load_state_dict(model.state_dict())
    check_same_function(model, other, keypoints(model))


def test_a_scale_keeps_only_its_input_for_the_backward_pass() -> None:
    unit = MultiScaleGCN(8, 8, Graph("coco", mode="binary_adj").A[0], 13)
    x = torch.randn(2, 8, 20, 17, requires_grad=True)
    kept: dict[int, int] = {}

    def pack(value: torch.Tensor) -> torch.Tensor:
        kept[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        unit(x)
    # The input of the unit, of its norm and of its relu, and small ones.
    assert sum(kept.values()) < 4 * x.untyped_storage().nbytes()


def test_every_parameter_has_a_gradient() -> None:
    check_all_parameters_are_used(small())


def test_persons_and_samples_do_not_mix_in_eval_mode() -> None:
    model = unsettled(small()).eval()
    x = keypoints(model, N=3)
    assert_close(model(x[[1]]), model(x)[[1]], rtol=1e-4, atol=1e-4)


def test_a_window_sees_its_frames_only() -> None:
    unit = WindowGCN(2, 3, Graph(CHAIN, mode="binary_adj").A[0], 2, window=3, stride=2).eval()
    x = torch.randn(1, 2, 4, 9)  # N, C, V, T
    changed = x.clone()
    changed[..., 4] += 1
    differ = (unit(x) != unit(changed)).flatten(0, 2).any(0)
    assert differ.tolist() == [False, False, True, False, False]  # centred on 0 2 4 6 8


def test_channels_and_strides() -> None:
    model = MSG3D({"layout": "coco", "mode": "binary_adj"}, base_channels=12)
    assert model.out_channels == 48
    features = model.eval()(torch.rand(2, 2, 13, 17, 3))
    assert features.shape == (2, 2, 48, 4, 17)
    layout = SkeletonLayout("bone", 2, [(1, 0)], center=0, dim=2)
    model = small(graph_cfg={"layout": layout, "mode": "binary_adj"}, num_person=1, in_channels=2)
    assert model(torch.rand(3, 1, 8, 2, 2)).shape == (3, 1, 24, 2, 2)


def test_dropout_is_left_out_in_the_first_stage() -> None:
    model = small(tcn_dropout=0.5)
    found = {
        name: module.p
        for name, module in model.named_modules()
        if name.endswith(("tcn1.drop", "tcn2.drop", "sgcn1.2.drop", "sgcn3.1.drop"))
    }
    assert found == {"sgcn1.2.drop": 0, "tcn1.drop": 0, "tcn2.drop": 0.5, "sgcn3.1.drop": 0.5}


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"base_channels": 5}, "base_channels"),
        ({"base_channels": 9.5}, "base_channels"),
        ({"num_gcn_scales": 0}, "num_gcn_scales"),
        ({"num_g3d_scales": "6"}, "num_g3d_scales"),
        ({"graph_cfg": {"layout": "coco", "mode": "spatial"}}, "graph_cfg.mode"),
        ({"pretrained": "x.pth"}, "pretrained"),
    ],
)
def test_refuses(arguments: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as error:
        small(**arguments)
    assert error.value.key == key


def test_costs_are_those_of_the_order_that_runs() -> None:
    M, T, V, C = 2, 8, 4, 6
    layers = {layer.name: layer for layer in model_cost(small(), (M, T, V, 3)).layers}

    def multiply_adds(name: str) -> int:
        return layers[name].flops // 2

    # Scales of single frames: all graph products, then a layer; or scale by scale.
    assert multiply_adds("sgcn1.0") == 4 * M * T * V * V * 3
    assert multiply_adds("sgcn1.0.mlp.layers.0") == 4 * M * T * V * 3 * C
    assert multiply_adds("sgcn2.0") == 4 * M * T * V * (V * C + C * C)
    # Windows of three frames, graph first; windows of five, convolution first, with stride 2.
    nodes = 3 * V
    expected = M * T * (3 * 3 * nodes**2 + 3 * nodes * 3 * C)
    assert multiply_adds("gcn3d1.gcn3d.0.gcn3d.1") == expected
    assert multiply_adds("gcn3d1.gcn3d.0") == M * T * nodes * C * C
    nodes = 5 * V
    expected = M * T // 2 * (2 * V * 3 * C * C + 3 * C * nodes**2)
    assert multiply_adds("gcn3d2.gcn3d.1.gcn3d.1") == expected


def test_refuses_another_number_of_persons() -> None:
    with pytest.raises(ValueError, match="num_person"):
        small()(torch.rand(1, 1, 8, 4, 3))


def test_low_precision() -> None:
    check_low_precision(small())


@pytest.mark.slow
def test_exports(tmp_path: Path) -> None:
    model = unsettled(RecognizerGCN(small(), GCNHead(num_classes=5, in_channels=24)))
    check_export(model, tmp_path / "model.onnx")
