from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from pyskl.models import RecognizerGCN, build_model, plain_path
from pyskl.models.cost import step_cost

PLUS = {"gcn_adaptive": "init", "gcn_with_res": True, "tcn_type": "mstcn"}


def recognizer(base_channels: int = 12, **options: Any) -> RecognizerGCN:
    graph = {"layout": "nturgb+d", "mode": "spatial" if options else "stgcn_spatial"}
    return build_model(  # type: ignore[return-value]
        {
            "type": "RecognizerGCN",
            "backbone": {
                "type": "STGCN",
                "graph_cfg": graph,
                "base_channels": base_channels,
                **options,
            },
            "cls_head": {"type": "GCNHead", "num_classes": 60, "in_channels": 4 * base_channels},
        }
    )


@pytest.mark.parametrize("options", [{}, {"gcn_conv_pos": "post"}, PLUS])
@pytest.mark.parametrize("frames", [16, 21])
def test_operations_are_those_that_torch_counts(options: dict[str, Any], frames: int) -> None:
    model = recognizer(**options)
    cost = step_cost(model, frames)
    x = torch.rand(1, 2, frames, 25, 3)
    with plain_path(), FlopCounterMode(display=False) as forward:
        loss = model.loss(x, torch.zeros(1, dtype=torch.long))["loss"]
    assert cost.forward == forward.get_total_flops()
    with plain_path(), FlopCounterMode(display=False) as backward:
        loss.backward()
    assert cost.step == forward.get_total_flops() + backward.get_total_flops()


@pytest.mark.shared_data
def test_multiplications_of_the_published_model(golden: Path) -> None:
    found = step_cost(recognizer(64), frames=100).forward
    assert found / 2 == pytest.approx(5.713e9, rel=5e-3)


def test_adjacency_first_is_cheaper_where_blocks_widen() -> None:
    model = recognizer()
    as_written = {part.part: part.forward for part in step_cost(model, 100).parts}
    first = {p.part: p.forward for p in step_cost(model, 100, adjacency_first=True).parts}
    assert first.pop("adjacency") < as_written.pop("adjacency")
    assert first == as_written


def test_the_slower_of_the_two_limits_counts() -> None:
    cost = step_cost(recognizer(), 16)
    assert cost.seconds(1.0, 1e30) == cost.step
    assert cost.seconds(1e30, 1.0, itemsize=2) == 2 * cost.activations


def test_refuses_other_models() -> None:
    model = RecognizerGCN(torch.nn.Identity(), torch.nn.Identity())
    with pytest.raises(TypeError, match=r"found RecognizerGCN with .*Identity"):
        step_cost(model, 16)
