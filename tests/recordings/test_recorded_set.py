"""A recorded set, written out in other formats and converted back, comes out the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recording_files import long_table, wide_table, write

from pyskl.datasets.annotation_cache import load_annotations
from pyskl.recordings import convert

CLIPS = 24


@pytest.mark.shared_data
@pytest.mark.parametrize("format", ["npy", "wide", "long"])
def test_hdm05_comes_back_bit_for_bit(shared: Path, tmp_path: Path, format: str) -> None:
    folder = shared / "data" / "hdm05_11"
    if not folder.is_dir():
        pytest.skip("needs the recorded set hdm05_11")
    names: list[str] = json.loads((folder / "layout.json").read_text())["joints"]
    wanted: dict[str, dict[str, Any]] = {}
    for number, sample in enumerate(load_annotations(folder / "hdm05_11.pkl").samples[:CLIPS]):
        path = tmp_path / "in" / f"class{sample['label']}" / f"{number}.csv"
        wanted[f"class{sample['label']}/{number}"] = sample
        if format == "npy":
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path.with_suffix(".npy"), sample["keypoint"])
        else:
            table = wide_table if format == "wide" else long_table
            write(path, table(sample["keypoint"], names))
    summary = convert([tmp_path / "in"], tmp_path / "out.pkl")
    assert not summary.failures
    found = load_annotations(tmp_path / "out.pkl")
    assert {sample["frame_dir"] for sample in found.samples} == set(wanted)
    for sample in found.samples:
        original = wanted[sample["frame_dir"]]
        assert sample["keypoint"].dtype == original["keypoint"].dtype
        np.testing.assert_array_equal(sample["keypoint"], original["keypoint"])
        assert found.label_names is not None
        assert found.label_names[sample["label"]] == f"class{original['label']}"
