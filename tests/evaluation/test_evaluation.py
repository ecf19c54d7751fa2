"""Scores in the order of the data set, and metrics of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from pyskl.datasets import build_dataloader
from pyskl.errors import InputError
from pyskl.evaluation import metrics as core
from pyskl.evaluation import scoring
from pyskl.evaluation.evaluate import (
    METRICS,
    check_metrics,
    describe_metrics,
    evaluate,
    metric_keys,
)
from pyskl.evaluation.scoring import collect_scores
from pyskl.models.precision import autocast


class _Numbers:
    """A data set whose sample i has the keypoint i."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"keypoint": np.full((1,), index, np.float32), "label": index}

    def draw_weights(self) -> None:
        return None


class _Echo(nn.Module):
    """Scores the classes of a sample (its number, its square)."""

    def __init__(self, clips: int = 0) -> None:
        super().__init__()
        self.clips = clips
        self.modes: list[bool] = []

    def predict(self, keypoint: Tensor) -> Tensor:
        self.modes.append(self.training)
        scores = torch.cat([keypoint, keypoint**2], dim=1)  # N, L
        return scores if not self.clips else scores[:, None].repeat(1, self.clips, 1)


CPU = torch.device("cpu")


@given(st.integers(1, 30), st.integers(1, 7))
def test_scores_come_in_the_order_of_the_data_set(length: int, batch: int) -> None:
    model = _Echo()
    loader = build_dataloader(_Numbers(length), batch, shuffle=False, pin_memory=False)
    scores = collect_scores(model, loader, CPU)
    numbers = np.arange(length, dtype=np.float32)
    np.testing.assert_array_equal(scores, np.stack([numbers, numbers**2], axis=1))
    assert scores.dtype == np.float32


@given(st.integers(1, 30), st.integers(1, 7), st.integers(2, 5))
def test_several_processes_give_the_scores_of_one(length: int, batch: int, world: int) -> None:
    loaders = [
        build_dataloader(
            _Numbers(length), batch, shuffle=False, rank=rank, world_size=world, pin_memory=False
        )
        for rank in range(world)
    ]
    parts: list[Any] = []

    def gather(part: Any) -> list[Any]:
        parts.append(part)
        return [*parts, ([0], np.zeros((1, 2), np.float32))]  # a rank may have no samples

    calls = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "gather_objects", gather)
        for loader in loaders:
            called: list[int] = []
            collect_scores(_Echo(), loader, CPU, before_batch=partial(called.append, 1))
            calls.append(len(called))
        assert len(set(calls)) == 1, "ranks with fewer batches have to make as many calls"
        patch.setattr(scoring, "gather_objects", lambda part: parts)
        scores = collect_scores(_Echo(), loaders[0], CPU)
    np.testing.assert_array_equal(scores[:, 0], np.arange(length, dtype=np.float32))


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_put_in_evaluation_mode_and_back(training: bool) -> None:
    model = _Echo().train(training)
    loader = build_dataloader(_Numbers(5), 2, shuffle=False, pin_memory=False)
    collect_scores(model, loader, CPU)
    assert model.modes == [False] * 3
    assert model.training is training


def test_clips_can_stay_apart() -> None:
    loader = build_dataloader(_Numbers(5), 2, shuffle=False, pin_memory=False)
    assert collect_scores(_Echo(clips=3), loader, CPU).shape == (5, 3, 2)


def test_scoring_can_be_interrupted() -> None:
    model, calls = _Echo(), iter([None, KeyError])

    def before_batch() -> None:
        error = next(calls)
        if error is not None:
            raise error

    loader = build_dataloader(_Numbers(9), 2, shuffle=False, pin_memory=False)
    with pytest.raises(KeyError):
        collect_scores(model, loader, CPU, before_batch=before_batch)
    assert len(model.modes) == 1


def test_a_training_loader_is_refused() -> None:
    with pytest.raises(TypeError, match="shuffle=False"):
        collect_scores(_Echo(), build_dataloader(_Numbers(5), 2, pin_memory=False), CPU)


def test_reduced_precision_reaches_the_model() -> None:
    class Seen(_Echo):
        def predict(self, keypoint: Tensor) -> Tensor:
            assert torch.is_autocast_enabled("cpu")
            return super().predict(keypoint).bfloat16()

    loader = build_dataloader(_Numbers(5), 2, shuffle=False, pin_memory=False)
    assert collect_scores(Seen(), loader, CPU, amp="bf16").dtype == np.float32
    with autocast(CPU, None):
        assert not torch.is_autocast_enabled("cpu")


# --- metrics --------------------------------------------------------------------------------------


@given(
    st.lists(st.sampled_from(METRICS), unique=True),
    st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True),
    st.integers(0, 99),
)
def test_metrics_and_their_keys(chosen: list[str], topk: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, labels = rng.random((20, 6)), rng.integers(0, 6, 20)
    found = evaluate(scores, labels, chosen, topk)
    assert list(found) == metric_keys(chosen, topk)
    expected = dict(zip((f"top{k}_acc" for k in topk), core.top_k_accuracy(scores, labels, topk)))
    expected["mean_class_accuracy"] = core.mean_class_accuracy(scores, labels)
    hot = np.eye(6)[labels]
    expected["mean_average_precision"] = core.mean_average_precision(scores, hot)
    assert found == {name: pytest.approx(expected[name]) for name in found}
    assert all(type(value) is float for value in found.values())


def test_one_metric_and_one_k_need_no_list() -> None:
    scores, labels = np.eye(3), np.array([0, 1, 0])
    assert evaluate(scores, labels, "top_k_accuracy", 1) == {"top1_acc": pytest.approx(2 / 3)}
    assert metric_keys(["top_k_accuracy"], 3) == ["top3_acc"]


def test_labels_may_be_several() -> None:
    scores = np.array([[0.9, 0.8, 0.1], [0.1, 0.2, 0.9]])
    labels = np.array([[1, 1, 0], [0, 0, 1]])
    assert evaluate(scores, labels, ["mean_average_precision"]) == {"mean_average_precision": 1.0}


def test_unknown_metrics() -> None:
    for check in (check_metrics, lambda metrics: evaluate(np.eye(2), np.arange(2), metrics)):
        with pytest.raises(InputError) as caught:
            check(["mean_class_accuracy", "topk_accuracy"])
        assert caught.value.key == "metrics"
        assert "top_k_accuracy" in str(caught.value)


def test_description() -> None:
    assert describe_metrics({"top1_acc": 0.91234, "loss": 2}) == "top1_acc 0.9123, loss 2.0000"
