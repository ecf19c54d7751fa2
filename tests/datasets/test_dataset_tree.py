"""The data sets that a config has inside others."""

from __future__ import annotations

from typing import Any

import pytest

from pyskl.datasets.dataset_tree import first_with, leaves, leaves, map_leaves, transforms
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
    assert list(leaves([NESTED, A])) == [B, A, A]
    assert list(leaves(A)) == [A]


def test_a_name_called_dataset_makes_no_wrapper() -> None:
    named = {**A, "dataset": "ntu60"}
    assert list(leaves([named])) == [named]
    assert map_leaves(named, lambda leaf: {**leaf, "split": "x"}) == {**named, "split": "x"}


def test_the_pipeline_of_a_wrapper_counts() -> None:
    wrapper = dict(type="Wrap", dataset={**A, "pipeline": []}, pipeline=A["pipeline"])
    assert first_with(dict(data=dict(test=wrapper)), "test") is wrapper


@pytest.mark.parametrize("cfg", [None, [], "a.pkl", 3])
def test_what_is_no_data_set_has_none(cfg: Any) -> None:
    assert list(leaves(cfg)) == []


def test_leaves_are_changed_and_the_config_is_not() -> None:
    changed = map_leaves([NESTED], lambda leaf: {**leaf, "split": "x"})
    assert [leaf["split"] for leaf in leaves(changed)] == ["x", "x"]
    assert changed[0]["datasets"][1]["times"] == 2
    assert "split" not in A
    assert "split" not in B


def test_the_first_with_that_has_a_key() -> None:
    cfg = dict(data=dict(train=NESTED, test=[B]))
    assert first_with(cfg, "train") is A
    assert first_with(cfg, "train", "ann_file") is B
    with pytest.raises(ConfigError, match=r"the config has no data set in data\.test .*'pipeline'"):
        first_with(cfg, "test")
    with pytest.raises(ConfigError, match=r"data\.val"):
        first_with({}, "val")


def test_transforms_are_those_of_all_leaves() -> None:
    cfg = dict(data=dict(train=[A, NESTED]))
    assert list(transforms(cfg, "train")) == [dict(type="PoseDecode")] * 2
    assert list(transforms(cfg, "val")) == []
