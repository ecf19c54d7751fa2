"""The importance of joints, by gradient times input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from pyskl.models import build_model
from pyskl.reports.joint_importance import joint_importance


class Linear:
    """A recognizer whose logits are a weighted sum of the coordinates."""

    def __init__(self, weights: Tensor) -> None:
        self.weights = weights  # (L, V)

    def logits(self, keypoint: Tensor) -> Tensor:
        """Score (N, M, T, V, C)."""
        return torch.einsum("nmtvc,lv->nl", keypoint, self.weights)[:, None]


def test_the_importance_of_a_sum_is_its_parts() -> None:
    keypoint = torch.rand(2, 1, 4, 3, 2) + 0.1
    weights = torch.tensor([[1.0, 2.0, -3.0], [0.0, 0.0, 1.0]])
    parts = keypoint.sum(dim=(0, 1, 2, 4)) * weights.clamp(min=0)
    for label in (0, 1):
        found = joint_importance(Linear(weights), keypoint, label)
        assert found.shape == (3,)
        assert found.max() == 1
        assert found == pytest.approx((parts[label] / parts[label].max()).numpy(), abs=1e-5)


def test_nothing_that_speaks_for_a_class() -> None:
    keypoint = torch.ones(1, 1, 2, 3, 2)
    assert not joint_importance(Linear(-torch.ones(1, 3)), keypoint, 0).any()


def test_the_importance_in_a_network(tiny_config: Callable[..., dict[str, Any]]) -> None:
    torch.manual_seed(0)
    model = build_model(tiny_config()["model"]).eval()
    keypoint = torch.randn(2, 1, 8, 25, 3)
    keypoint[..., 7, :] = 0
    found = joint_importance(model, keypoint, 1)
    assert found.shape == (25,)
    assert found.min() >= 0
    assert found.max() == 1
    assert found[7] == 0  # at the origin
    assert all(weight.grad is None for weight in model.parameters())
