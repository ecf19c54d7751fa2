"""Costs by layer: those of the published model counted by hand, and those of any module."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pyskl.models import GCNHead, RecognizerGCN, build_model
from pyskl.models.cost import model_cost

PLUS = {"gcn_adaptive": "init", "gcn_with_res": True, "tcn_type": "mstcn"}
# The blocks of ST-GCN: channels in and out, frames in and out for T = 100.
BLOCKS = [
    (3, 64, 100, 100),
    *[(64, 64, 100, 100)] * 3,
    (64, 128, 100, 50),
    *[(128, 128, 50, 50)] * 2,
    (128, 256, 50, 25),
    *[(256, 256, 25, 25)] * 2,
]
K, V, M, L = 3, 25, 2, 60


def recognizer(base_channels: int = 12, **options: Any) -> RecognizerGCN:
    graph = {"layout": "nturgb+d", "mode": "spatial" if options else "stgcn_spatial"}
    backbone = {"type": "STGCN", "graph_cfg": graph, "base_channels": base_channels, **options}
    head = {"type": "GCNHead", "num_classes": L, "in_channels": 4 * base_channels}
    return build_model({"type": "RecognizerGCN", "backbone": backbone, "cls_head": head})  # type: ignore[return-value]


def test_the_published_model_by_hand() -> None:
    parameters = 2 * V * 3 + (256 + 1) * L  # the norm of the data, the classifier
    products = 256 * L
    norms = 2 * M * 100 * V * 3 + M * 256 * 25 * V + M * 256 + L  # of the data, and three means
    for index, (C, D, T, after) in enumerate(BLOCKS):
        parameters += K * V * V  # edge weights
        parameters += (C + 1) * K * D + 2 * D  # 1x1 convolution and norm
        parameters += (9 * D + 1) * D + 2 * D  # 9x1 convolution and norm
        products += M * T * V * (C * K * D + K * V * D)  # 1x1 convolution, adjacency
        products += M * after * V * 9 * D * D  # 9x1 convolution
        norms += 2 * M * V * D * (T + after)
        if index and (C != D or after != T):  # the residual's 1x1 convolution and norm
            parameters += (C + 1) * D + 2 * D
            products += M * after * V * C * D
            norms += 2 * M * V * D * after
    cost = model_cost(recognizer(64), (M, 100, V, 3))
    assert cost.device == "meta"
    assert cost.parameters == cost.trainable == parameters == 3_098_832
    assert cost.multiply_adds == products == 5_697_615_360
    assert cost.norms == norms


@pytest.mark.shared_data
def test_the_published_figure_includes_norms_and_means(golden: Path) -> None:
    published = json.loads((golden / "model_info.json").read_text())["nturgb+d/60"]
    for frames in (100, 300):
        cost = model_cost(recognizer(64), (M, frames, V, 3))
        ours = cost.multiply_adds + cost.norms
        # The means over persons and clips are 572 numbers that were not counted there.
        assert ours - published[f"flops_multiply_adds_T{frames}"] == M * 256 + L
        assert cost.parameters == published["num_parameters"]


@pytest.mark.parametrize("options", [{}, {"gcn_conv_pos": "post"}, PLUS])
@pytest.mark.parametrize("frames", [16, 21])
def test_a_training_step_is_what_torch_counts(options: dict[str, Any], frames: int) -> None:
    model = recognizer(**options)
    with FlopCounterMode(display=False) as counter:
        model.loss(torch.rand(1, 2, frames, 25, 3), torch.tensor([0]))["loss"].backward()
    assert model_cost(model, (2, frames, 25, 3)).step_flops == counter.get_total_flops()


def test_each_layer_has_its_own() -> None:
    model = recognizer()
    layers = {layer.name: layer for layer in model_cost(model, (2, 16, 25, 3)).layers}
    conv = layers["backbone.gcn.1.tcn.conv"]
    assert conv.kind == "Conv2d"
    assert conv.output == (2, 12, 16, 25)
    assert conv.activations == 2 * 12 * 16 * 25
    assert conv.flops == 2 * 9 * 12 * conv.activations
    assert conv.parameters == 9 * 12 * 12 + 12
    # The product with the adjacency belongs to the unit, not to the convolution in it.
    unit = layers["backbone.gcn.1.gcn"]
    assert unit.parameters == 3 * 25 * 25
    assert unit.flops == 2 * 3 * 25 * unit.activations
    assert layers["cls_head.fc_cls"].activations == 60
    assert sum(layer.parameters for layer in layers.values()) == sum(
        parameter.numel() for parameter in model.parameters()
    )


def test_the_model_is_not_changed() -> None:
    model = recognizer().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model_cost(model, (2, 16, 25, 3))
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


class NeedsValues(nn.Module):
    """A user's backbone that reads values, shares a layer and computes attention."""

    def __init__(self) -> None:
        super().__init__()
        self.lift = nn.Linear(3, 8)
        self.shared = nn.Linear(8, 8)
        self.frozen = nn.Linear(8, 8, bias=False)
        self.frozen.weight.requires_grad = False

    def forward(self, x: Tensor) -> Tensor:
        x = self.lift(x)
        if float(x.sum()) >= 0 or x.sum() < 0:
            x = self.shared(self.shared(x))
        weights = torch.einsum("nmtvc,nmtwc->nmtvw", x, x).softmax(-1)
        x = torch.einsum("nmtvw,nmtwc->nmtvc", weights, self.frozen(x))
        return x.permute(0, 1, 4, 2, 3)  # N, M, C', T', V


def test_any_backbone() -> None:
    model = RecognizerGCN(NeedsValues(), GCNHead(num_classes=4, in_channels=8))
    cost = model_cost(model, (2, 5, 7, 3))
    assert cost.device == "cpu"
    rows = 2 * 5 * 7
    products = rows * (3 * 8 + 3 * 8 * 8) + 2 * (2 * 5 * 7 * 7 * 8) + 8 * 4
    assert cost.multiply_adds == products
    assert cost.parameters == cost.trainable + 64
    named = {layer.name: layer for layer in cost.layers}
    assert named["backbone.shared"].flops == 2 * 2 * rows * 64  # called twice
    assert named["backbone"].flops == 2 * 2 * (2 * 5 * 7 * 7 * 8)


def test_a_clip_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 16, 17, 3\)"):
        model_cost(recognizer(), (2, 16, 17, 3))
