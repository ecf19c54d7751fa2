from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyskl.datasets import ConcatDataset, PoseDataset, RepeatDataset, build_dataset
from pyskl.datasets.wrappers import SkeletonDataset
from pyskl.errors import ConfigError
from pyskl.registry import DATASETS


@pytest.fixture
def val(ann_file: Path) -> PoseDataset:
    return PoseDataset(ann_file, [], split="val")


@pytest.fixture
def train(ann_file: Path) -> PoseDataset:
    return PoseDataset(ann_file, [], split="train", class_prob={0: 2})


def read_ids(dataset: SkeletonDataset) -> list[str]:
    return [dataset[i]["frame_dir"] for i in range(len(dataset))]


def check_consistent(dataset: SkeletonDataset) -> None:
    """Length, ids, labels, weights and samples tell of the same samples in the same order."""
    assert read_ids(dataset) == dataset.sample_ids
    assert [dataset[i]["label"] for i in range(len(dataset))] == dataset.labels.tolist()
    assert [dataset[i - len(dataset)]["frame_dir"] for i in range(len(dataset))] == (
        dataset.sample_ids
    )
    weights = dataset.draw_weights()
    assert weights is None or weights.shape == (len(dataset),)
    for index in (len(dataset), -len(dataset) - 1):
        with pytest.raises(IndexError, match=str(index)):
            dataset[index]


def test_repeat_gives_the_dataset_several_times_over(train: PoseDataset, val: PoseDataset) -> None:
    repeated = RepeatDataset(val, 3)
    check_consistent(repeated)
    assert repeated.sample_ids == val.sample_ids * 3
    assert repeated.draw_weights() is None
    weights = RepeatDataset(train, 2).draw_weights()
    assert weights is not None
    assert weights.tolist() == [2, 1, 1, 1] * 8
    with pytest.raises(ValueError, match="times should be at least 1, found 0"):
        RepeatDataset(val, 0)


def test_concat_gives_one_after_the_other(train: PoseDataset, val: PoseDataset) -> None:
    both = ConcatDataset([val, train, val])
    check_consistent(both)
    assert both.sample_ids == val.sample_ids + train.sample_ids + val.sample_ids
    weights = both.draw_weights()
    assert weights is not None
    assert weights.tolist() == [1] * 4 + [2, 1, 1, 1] * 4 + [1] * 4
    assert ConcatDataset([val, val]).draw_weights() is None
    with pytest.raises(ValueError, match="at least one"):
        ConcatDataset([])


def test_names_of_classes_are_those_of_the_data(ann_file: Path, tmp_path: Path) -> None:
    named = Path(shutil.copy(ann_file, tmp_path / "named.pkl"))
    (tmp_path / "named.pkl.labels.txt").write_text("bow\nkick\n", encoding="utf-8")
    dataset, other = PoseDataset(named, []), PoseDataset(ann_file, [])
    assert dataset.label_names == RepeatDataset(dataset, 2).label_names == ("bow", "kick")
    assert ConcatDataset([dataset, RepeatDataset(dataset, 2)]).label_names == ("bow", "kick")
    assert ConcatDataset([dataset, other]).label_names == other.label_names == ()


def test_wrappers_nest(train: PoseDataset, val: PoseDataset) -> None:
    nested = RepeatDataset(ConcatDataset([val, RepeatDataset(train, 2)]), 2)
    check_consistent(nested)
    assert len(nested) == 2 * (4 + 2 * 16)


def test_wrappers_build_configs_and_pass_test_mode(ann_file: Path) -> None:
    config: dict[str, Any] = {
        "type": "PoseDataset",
        "ann_file": str(ann_file),
        "pipeline": [],
        "split": "val",
    }
    for test_mode in (False, True):
        wrapped: list[Any] = [
            RepeatDataset(config, 2, test_mode=test_mode),
            ConcatDataset([config, config], test_mode=test_mode),
            RepeatDataset(
                {"type": "RepeatDataset", "dataset": config, "times": 2}, 2, test_mode=test_mode
            ),
        ]
        for dataset in wrapped:
            assert dataset[0]["test_mode"] is test_mode


def test_repeat_keeps_vectors_of_labels(tmp_path: Path, ann_file: Path) -> None:
    multi = PoseDataset(ann_file, [], split="val", multi_class=True, num_classes=4)
    np.testing.assert_array_equal(RepeatDataset(multi, 2).labels, np.tile(np.eye(4), (2, 1)))
    np.testing.assert_array_equal(ConcatDataset([multi, multi]).labels.shape, (8, 4))


def test_a_class_that_lacks_something_is_told_what(monkeypatch: pytest.MonkeyPatch) -> None:
    class Half:
        def __len__(self) -> int:
            return 0

        @property
        def labels(self) -> np.ndarray:
            raise AssertionError("nobody needs them yet")

    monkeypatch.setattr(DATASETS, "_module_dict", {**DATASETS._module_dict, "Half": Half})
    with pytest.raises(ConfigError, match="__getitem__, sample_ids, draw_weights"):
        build_dataset({"type": "Half"})
