"""Score files: written and read, those of PYSKL too, with their metadata."""

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

from pyskl.errors import InputError, UntrustedFileError
from pyskl.evaluation.scores import (
    ScoreOrigin,
    check_score_file,
    digest_of_ids,
    dump_scores,
    origin_file,
    read_scores,
)

SCORES = np.array([[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]], np.float32)
ORIGIN = ScoreOrigin(
    samples=2,
    classes=3,
    sample_ids_sha256=digest_of_ids(["a", "b"]),
    data=[{"ann_file": "a.pkl", "split": "val"}],
    config="j.py",
    checkpoint="epoch_1.pth",
    average_clips="prob",
    num_clips=10,
)


def write(path: Path, content: Any) -> Path:
    """Write a score file in the format that its name says."""
    if path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(content))
    else:
        path.write_text((json.dumps if path.suffix == ".json" else yaml.safe_dump)(content))
    return path


@pytest.mark.parametrize("suffix", [".pkl", ".json", ".yaml", ".yml"])
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 5), st.integers(1, 4)),
        elements=st.floats(-1e6, 1e6, width=32),
    )
)
def test_written_scores_are_read_back(tmp_path: Path, suffix: str, scores: np.ndarray) -> None:
    path = tmp_path / f"scores{suffix}"
    dump_scores(list(scores), path)
    found = read_scores(path)
    np.testing.assert_array_equal(found.scores, scores)
    assert found.origin is None
    assert list(tmp_path.iterdir()) == [path]
    # The format is PYSKL's: a list of vectors that other tools read.
    content = pickle.loads(path.read_bytes()) if suffix == ".pkl" else yaml.safe_load(path.open())
    assert [type(row) for row in content] == [np.ndarray if suffix == ".pkl" else list] * len(
        scores
    )


def test_folders_are_created_and_files_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.pkl"
    dump_scores(np.zeros((1, 2)), path)
    dump_scores(np.ones((3, 2)), path)
    assert len(read_scores(path).scores) == 3


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    dump_scores(np.zeros((1, 1)), path)

    def replace(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(InputError, match="disk full"):
        dump_scores(np.ones((1, 1)), path)
    assert json.loads(path.read_text()) == [[0.0]]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a.txt", "a", "a.pkl.gz", "a.PKL", "file/a.json"])
def test_unwritable_paths_are_refused_before_scoring(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    for refuse in (check_score_file, lambda path: dump_scores(SCORES, path)):
        with pytest.raises(InputError) as error:
            refuse(tmp_path / name)
        assert error.value.file == str(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_not_written(tmp_path: Path, value: float) -> None:
    for scores in (SCORES, np.stack([SCORES, SCORES], axis=1)):  # of samples, of clips
        broken = scores.copy()
        broken[-1, ..., 0] = value
        with pytest.raises(InputError) as error:
            dump_scores(broken, tmp_path / "a.pkl")
        assert error.value.sample == len(SCORES) - 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        list(SCORES),
        SCORES,
        tuple(SCORES),
        [list(row) for row in SCORES.astype(float)],
        list(SCORES.astype(np.float16)),
        [np.array([1, 0, 2]), np.array([0, 1, 0])],
    ],
)
def test_pickles_of_pyskl_are_read(tmp_path: Path, content: Any) -> None:
    found = read_scores(write(tmp_path / "a.pkl", content)).scores
    np.testing.assert_array_equal(found, np.array([np.asarray(row) for row in content]))
    assert found.dtype in (np.float32, np.float64)


@pytest.mark.parametrize(
    ("content", "sample"),
    [
        (np.ones((2, 4, 3)).tolist(), 0),  # clips that are not averaged
        ([[1.0, 2.0], [1.0]], 1),
        ([[1.0], ["a"]], 1),
        ([[1.0], {"a": 1}], 1),
        ([[1.0], [True]], 1),
        ([[]], 0),
        ([[1.0], [2.0], [float("nan")]], 2),
        ({"scores": [[1.0]]}, None),
        (3, None),
        ([], None),
    ],
)
@pytest.mark.parametrize("name", ["a.pkl", "a.json", "a.yml"])
def test_other_contents_are_refused(
    tmp_path: Path, name: str, content: Any, sample: int | None
) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(InputError) as error:
        read_scores(path)
    assert error.value.file == str(path)
    if name != "a.yml":  # YAML with a mapping is refused as a whole
        assert error.value.sample == sample


def test_clips_that_are_not_averaged_get_advice(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pkl", list(np.ones((2, 4, 3), np.float32)))
    with pytest.raises(InputError) as error:
        read_scores(path)
    assert str(error.value) == (
        f"{path}, sample 0: the scores of its clips are not averaged (average_clips=None); make "
        "the file again with --average-clips prob"
    )


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    for name, text in (("a.json", "[[1.0"), ("a.yaml", "[[1.0"), ("b.json", "[" * 100_000)):
        (tmp_path / name).write_text(text)
    for name in ("none.pkl", "a.npy", "folder.json", "a.json", "a.yaml", "b.json"):
        with pytest.raises(InputError) as error:
            read_scores(tmp_path / name)
        assert error.value.file == str(tmp_path / name)


class _Program:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("run",))


def test_a_file_that_would_run_code_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UntrustedFileError):
        read_scores(write(tmp_path / "a.pkl", [_Program()]))
    (tmp_path / "a.yaml").write_text("- !!python/object/apply:builtins.print [run]\n")
    with pytest.raises(InputError):
        read_scores(tmp_path / "a.yaml")
    assert "run" not in capsys.readouterr().out


