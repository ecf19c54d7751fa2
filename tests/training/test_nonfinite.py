"""Numbers gone wrong: noticed, named, kept out; whoever updates the weights."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pyskl.training.nonfinite import NonFiniteGuard
from pyskl.training.optimizer import build_optimizer


class _Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.norm = nn.BatchNorm1d(3)
        self.fc = nn.Linear(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.norm(x)).square().mean()


def _batches() -> list[Tensor]:
    torch.manual_seed(1)
    batches = list(torch.randn(6, 8, 3))
    batches[2][4, 1] = float("nan")
    batches[4][0] = float("inf")
    return batches


def _train(
    batches: list[Tensor], policy: Any, *, fused: bool, clip: bool = False, look_every: int = 1
) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """Return the state at the end, and (step, how many steps ago) of what was found."""
    model = _Net()
    optimizer = torch.optim.SGD(
        model.parameters(), 0.1, momentum=0.9, weight_decay=0.01, fused=fused
    )
    guard = NonFiniteGuard(model, optimizer, policy, scaled=False)
    assert guard.on_device == fused
    found = []
    for step, batch in enumerate(batches):
        guard.before_step()
        loss = model(batch)
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0) if clip else None
        if guard.allow_update(loss, norm):
            optimizer.step()
        if (step + 1) % look_every == 0:
            found += [(step, ago) for ago, own in guard.collect() if own]
    momentum = [state["momentum_buffer"] for state in optimizer.state_dict()["state"].values()]
    return copy.deepcopy(
        {**model.state_dict(), "momentum": torch.cat([m.ravel() for m in momentum])}
    ), found


def _assert_same(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    different = [name for name in a if "tracked" not in name and not torch.equal(a[name], b[name])]
    assert different == []


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("fused", [False, True])
def test_a_skipped_step_leaves_no_trace(fused: bool, clip: bool) -> None:
    batches = _batches()
    good = [batch for index, batch in enumerate(batches) if index not in (2, 4)]
    expected, nothing = _train(good, "skip", fused=fused, clip=clip)
    state, found = _train(batches, "skip", fused=fused, clip=clip)
    _assert_same(state, expected)
    assert (found, nothing) == ([(2, 0), (4, 0)], [])


def test_a_look_later_finds_the_same_steps() -> None:
    expected, _ = _train(_batches(), "skip", fused=True)
    state, found = _train(_batches(), "skip", fused=True, look_every=6)
    _assert_same(state, expected)
    assert found == [(5, 3), (5, 1)]


def test_on_a_device_nothing_changes_between_the_step_and_the_look_that_stops() -> None:
    expected, _ = _train(_batches()[:2], "stop", fused=True)
    batches = _batches()
    batches[4] = batches[3]
    state, found = _train(batches, "stop", fused=True, look_every=6)
    weights = [name for name in expected if not name.startswith("norm.running")]
    _assert_same({name: state[name] for name in weights}, expected)
    assert found[0] == (5, 3)
    assert all(torch.isfinite(value).all() for value in state.values())


def test_ignoring_is_as_if_nobody_looked() -> None:
    state, found = _train(_batches(), "ignore", fused=False)
    assert found == []
    assert not torch.isfinite(state["fc.weight"]).any()


def test_the_very_first_step_may_be_left_out_on_a_device() -> None:
    """Fused SGD would go on with uninitialised momentum."""
    batches = _batches()[2:]  # the first is not finite
    model = _Net()
    optimizer = build_optimizer(model, dict(type="SGD", lr=0.1, momentum=0.9, fused=True))
    assert all(not state["momentum_buffer"].any() for state in optimizer.state.values())
    assert len(optimizer.state) == len(list(model.parameters()))
    guard = NonFiniteGuard(model, optimizer, "skip", scaled=False)
    for batch in batches:
        guard.before_step()
        loss = model(batch)
        optimizer.zero_grad()
        loss.backward()
        guard.allow_update(loss, None)
        optimizer.step()
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


def test_with_a_scaler_only_the_loss_is_judged() -> None:
    """Gradients that overflow are how the scaler finds its scale."""
    model = _Net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    guard = NonFiniteGuard(model, optimizer, "stop", scaled=True)
    before = copy.deepcopy(model.norm.running_mean)
    for batch, bad in ((_batches()[0], False), (_batches()[2], True)):
        guard.before_step()
        loss = model(batch)
        optimizer.zero_grad()
        loss.backward()
        for parameter in model.parameters():
            assert parameter.grad is not None
            parameter.grad.fill_(float("inf"))
        assert guard.allow_update(loss, None)
        assert guard.collect() == ([(0, True)] if bad else [])
    assert torch.isfinite(model.norm.running_mean).all()
    assert not torch.equal(model.norm.running_mean, before)
