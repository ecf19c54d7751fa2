"""DG-STGCN: the recorded values of the original, and the paper's formulas."""

from __future__ import annotations

import itertools
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
from pyskl.models import DGSTGCN, GCNHead, RecognizerGCN
from pyskl.models.backbones import dgstgcn
from pyskl.models.backbones.dgstgcn import DynamicGCN, DynamicTCN
from pyskl.models.backbones.temporal import MultiScaleTCN
from pyskl.models.cost import model_cost

NETWORKS = ["dgstgcn", "dgstgcn_na_subset", "dgstgcn_static"]
BONES = {"name": "bones", "num_joints": 4, "edges": [(1, 0), (2, 1), (3, 1)], "center": 0, "dim": 3}
GRAPH = {"layout": BONES, "mode": "random", "num_filter": 2, "seed": 0}


def small(**arguments: Any) -> DGSTGCN:
    """A small network: three blocks, the second of which widens and strides."""
    given: dict[str, Any] = {
        "graph_cfg": GRAPH,
        "base_channels": 6,
        "num_stages": 3,
        "inflate_stages": [2],
        "down_stages": [2],
    }
    return DGSTGCN(**{**given, **arguments})


@pytest.mark.shared_data
@pytest.mark.parametrize("network", NETWORKS)
def test_names_and_shapes_are_those_of_published_weights(golden: Path, network: str) -> None:
    check_names(golden, network)


@pytest.mark.shared_data
@pytest.mark.parametrize("network", NETWORKS)
def test_outputs_are_those_of_the_original(golden: Path, network: str) -> None:
    check_outputs(golden, network)


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.parametrize("network", NETWORKS)
def test_training_is_that_of_the_original(golden: Path, network: str) -> None:
    check_training(golden, network)


@pytest.mark.shared_data
def test_initial_weights_are_spread_like_those_of_the_original(golden: Path) -> None:
    check_names(golden, "dgstgcn", "nturgb+d/full")
    np.random.seed(0)
    check_start(golden, "dgstgcn")


@pytest.mark.parametrize(("ctr", "ada"), list(itertools.product(["T", "NA", None], repeat=2)))
@pytest.mark.parametrize("subset_wise", [False, True])
def test_the_network_is_that_of_the_paper(
    ctr: str | None, ada: str | None, subset_wise: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dgstgcn, "_PIECE", 2 * 2 * 3 * 4 * 4 * 3)  # three frames of the first block
    model = small(gcn_ctr=ctr, gcn_ada=ada, gcn_subset_wise=subset_wise, gcn_ratio=0.5)
    unsettled(model)
    check_same_function(model, make_naive(model), keypoints(model, T=8))


@pytest.mark.parametrize("act", ["tanh", "relu", "sigmoid", "softmax"])
def test_activations_of_the_adjacency(act: str) -> None:
    for per in ("T", "NA"):
        unit = DynamicGCN(3, 4, torch.rand(2, 5, 5), 0.5, per, per, ctr_act=act, ada_act=act)
        unsettled(unit)
        check_same_function(unit, make_naive(unit), torch.randn(2, 3, 4, 5))


def test_a_dynamic_graph_starts_as_the_static_one() -> None:
    model, static = small().eval(), small(gcn_ctr=None, gcn_ada=None).eval()
    static.load_state_dict(
        {name: model.state_dict()[name] for name in static.state_dict()}, strict=True
    )
    x = keypoints(model)
    assert_close(model(x), static(x))


def test_frames_come_in_pieces() -> None:
    """No tensor of the adjacencies of all frames is kept for the backward pass."""
    N, K, T, V = 2, 2, 50, 9
    unit = DynamicGCN(4, 8, torch.rand(K, V, V), 1, "NA", "NA")
    x = torch.randn(N, 4, T, V, requires_grad=True)
    largest = 0

    def pack(value: torch.Tensor) -> torch.Tensor:
        nonlocal largest
        largest = max(largest, value.numel())
        return value

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        unit(x)
    assert largest == N * K * 8 * T * V


def test_checkpointing_changes_nothing() -> None:
    for per in ("T", "NA"):
        model, other = small(gcn_ctr=per), small(gcn_ctr=per, with_cp=True)
        other.load_state_dict(unsettled(model).state_dict())
        check_same_function(model, other, keypoints(model))


def test_every_parameter_has_a_gradient_but_factors_of_terms_that_are_left_out() -> None:
    check_all_parameters_are_used(small())
    check_all_parameters_are_used(small(gcn_ctr="NA", gcn_ada="NA"))
    check_all_parameters_are_used(small(gcn_ctr=None))
    check_all_parameters_are_used(small(gcn_ctr=None, gcn_ada=None))


def test_without_subset_wise_the_first_factors_apply_to_all() -> None:
    model = unsettled(small()).eval()
    x = keypoints(model)
    before = model(x)
    for block in model.gcn:
        block.gcn.alpha.data[1] += 1
        block.gcn.beta.data[1] += 1
    assert torch.equal(model(x), before)


