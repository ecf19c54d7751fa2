"""What is wrong with a training set as a whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from torch import nn

from pyskl.apis import TrainSettings, train_from_config
from pyskl.apis.data_checks import check_training_set, warn_of_shared_samples
from pyskl.errors import InputError


def _model(classes: int) -> nn.Module:
    model = nn.Module()
    model.cls_head = SimpleNamespace(num_classes=classes)  # type: ignore[assignment]
    return model


class _Set:
    def __init__(self, labels: Any, names: list[str] | None = None) -> None:
        self.labels = np.asarray(labels)
        self.sample_ids = names or [str(index) for index in range(len(labels))]

    def __len__(self) -> int:
        return len(self.labels)


def test_one_class_is_nothing_to_learn_from() -> None:
    with pytest.raises(InputError, match=r"all 3 samples .* label 2"):
        check_training_set(_Set([2, 2, 2]), _model(5))
    check_training_set(_Set([2, 2, 1]), _model(5))
    check_training_set(_Set([[1, 0], [1, 0]]), _model(2))  # several labels a sample


@pytest.mark.parametrize(("labels", "found"), [([0, 5], "label 5"), ([-1, 0], "label -1")])
def test_a_label_without_a_class(labels: list[int], found: str) -> None:
    with pytest.raises(InputError, match=rf"{found}, but the model's 5 classes are 0 to 4"):
        check_training_set(_Set(labels), _model(5))


def test_samples_that_are_shared_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    names = ["a", "b", "c", "d"]
    train = _Set([0, 1, 0, 1], names)
    repeated = SimpleNamespace(dataset=train, labels=train.labels)
    joined = SimpleNamespace(
        datasets=[repeated, _Set([0], ["e"])], labels=np.array([0, 1, 0, 1, 0])
    )
    warn_of_shared_samples(joined, {"val": _Set([0, 1, 1], ["x", "e", "b"])})
    assert "2 of the 3 samples of data.val are in data.train, too (b, e)" in caplog.text


def test_positions_are_no_names(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_shared_samples(_Set([0, 1]), {"test": _Set([0, 1])})
    assert caplog.text == ""


def test_all_is_found_before_the_first_step(
    tiny_config: Callable[..., dict[str, Any]],
    tiny_samples: Callable[[], list[dict[str, Any]]],
    write_tiny_annotations: Callable[..., Path],
    tmp_path: Path,
) -> None:
    samples = tiny_samples()
    ids = [sample["frame_dir"] for sample in samples]
    alike = [sample["frame_dir"] for sample in samples if sample["label"] == 1]
    ann_file = write_tiny_annotations(
        tmp_path / "a.pkl", samples, {"train": alike, "val": ids[-4:]}
    )
    with pytest.raises(InputError, match="nothing to tell apart"):
        train_from_config(tiny_config(ann_file), work_dir=tmp_path / "work")
    assert not (tmp_path / "work").exists()
    both = write_tiny_annotations(tmp_path / "b.pkl", samples, {"train": ids, "val": ids[-4:]})
    settings = TrainSettings(validate=True)
    train_from_config(tiny_config(both, total_epochs=1), settings, work_dir=tmp_path / "work")
    (log,) = (tmp_path / "work").glob("*.log")
    assert "4 of the 4 samples of data.val are in data.train" in log.read_text()
