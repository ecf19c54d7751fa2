"""Score files: one vector per sample, in the order given."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pyskl.errors import InputError
from pyskl.evaluation.results import check_score_file, dump_scores

SUFFIXES = (".pkl", ".json", ".yaml", ".yml")


def read(path: Path) -> Any:
    if path.suffix == ".pkl":
        return pickle.loads(path.read_bytes())
    return json.loads(path.read_text()) if path.suffix == ".json" else yaml.safe_load(path.open())


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 5), st.integers(1, 4)),
        elements=st.floats(-1e6, 1e6, width=32),
    )
)
def test_what_is_written_is_read(tmp_path: Path, suffix: str, scores: np.ndarray) -> None:
    path = tmp_path / f"scores{suffix}"
    dump_scores(scores, path)
    found = read(path)
    assert isinstance(found, list)
    assert len(found) == len(scores)
    np.testing.assert_array_equal(np.array(found, dtype=np.float32), scores)
    kind = np.ndarray if suffix == ".pkl" else list
    assert all(isinstance(vector, kind) for vector in found)
    assert [path.name for path in tmp_path.iterdir()] == [path.name]


def test_vectors_may_come_as_a_list(tmp_path: Path) -> None:
    dump_scores([np.array([0.5, 0.25]), np.array([1.0, 0.0])], tmp_path / "a.json")
    assert read(tmp_path / "a.json") == [[0.5, 0.25], [1.0, 0.0]]


def test_folders_are_made_and_files_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.pkl"
    dump_scores(np.zeros((1, 2)), path)
    dump_scores(np.ones((3, 2)), path)
    assert len(read(path)) == 3


@pytest.mark.parametrize("name", ["a.txt", "a", "a.pkl.gz", "a.PKL"])
def test_other_formats_are_refused_before_anything_is_computed(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"scores are written as \.pkl, \.json"):
        check_score_file(name)
    with pytest.raises(InputError, match="scores are written as"):
        dump_scores(np.zeros((1, 1)), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_known_formats(suffix: str) -> None:
    assert check_score_file(f"a/b{suffix}") == Path(f"a/b{suffix}")


def test_a_failing_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    dump_scores(np.zeros((1, 1)), path)

    def replace(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(InputError, match=r"a\.json: the scores could not be written \(disk full\)"):
        dump_scores(np.ones((1, 1)), path)
    assert read(path) == [[0.0]]
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_place_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"a\.json: the scores .*written"):
        dump_scores(np.ones((1, 1)), tmp_path / "file" / "a.json")
