"""The words of the model zoo's table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pyskl.config import load_config
from pyskl.reports.zoo_names import (
    annotation_name,
    data_name,
    epochs_name,
    practice_name,
    stream_name,
)

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "stgcn"


@pytest.fixture(scope="module")
def published() -> dict[str, list[str]]:
    """Data set, practice and annotation of each folder of configs, by the README's table."""
    rows = {}
    for line in (CONFIGS / "README.md").read_text(encoding="utf-8").splitlines():
        folder = re.search(r"\]\((stgcn_\w+)/j\.py\)", line)
        if line.startswith("| ") and folder:
            rows[folder[1]] = [cell.strip() for cell in line.split("|")[1:4]]
    assert len(rows) == 12
    return rows


def test_the_published_configs_have_the_readme_s_names(published: dict[str, list[str]]) -> None:
    for folder, (data, practice, annotation) in published.items():
        config = load_config(CONFIGS / folder / "j.py").to_dict()
        assert data_name(config) == data
        assert practice_name(config) == practice
        assert annotation_name(config) == annotation
        assert epochs_name(config) == "80"


@pytest.mark.parametrize("stream", ["j", "b", "jm", "bm"])
def test_the_stream_is_what_the_pipeline_makes(stream: str) -> None:
    config = load_config(CONFIGS / "stgcn_hdm05" / f"{stream}.py").to_dict()
    assert stream_name(config, Path("work_dirs/anything")) == stream
    assert data_name(config) == "hdm05_11 xsub_val"
    assert annotation_name(config) == "hdm05, 3D"


def test_without_features_the_folder_names_the_stream() -> None:
    assert stream_name({}, Path("a/jm")) == "jm"
    assert stream_name({}, Path("a/mine")) is None
    several = {"data": {"test": {"pipeline": [{"type": "GenSkeFeat", "feats": ["j", "b"]}]}}}
    assert stream_name(several, Path("a/j")) is None


def test_sets_of_several_files() -> None:
    leaf = {"type": "PoseDataset", "ann_file": "a/ntu60_3danno.pkl", "split": "xsub_val"}
    own = {"type": "Mine", "pipeline": []}
    both = {"type": "ConcatDataset", "datasets": [leaf, own]}
    assert data_name({"data": {"test": both}}) == "NTURGB+D XSub + Mine"
    assert data_name({"data": {"test": {**leaf, "split": "xsub_train"}}}) == (
        "ntu60_3danno xsub_train"
    )
