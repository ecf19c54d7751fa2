"""Which splits belong together, by their names."""

from __future__ import annotations

import pytest

from pyskl.health.splits import overlap_matrix, pairs_by_name, resolve_splits


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        ("train val", "train-val"),
        ("train val test", "train-val train-test"),
        ("xsub_train xsub_val xview_train xview_val", "xsub_train-xsub_val xview_train-xview_val"),
        ("xsub60_train xsub60_val", "xsub60_train-xsub60_val"),
        ("train1 val1 train2 test2", "train1-val1 train2-test2"),
        ("train_a val_b", ""),
        ("train val_easy", "train-val_easy"),
        ("Train Validation", "Train-Validation"),
        ("a.training a.eval b.dev", "a.training-a.eval"),
        ("fold1 fold2 constrained trainer", ""),
    ],
)
def test_pairs(names: str, pairs: str) -> None:
    assert [f"{one}-{other}" for one, other in pairs_by_name(names.split())] == pairs.split()


def test_members_are_counted_once_and_unknown_ids_not_at_all() -> None:
    splits = resolve_splits({"train": ["a", "b", "a", "z"], "val": ["b"]}, ["b", "a", "c"])
    assert splits.members == {"train": [0, 1], "val": [0]}
    assert splits.of_sample == {0: ["train", "val"], 1: ["train"]}
    assert overlap_matrix(splits) == [[2, 1], [1, 1]]
    assert splits.training == ["train"]


def test_a_split_alone_is_still_one_to_train_on() -> None:
    assert resolve_splits({"train": ["a"], "extra": ["b"]}, ["a", "b"]).training == ["train"]


def test_pairs_of_a_config_count_if_the_file_has_them() -> None:
    split = {"one": ["a"], "two": ["b"]}
    assert resolve_splits(split, ["a", "b"], [("one", "two"), ("one", "three")]).pairs == [
        ("one", "two")
    ]