def test_a_small_file_can_not_fill_the_memory(tmp_path: Path) -> None:
    # 100,000 references to one row of 5,000 numbers: 4 GB as a table.
    write(tmp_path / "a.pkl", [np.ones(5000)] * 100_000)
    (tmp_path / "a.yaml").write_text("- &r [" + "1.0, " * 5000 + "1.0]\n" + "- *r\n" * 50_000)
    nested: list[Any] = [1.0]
    for _ in range(64):
        nested = [nested, nested]  # 2 ** 64 numbers
    write(tmp_path / "b.pkl", [nested])
    mappings = "a: &a [1]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(3))
    (tmp_path / "b.yaml").write_text(mappings)
    for name in ("a.pkl", "a.yaml", "b.pkl", "b.yaml"):
        with pytest.raises(InputError, match=name):
            read_scores(tmp_path / name)


def test_probabilities_are_told_from_logits(tmp_path: Path) -> None:
    assert read_scores(write(tmp_path / "a.pkl", list(SCORES))).are_probabilities()
    for other in (SCORES * 2, SCORES - 0.2, np.log(SCORES)):
        assert not read_scores(write(tmp_path / "a.pkl", list(other))).are_probabilities()


# --- the metadata file ----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".pkl", ".json", ".yaml"])
def test_metadata_is_written_next_to_the_scores(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    dump_scores(SCORES, path, ORIGIN)
    assert {file.name for file in tmp_path.iterdir()} == {path.name, f"a{suffix}.meta.json"}
    found = read_scores(path)
    assert found.origin == ORIGIN
    assert ORIGIN.where() == "a.pkl, split 'val'"


def test_metadata_does_not_outlive_its_scores(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    dump_scores(SCORES, path, ORIGIN)
    dump_scores(SCORES + 1, path)
    assert not origin_file(path).exists()
    # Another toolbox replaces the scores and knows nothing of the metadata.
    dump_scores(SCORES, path, ORIGIN)
    write(path, list(SCORES + 1))
    assert read_scores(path).origin is None


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"samples": "2"},
        {"samples": 3},
        {"sample_ids_sha256": None},
        {"data": [1]},
        {"num_clips": "ten"},
        {"checkpoint": 3},
        [],
        "{",
    ],
)
def test_damaged_metadata_is_ignored_with_a_warning(
    tmp_path: Path, change: Any, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.pkl"
    dump_scores(SCORES, path, ORIGIN)
    metadata = origin_file(path)
    if isinstance(change, dict):
        change = {**json.loads(metadata.read_text()), **change}
    metadata.write_text(change if isinstance(change, str) else json.dumps(change))
    found = read_scores(path)
    np.testing.assert_array_equal(found.scores, SCORES)
    assert found.origin is None
    assert str(metadata) in caplog.text


def test_ids_have_one_digest_per_order() -> None:
    assert digest_of_ids(["a", "b"]) == digest_of_ids(("a", "b"))
    others = [["b", "a"], ["a"], ["ab"], ["a,b"], ['a", "b'], []]
    assert len({digest_of_ids(ids) for ids in [["a", "b"], *others]}) == 7
