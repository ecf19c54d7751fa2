"""AAGCN: the recorded values of the original, and the papers' formulas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
from pyskl.models import AAGCN, GCNHead, RecognizerGCN
from pyskl.models.backbones.aagcn import UnitAAGCN

CHAIN = {"name": "chain", "num_joints": 4, "dim": 3, "edges": [(1, 0), (2, 1), (3, 2)], "center": 0}
NETWORKS = ("aagcn", "aagcn_vc_plain", "aagcn_mstcn")


def small(**arguments: Any) -> AAGCN:
    """A small network on four joints in a row, whose second block widens and strides."""
    given: dict[str, Any] = {
        "graph_cfg": {"layout": CHAIN, "mode": "spatial"},
        "base_channels": 8,
        "num_stages": 3,
        "inflate_stages": [2],
        "down_stages": [2],
    }
    return AAGCN(**{**given, **arguments})


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
    check_names(golden, "aagcn", "nturgb+d/full")
    check_start(golden, "aagcn")


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"gcn_adaptive": False},
        {"gcn_attention": False, "data_bn_type": "VC"},
        {"tcn_type": "mstcn", "gcn_coff_embedding": 2},
    ],
)
def test_the_network_is_that_of_the_papers(arguments: dict[str, Any]) -> None:
    model = unsettled(small(**arguments))
    check_same_function(model, make_naive(model), keypoints(model))


def test_it_starts_as_a_residual() -> None:
    x = torch.rand(2, 8, 5, 4) + 0.1
    plain = UnitAAGCN(8, 8, torch.rand(3, 4, 4), attention=False).train()
    assert_close(plain(x), x, rtol=0, atol=1e-4)
    # Only the gate over joints differs from sigmoid(0).
    gates = UnitAAGCN(8, 8, torch.rand(3, 4, 4)).train()(x) / x / 1.5**2
    assert_close(gates, gates[:, :1, :1].expand_as(gates), rtol=1e-3, atol=0)


def test_checkpointing_changes_nothing() -> None:
    model, other = unsettled(small()), small(with_cp=True)
    other.load_state_dict(model.state_dict())
    check_same_function(model, other, keypoints(model))


def test_every_parameter_has_a_gradient() -> None:
    check_all_parameters_are_used(small())
    check_all_parameters_are_used(small(gcn_adaptive=False, gcn_attention=False))


def test_samples_do_not_mix_in_eval_mode() -> None:
    model = unsettled(small()).eval()
    x = keypoints(model, N=3)
    assert_close(model(x[[1]]), model(x)[[1]], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layout", ["coco", "nturgb+d", "handmp", CHAIN])
def test_layouts_of_any_size(layout: Any) -> None:
    model = small(graph_cfg={"layout": layout, "mode": "spatial"}, num_person=1)
    V = model.graph.num_node
    assert model(torch.rand(2, 1, 9, V, 3)).shape == (2, 1, 16, 5, V)


def test_options_of_single_blocks() -> None:
    model = small(gcn_attention=(True, False, True), tcn_dropout=0.5)
    assert [block.gcn.attention for block in model.gcn] == [True, False, True]
    assert [block.tcn.drop.p for block in model.gcn] == [0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"gcn_coff_embedding": 0}, "coff_embedding"),
        ({"gcn_type": "unit_gcn"}, "gcn_type"),
        ({"base_channels": 0}, "base_channels"),
    ],
)
def test_refuses(arguments: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as error:
        small(**arguments)
    assert error.value.key == key


def test_low_precision() -> None:
    check_low_precision(small())


@pytest.mark.slow
def test_exports(tmp_path: Path) -> None:
    model = unsettled(RecognizerGCN(small(), GCNHead(num_classes=5, in_channels=16)))
    check_export(model, tmp_path / "model.onnx")
