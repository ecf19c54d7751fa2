"""The data sets that a config has inside others."""

from __future__ import annotations

from typing import Any

import pytest

from pyskl.datasets.dataset_tree import (
    first_with,
    inner_key,
    leaves,
    map_leaves,
    transforms,
    walk,
)
from pyskl.errors import ConfigError

A: dict[str, Any] = dict(type="PoseDataset", ann_file="a.pkl", pipeline=[dict(type="PoseDecode")])
B: dict[str, Any] = dict(type="PoseDataset", ann_file="b.pkl")
REPEATED = dict(type="RepeatDataset", times=2, dataset=A)
NESTED = dict(type="ConcatDataset", datasets=[B, REPEATED])


def test_leaves_come_in_order_with_their_keys() -> None:
    assert list(leaves(NESTED, "data.train")) == [
        ("data.train.datasets[0]", B),
        ("data.train.datasets[1].dataset", A),
    ]
    assert [leaf for _, leaf in leaves([NESTED, A])] == [B, A, A]
    assert list(walk(REPEATED, "x")) == [("x", REPEATED), ("x.dataset", A)]


def test_a_name_called_dataset_makes_no_wrapper() -> None:
    named = {**A, "dataset": "ntu60"}
    assert inner_key(named) is None
    assert map_leaves(named, lambda leaf: {**leaf, "split": "x"}) == {**named, "split": "x"}


def test_the_pipeline_of_a_wrapper_counts() -> None:
    wrapper = dict(type="Wrap", dataset={**A, "pipeline": []}, pipeline=A["pipeline"])
    assert first_with(dict(data=dict(test=wrapper)), "test") is wrapper


@pytest.mark.parametrize("cfg", [None, [], "a.pkl", 3])
def test_what_is_no_data_set_has_none(cfg: Any) -> None:
    assert list(leaves(cfg)) == []


def test_leaves_are_changed_and_the_config_is_not() -> None:
    changed = map_leaves([NESTED], lambda leaf: {**leaf, "split": "x"})
    assert [leaf["split"] for _, leaf in leaves(changed)] == ["x", "x"]
    assert changed[0]["datasets"][1]["times"] == 2
    assert "split" not in A
    assert "split" not in B


def test_the_first_with_that_has_a_key() -> None:
    cfg = dict(data=dict(train=NESTED, test=[B]))
    assert first_with(cfg, "train") is A
    assert first_with(cfg, "train", "ann_file") is B
    for invalid, use in ((cfg, "test"), ({}, "val")):
        with pytest.raises(ConfigError) as caught:
            first_with(invalid, use)
        assert caught.value.key == f"data.{use}"


def test_transforms_are_those_of_all_leaves() -> None:
    cfg = dict(data=dict(train=[A, NESTED]))
    assert list(transforms(cfg, "train")) == [dict(type="PoseDecode")] * 2
    assert list(transforms(cfg, "val")) == []
