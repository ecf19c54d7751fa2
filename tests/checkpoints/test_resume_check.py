"""What a checkpoint says about its run is checked before training continues from it."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyskl.checkpoints.checkpoint import OpenedCheckpoint
from pyskl.checkpoints.resume_check import check_resumable
from pyskl.errors import CheckpointError

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


def _checkpoint(meta: dict[str, Any] | None = None, **states: Any) -> OpenedCheckpoint:
    states = {"optimizer": {}, "scaler": SCALER, "processes": [{}], **states}
    meta = {**META, **(meta or {})}
    return OpenedCheckpoint(Path("a.pth"), "a.pth", "", OrderedDict(), meta, **states)


def _wrong_keys(checkpoint: OpenedCheckpoint) -> list[str | None]:
    with pytest.raises(CheckpointError) as error:
        check_resumable(checkpoint)
    assert error.value.file == "a.pth"
    return [one.key for one in error.value.errors]


@pytest.mark.parametrize(
    "checkpoint",
    [
        _checkpoint(),
        _checkpoint({"best": None, "seed": None}),
        _checkpoint({"iter": 12}),
        _checkpoint({"iter": 18}),  # saved by iterations, before the epoch counts as done
        _checkpoint(scaler={}),
        _checkpoint(scaler=torch.amp.GradScaler("cpu").state_dict()),
        _checkpoint(scaler=torch.amp.GradScaler("cpu", enabled=False).state_dict()),
    ],
)
def test_what_runs_write_is_accepted(checkpoint: OpenedCheckpoint) -> None:
    check_resumable(checkpoint)


def test_a_checkpoint_of_pyskl_is_accepted() -> None:
    meta = {"epoch": 2, "iter": 13}
    check_resumable(OpenedCheckpoint(Path("a"), "a.pth", "", OrderedDict(), meta, optimizer={}))


def test_weights_alone_are_not_enough() -> None:
    weights = OpenedCheckpoint(Path("a.pth"), "a.pth", "", OrderedDict(), {})
    assert _wrong_keys(weights) == ["optimizer", "meta.epoch", "meta.iter"]


@pytest.mark.parametrize("name", ["epoch", "iter", "iters_per_epoch", "batch", "world_size"])
@pytest.mark.parametrize("value", [-1, 10**30, 1.0, float("nan"), "1", True, None, torch.ones(2)])
def test_numbers_that_are_impossible(name: str, value: Any) -> None:
    assert _wrong_keys(_checkpoint({name: value})) == [f"meta.{name}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", -1),
        ("seed", 2**63),
        ("iters_per_epoch", 0),
        ("batch", 0),
        ("iter", 11),  # 12 to 18 after two epochs of 6 iterations
        ("iter", 19),
        ("interim", 1),
        *(
            ("best", value)
            for value in (
                *("best", [1], {}, {**BEST, "key": 1}, {**BEST, "score": "high"}),
                *({**BEST, "epoch": -1}, {**BEST, "file": 5}),
                *({**BEST, "file": "../best_top1_acc_epoch_1.pth"}, {**BEST, "file": "/etc/x"}),
            )
        ),
    ],
)
def test_other_impossible_values(name: str, value: Any) -> None:
    assert _wrong_keys(_checkpoint({name: value})) == [f"meta.{name}"]


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
        {**SCALER, "_growth_tracker": None},
    ],
)
def test_a_scaler_that_is_impossible(wrong: Any) -> None:
    assert _wrong_keys(_checkpoint(scaler=wrong)) == ["scaler"]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("optimizer", 1), ("optimizer", "state"), ("processes", 1), ("processes", None)],
)
def test_other_states_that_are_impossible(name: str, wrong: Any) -> None:
    assert _wrong_keys(_checkpoint(**{name: wrong})) == [name]


def test_all_problems_are_reported_together_and_briefly() -> None:
    checkpoint = _checkpoint({"epoch": "x" * 1000, "interim": 1}, scaler=3)
    assert _wrong_keys(checkpoint) == ["meta.epoch", "meta.interim", "scaler"]
    with pytest.raises(CheckpointError) as error:
        check_resumable(checkpoint)
    assert len(str(error.value)) < 500


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)


@given(
    meta=st.dictionaries(st.sampled_from(sorted(META)), JUNK | st.integers(0, 20)),
    states=st.dictionaries(st.sampled_from(["optimizer", "scaler", "processes"]), JUNK),
)
def test_junk_is_refused_or_gives_a_position(meta: dict[str, Any], states: dict[str, Any]) -> None:
    checkpoint = _checkpoint(meta, **states)
    try:
        check_resumable(checkpoint)
    except CheckpointError:
        return
    found = checkpoint.meta
    done = found["iter"] - found["epoch"] * found["iters_per_epoch"]  # of the epoch
    assert 0 <= done <= found["iters_per_epoch"]
