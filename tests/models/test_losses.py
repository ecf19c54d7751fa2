from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from pyskl.errors import ConfigError
from pyskl.models import CrossEntropyLoss


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(2, 5), st.booleans(), st.integers(0, 1000))
def test_hard_labels_soft_labels_and_torch_agree(N: int, L: int, weighted: bool, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    scores = 5 * torch.randn(N, L, generator=rng)
    labels = torch.randint(0, L, (N,), generator=rng)
    weight = (0.1 + torch.rand(L, generator=rng)) if weighted else None
    loss = CrossEntropyLoss(loss_weight=2.5, class_weight=weight)
    expected = 2.5 * F.cross_entropy(scores, labels, weight)
    assert_close(loss(scores, labels), expected)
    assert_close(loss(scores, labels[:, None]), expected)
    assert_close(loss(scores, F.one_hot(labels, L)), expected)
    assert_close(loss(scores, F.one_hot(labels, L).double()), expected)


@given(st.floats(0, 1))
@settings(max_examples=20, deadline=None)
def test_soft_labels_are_linear(share: float) -> None:
    scores = torch.tensor([[1.0, -2.0, 0.5]])
    loss = CrossEntropyLoss()
    mixed = loss(scores, torch.tensor([[share, 0.0, 1 - share]]))
    parts = share * loss(scores, torch.tensor([0])) + (1 - share) * loss(scores, torch.tensor([2]))
    assert_close(mixed, parts)


def test_one_class_takes_class_numbers_and_weights() -> None:
    scores = torch.tensor([[3.0], [1.0]])
    for labels in (torch.zeros(2, 1, dtype=torch.long), torch.zeros(2, 1)):
        assert CrossEntropyLoss()(scores, labels) == 0


def test_computes_in_float32() -> None:
    scores = torch.randn(4, 60).bfloat16()
    loss = CrossEntropyLoss()(scores, torch.arange(4))
    assert loss.dtype == torch.float32
    assert_close(loss, F.cross_entropy(scores.float(), torch.arange(4)))


def test_class_weight_stays_out_of_checkpoints() -> None:
    assert not CrossEntropyLoss(class_weight=[1.0, 2.0]).state_dict()


@pytest.mark.parametrize(
    "labels",
    [
        torch.tensor([0, 3]),
        torch.tensor([-1, 0]),
        torch.tensor([0]),
        torch.tensor([0.5, 0.5]),
        torch.zeros(2, 4),
    ],
)
def test_refuses_labels_that_do_not_fit_the_scores(labels: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="labels"):
        CrossEntropyLoss()(torch.zeros(2, 3), labels)


def test_refuses_class_weights() -> None:
    with pytest.raises(ConfigError) as error:
        CrossEntropyLoss(class_weight=["a"])  # type: ignore[list-item]
    assert error.value.key == "class_weight"
    with pytest.raises(ValueError, match="class_weight"):
        CrossEntropyLoss(class_weight=[1.0, 2.0])(torch.zeros(2, 3), torch.tensor([0, 1]))
