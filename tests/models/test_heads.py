from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from pyskl.errors import ConfigError
from pyskl.evaluation import top_k_accuracy as numpy_top_k_accuracy
from pyskl.models import GCNHead
from pyskl.models.heads import top_k_accuracy


def test_pools_all_persons_frames_and_joints_alike() -> None:
    head = GCNHead(num_classes=4, in_channels=3)
    x = torch.rand(2, 2, 3, 5, 7)  # N, M, C, T, V
    assert_close(head(x), head.fc_cls(x.mean(dim=(1, 3, 4))))
    x[:, 1] = 0  # an absent person halves the features
    assert_close(head(x), head.fc_cls(x[:, 0].mean(dim=(2, 3)) / 2))


def test_starting_weights() -> None:
    head = GCNHead(num_classes=100, in_channels=256, init_std=0.5)
    assert abs(head.fc_cls.weight.std().item() - 0.5) < 0.02
    assert (head.fc_cls.bias == 0).all()
    assert abs(GCNHead(100, 256).fc_cls.weight.std().item() - 0.01) < 4e-4


def test_dropout_acts_in_training_only() -> None:
    head = GCNHead(num_classes=4, in_channels=3, dropout=1.0)
    x = torch.rand(2, 1, 3, 2, 2)
    assert (head(x) == 0).all()
    assert (head.eval()(x) != 0).any()


# Few distinct values, so that there are ties.
@settings(max_examples=50, deadline=None)
@given(st.integers(1, 8), st.integers(1, 7), st.integers(0, 10_000))
def test_accuracy_of_a_batch_is_that_of_the_metrics(N: int, L: int, seed: int) -> None:
    rng = np.random.RandomState(seed)
    scores = rng.randint(-2, 3, (N, L)).astype(np.float32)
    labels = rng.randint(0, L, N)
    expected = numpy_top_k_accuracy(scores, labels, (1, 2, 5))
    found = top_k_accuracy(torch.from_numpy(scores), torch.from_numpy(labels), (1, 2, 5))
    assert_close(torch.stack(found), torch.tensor(expected, dtype=torch.float32))


def test_loss_and_accuracies() -> None:
    head = GCNHead(num_classes=6, in_channels=3)
    scores = torch.tensor([[9.0, 0, 0, 0, 0, -1], [9.0, 8, 7, 6, 5, 4]], requires_grad=True)
    losses = head.loss(scores, torch.tensor([0, 5]))
    assert list(losses) == ["loss_cls", "top1_acc", "top5_acc"]
    assert losses["top1_acc"] == losses["top5_acc"] == 0.5
    assert losses["loss_cls"].requires_grad
    assert not losses["top1_acc"].requires_grad
    soft = torch.full((2, 6), 0.1)
    soft[0, 0] = soft[1, 5] = 0.5
    assert head.loss(scores, soft)["top1_acc"] == 0.5


def test_accuracy_covers_all_where_there_are_five_classes_or_fewer() -> None:
    head = GCNHead(num_classes=3, in_channels=3)
    losses = head.loss(torch.randn(4, 3), torch.tensor([0, 1, 2, 0]))
    assert losses["top5_acc"] == 1


def test_loss_is_a_config_or_a_module() -> None:
    x, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    plain = GCNHead(3, 8).loss(x, labels)["loss_cls"]
    config: dict[str, Any] = {"type": "CrossEntropyLoss", "loss_weight": 3.0}
    assert_close(GCNHead(3, 8, loss_cls=config).loss(x, labels)["loss_cls"], 3 * plain)
    module = nn.CrossEntropyLoss()
    assert_close(GCNHead(3, 8, loss_cls=module).loss(x, labels)["loss_cls"], plain)


@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (2, 1, 4, 5, 7)])
def test_refuses_other_features(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="C=3"):
        GCNHead(num_classes=4, in_channels=3)(torch.rand(shape))


@pytest.mark.parametrize(
    ("key", "value"), [("num_classes", 0), ("in_channels", 0), ("dropout", 1.5), ("init_std", -1)]
)
def test_refuses(key: str, value: Any) -> None:
    with pytest.raises(ConfigError) as error:
        GCNHead(**{"num_classes": 3, "in_channels": 8, key: value})
    assert error.value.key == key
    assert error.value.found == value
