"""What a checkpoint says of its run is checked before it is believed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyskl.checkpoints.resume_config import check_resumable
from pyskl.errors import CheckpointError
from pyskl.training.run_state import StepSize

BEST = {"key": "top1_acc", "score": 0.5, "epoch": 1, "file": "best_top1_acc_epoch_1.pth"}
META = {
    "epoch": 2,
    "iter": 13,
    "iters_per_epoch": 6,
    "batch": 4,
    "world_size": 1,
    "best": BEST,
    "seed": 3,
    "interim": False,
}
SCALER = {
    "scale": 65536.0,
    "growth_factor": 2.0,
    "backoff_factor": 0.5,
    "growth_interval": 2000,
    "_growth_tracker": 13,
}


def _checkpoint(meta: dict[str, Any] | None = None, **states: Any) -> dict[str, Any]:
    parts = {"optimizer": {}, "scaler": SCALER, "processes": [{}], **states}
    return {"meta": {**META, **(meta or {})}, **parts}


@pytest.mark.parametrize(
    "checkpoint",
    [
        _checkpoint(),
        _checkpoint({"best": None, "seed": None}),
        _checkpoint({"iter": 12}),
        _checkpoint({"iter": 18}),  # saved by iterations, before the epoch counts as done
        _checkpoint(scaler={}),
        {"meta": {"epoch": 2, "iter": 13}, "optimizer": {}},  # of the family
    ],
)
def test_what_runs_write_is_taken(checkpoint: dict[str, Any]) -> None:
    check_resumable(checkpoint, "a.pth")


def test_states_of_a_scaler_are_taken() -> None:
    for enabled in (True, False):
        scaler = torch.amp.GradScaler("cpu", enabled=enabled)
        check_resumable(_checkpoint(scaler=scaler.state_dict()), "a.pth")


NUMBERS = ("epoch", "iter", "iters_per_epoch", "batch", "world_size", "seed")


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value", [-1, 10**30, 1.0, float("nan"), "1", True, [1], {}, torch.ones(2)]
)
def test_a_number_that_is_none(name: str, value: Any) -> None:
    with pytest.raises(CheckpointError, match=rf"a\.pth(.|\n)*meta\.{name} should be a whole"):
        check_resumable(_checkpoint({name: value}), "a.pth")


@pytest.mark.parametrize("name", ["epoch", "iter", "iters_per_epoch", "batch", "world_size"])
def test_only_the_seed_may_be_none(name: str) -> None:
    with pytest.raises(CheckpointError, match=rf"meta\.{name} .*found NoneType None"):
        check_resumable(_checkpoint({name: None}), "a.pth")


@pytest.mark.parametrize(("name", "least"), [("iters_per_epoch", 0), ("batch", 0)])
def test_there_is_no_empty_epoch(name: str, least: int) -> None:
    with pytest.raises(CheckpointError, match=rf"meta\.{name} .*from 1 to"):
        check_resumable(_checkpoint({name: least}), "a.pth")


@pytest.mark.parametrize("iteration", [11, 19])
def test_iterations_and_epochs_agree(iteration: int) -> None:
    with pytest.raises(CheckpointError, match=rf"in 12 to 18 after 2 .* found {iteration}"):
        check_resumable(_checkpoint({"iter": iteration}), "a.pth")


@pytest.mark.parametrize(
    "wrong",
    [
        "best",
        [1],
        {},
        {**BEST, "key": 1},
        {**BEST, "score": "high"},
        {**BEST, "epoch": -1},
        {**BEST, "file": "../best_top1_acc_epoch_1.pth"},
        {**BEST, "file": "/etc/passwd"},
        {**BEST, "file": 5},
    ],
)
def test_a_best_checkpoint_that_can_not_be(wrong: Any) -> None:
    with pytest.raises(CheckpointError, match=r"a\.pth(.|\n)*meta\.best should hold"):
        check_resumable(_checkpoint({"best": wrong}), "a.pth")


@pytest.mark.parametrize(
    "wrong",
    [
        1,
        [SCALER],
        {"scale": 1.0},
        {**SCALER, "scale": "1"},
        {**SCALER, "scale": float("inf")},
        {**SCALER, "scale": -1.0},
        {**SCALER, "growth_factor": 0.5},
        {**SCALER, "backoff_factor": 2.0},
        {**SCALER, "growth_interval": 0},
        {**SCALER, "_growth_tracker": -1},
        {**SCALER, "_growth_tracker": None},
    ],
)
def test_a_scaler_that_can_not_be(wrong: Any) -> None:
    with pytest.raises(CheckpointError, match=r"a\.pth(.|\n)*scaler should be"):
        check_resumable(_checkpoint(scaler=wrong), "a.pth")


@pytest.mark.parametrize("name", ["optimizer", "processes"])
@pytest.mark.parametrize("wrong", [1, "state", None])
def test_other_states_that_can_not_be(name: str, wrong: Any) -> None:
    with pytest.raises(CheckpointError, match=rf"a\.pth(.|\n)*{name} should be"):
        check_resumable(_checkpoint(**{name: wrong}), "a.pth")


def test_all_faults_are_told_at_once_and_in_short() -> None:
    with pytest.raises(CheckpointError) as caught:
        check_resumable(_checkpoint({"epoch": "x" * 1000, "interim": 1}, scaler=3), "a.pth")
    told = str(caught.value)
    assert all(name in told for name in ("meta.epoch", "meta.interim", "scaler"))
    assert len(told) < 500


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)


@given(
    meta=st.dictionaries(st.sampled_from(sorted(META)), JUNK | st.integers(0, 20)),
    family=st.booleans(),
    states=st.dictionaries(st.sampled_from(["optimizer", "scaler", "processes"]), JUNK),
)
def test_junk_is_refused_or_gives_a_position(
    meta: dict[str, Any], family: bool, states: dict[str, Any]
) -> None:
    checkpoint = _checkpoint(meta, **states)
    if family:
        checkpoint["meta"].pop("iters_per_epoch")
    try:
        check_resumable(checkpoint, "a.pth")
    except CheckpointError:
        return
    found, now = checkpoint["meta"], StepSize(7, 4, 1)
    epoch = int(found["epoch"])
    iteration = StepSize.from_meta(found, now).convert(epoch, int(found["iter"]), now)
    assert 0 <= iteration - 7 * epoch <= 7
