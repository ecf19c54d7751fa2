"""Files are read with all their problems, unless there is nothing to look at."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from health_sets import healthy_set

from pyskl.errors import AnnotationError, UntrustedFileError
from pyskl.health.examine import examine
from pyskl.health.raw_annotations import read_raw_annotations


def write(path: Path, content: Any) -> Path:
    path.write_bytes(pickle.dumps(content))
    return path


def test_samples_of_any_kind_are_read(tmp_path: Path) -> None:
    content = dict(split=dict(train=("a", 1)), annotations=["x", None, {}, dict(frame_dir=1)])
    file = read_raw_annotations(write(tmp_path / "a.pkl", content))
    assert file.names == ["#0", "#1", "#2", "1"]
    assert file.split == {"train": ["a", "1"]}
    report = examine(file)
    finding = report.find("structure")
    assert finding is not None
    assert {item.name for item in finding.items} == {"#0", "#1", "#2", "1"}
    assert report.statistics.joints == 0


def test_a_bare_list_needs_no_ids(tmp_path: Path) -> None:
    samples = [{**sample} for sample in healthy_set().samples]
    for sample in samples:
        del sample["frame_dir"]
    file = read_raw_annotations(write(tmp_path / "a.pkl", samples))
    assert file.split is None
    assert examine(file).findings == []


@pytest.mark.parametrize(
    "content",
    [
        {"annotations": []},
        {"split": [], "annotations": [{}]},
        {"split": {"train": "abc"}, "annotations": [{}]},
        {"split": {}, "annotations": 3},
        [],
        "text",
    ],
)
def test_files_of_another_structure_are_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(AnnotationError):
        read_raw_annotations(write(tmp_path / "a.pkl", content))


def test_a_missing_file_and_a_program_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError):
        read_raw_annotations(tmp_path / "none.pkl")
    with pytest.raises(UntrustedFileError):
        read_raw_annotations(write(tmp_path / "a.pkl", [print]))


def test_class_names_are_in_the_file_or_next_to_it(tmp_path: Path) -> None:
    data = healthy_set()
    path = write(tmp_path / "a.pkl", data.content())
    assert read_raw_annotations(path).names_of("label_names") == []
    (tmp_path / "a.pkl.labels.txt").write_text("sit\n\nstand up\nwalk\n", encoding="utf-8")
    assert read_raw_annotations(path).names_of("label_names") == ["sit", "stand up", "walk"]
    write(path, {**data.content(), "label_names": np.array(["a", "b", "c"])})
    assert read_raw_annotations(path).names_of("label_names") == ["a", "b", "c"]
    write(path, {**data.content(), "label_names": "abc"})
    (tmp_path / "a.pkl.labels.txt").unlink()
    assert read_raw_annotations(path).names_of("label_names") == []