def test_the_temporal_unit_starts_as_that_of_stgcnpp() -> None:
    unit, plain = DynamicTCN(6, 12, stride=2, num_joints=5).eval(), MultiScaleTCN(6, 12, stride=2)
    plain.load_state_dict({n: v for n, v in unit.state_dict().items() if n != "add_coeff"})
    x = torch.randn(2, 6, 9, 5)
    assert_close(unit(x), plain.eval()(x))


def test_the_mean_joint_is_added_with_a_factor_per_joint() -> None:
    unit = DynamicTCN(6, 12, num_joints=5).eval()
    joints = torch.randn(2, 6, 9, 5)
    x = torch.cat([joints, joints.mean(3, keepdim=True)], 3)
    unit.add_coeff.data.copy_(torch.tensor([0.0, 0, 2, 0, 0]))
    local = MultiScaleTCN.convolve(unit, x)  # N, C', T, V + 1
    local[..., 2] += 2 * local[..., 5]
    expected = unit.bn(unit.transform(local))[..., :5]
    assert_close(unit(joints), expected)


def test_the_factors_follow_the_layout() -> None:
    coco = {"layout": "coco", "mode": "random", "num_filter": 8}
    assert [len(block.tcn.add_coeff) for block in small(graph_cfg=coco).gcn] == [17] * 3
    given = small(graph_cfg=coco, tcn_num_joints=25)
    assert [len(block.tcn.add_coeff) for block in given.gcn] == [25] * 3
    assert given(keypoints(given)).shape == (2, 2, 12, 5, 17)
    per_block = small(tcn_num_joints=(4, 5, 6), gcn_ratio=(0.5, 1, 0.25))
    assert [len(block.tcn.add_coeff) for block in per_block.gcn] == [4, 5, 6]
    assert [block.gcn.post.in_channels for block in per_block.gcn] == [6, 24, 6]


def test_options_reach_the_units() -> None:
    model = small(tcn_ms_cfg=[(3, 1), "1x1"], tcn_dropout=0.5, gcn_ctr=("T", "NA", None))
    assert [len(block.tcn.branches) for block in model.gcn] == [2] * 3
    assert [block.tcn.drop.p for block in model.gcn] == [0, 0.5, 0.5]
    assert [block.gcn.ctr for block in model.gcn] == ["T", "NA", None]
    assert {"gcn_ctr_act", "tcn_num_joints", "gcn_subset_wise"} <= set(DGSTGCN.extra_options({}))


def test_a_seed_repeats_the_random_graph() -> None:
    graph = {"layout": "coco", "mode": "random", "num_filter": 4}

    def first(seed: int | None) -> torch.Tensor:
        if seed is not None:
            np.random.seed(seed)  # as training does with the seed of the config
        return small(graph_cfg=graph).gcn[0].gcn.A.detach()

    assert torch.equal(first(3), first(3))
    assert not torch.equal(first(3), first(None))


@pytest.mark.parametrize("per", ["T", "NA"])
def test_costs_count_the_products_with_each_adjacency(per: str) -> None:
    M, T, V, K, R = 2, 8, 4, 2, 3
    model = small(gcn_ctr=per, gcn_ada=per, gcn_ratio=0.5)
    layers = {layer.name: layer for layer in model_cost(model, (M, T, V, 3)).layers}
    adjacencies = M * (1 if per == "T" else T)
    products = adjacencies * K * R * V * V + M * K * R * T * V * V  # scores, y
    assert layers["gcn.0.gcn"].flops == 2 * products


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"gcn_ctr": "TA"}, "ctr"),
        ({"gcn_ada": "all"}, "ada"),
        ({"gcn_ctr_act": "softmx"}, "ctr_act"),
        ({"gcn_ada_act": None}, "ada_act"),
        ({"gcn_ratio": 0.1}, "ratio"),
        ({"tcn_num_joints": 3}, "tcn_num_joints"),
        ({"tcn_num_joints": (4, 4, 3)}, "tcn_num_joints"),
        ({"tcn_num_joints": 0}, "tcn_num_joints"),
        ({"tcn_num_joints": 4.5}, "num_joints"),
        ({"tcn_type": "mstcn"}, "tcn_type"),
        ({"pretrained": "x.pth"}, "pretrained"),
    ],
)
def test_refuses(arguments: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as error:
        small(**arguments)
    assert error.value.key == key


@pytest.mark.parametrize("per", ["T", "NA"])
def test_low_precision(per: str) -> None:
    check_low_precision(small(gcn_ctr=per, gcn_ada=per))


@pytest.mark.slow
@pytest.mark.parametrize("per", ["T", "NA"])
def test_exports(per: str, tmp_path: Path) -> None:
    backbone = small(gcn_ctr=per, gcn_ada=per, num_stages=2)
    model = unsettled(RecognizerGCN(backbone, GCNHead(num_classes=5, in_channels=12)))
    check_export(model, tmp_path / "model.onnx")
