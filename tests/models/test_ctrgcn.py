"""CTR-GCN: the recorded values of the original, and the paper's formulas."""

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
from pyskl.models import CTRGCN, GCNHead, RecognizerGCN
from pyskl.models.backbones.ctrgcn import UnitCTRGCN

CHAIN = {"name": "chain", "num_joints": 4, "dim": 3, "edges": [(1, 0), (2, 1), (3, 2)], "center": 0}
NETWORKS = ("ctrgcn", "ctrgcn_k3")


def small(**arguments: Any) -> CTRGCN:
    """A small network on four joints in a row, whose second block widens and strides."""
    given: dict[str, Any] = {
        "graph_cfg": {"layout": CHAIN, "mode": "spatial"},
        "base_channels": 8,
        "num_stages": 3,
        "inflate_stages": [2],
        "down_stages": [2],
    }
    return CTRGCN(**{**given, **arguments})


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
    check_names(golden, "ctrgcn", "nturgb+d/full")
    check_start(golden, "ctrgcn")


@pytest.mark.parametrize("arguments", [{}, {"kernel_size": 3, "dilations": [1, 2, 3]}])
def test_the_network_is_that_of_the_paper(arguments: dict[str, Any]) -> None:
    model = unsettled(small(**arguments))
    check_same_function(model, make_naive(model), keypoints(model))


def test_it_starts_as_a_residual() -> None:
    unit = UnitCTRGCN(8, 8, torch.rand(3, 4, 4)).train()
    x = torch.rand(2, 8, 5, 4)
    assert_close(unit(x), x, rtol=0, atol=1e-4)


def test_a_unit_keeps_few_tensors_for_the_backward_pass() -> None:
    unit = UnitCTRGCN(16, 16, torch.rand(3, 4, 4))
    x = torch.randn(2, 16, 50, 4, requires_grad=True)
    kept: dict[int, int] = {}

    def pack(value: torch.Tensor) -> torch.Tensor:
        kept[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        unit(x)
    # The input of the unit, of its norm and of its relu, and small ones.
    assert sum(kept.values()) < 4 * x.untyped_storage().nbytes()


def test_checkpointing_changes_nothing() -> None:
    model, other = unsettled(small()), small(with_cp=True)
    other.load_state_dict(model.state_dict())
    check_same_function(model, other, keypoints(model))


def test_every_parameter_has_a_gradient() -> None:
    check_all_parameters_are_used(small())


def test_samples_do_not_mix_in_eval_mode() -> None:
    model = unsettled(small()).eval()
    x = keypoints(model, N=3)
    assert_close(model(x[[1]]), model(x)[[1]], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layout", ["coco", "nturgb+d", "handmp", CHAIN])
def test_layouts_of_any_size(layout: Any) -> None:
    model = small(graph_cfg={"layout": layout, "mode": "spatial"}, num_person=1)
    V = model.graph.num_node
    assert model(torch.rand(2, 1, 9, V, 3)).shape == (2, 1, 16, 5, V)


def test_dropout_is_left_out_in_the_first_block() -> None:
    model = small(tcn_dropout=0.5)
    assert [block.tcn1.drop.p for block in model.net] == [0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"kernel_size": 4}, "kernel_size"),
        ({"dilations": range(1, 8)}, "dilations"),
        ({"base_channels": 0}, "base_channels"),
        ({"down_stages": 5}, "down_stages"),
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
