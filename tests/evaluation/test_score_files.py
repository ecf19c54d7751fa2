"""Score files: read those of ours and of the family, and refuse what is none."""

from __future__ import annotations

import json
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
from pyskl.evaluation.results import dump_scores
from pyskl.evaluation.score_origin import ScoreOrigin, digest_of_ids, origin_file, read_origin
from pyskl.evaluation.scores_file import read_scores

SCORES = np.array([[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]], np.float32)
ORIGIN = ScoreOrigin(
    samples=2,
    classes=3,
    sample_ids_sha256=digest_of_ids(["a", "b"]),
    data=({"ann_file": "a.pkl", "split": "val"},),
    config="j.py",
    checkpoint="epoch_1.pth",
    average_clips="prob",
    num_clips=10,
)


def write(path: Path, content: Any) -> Path:
    """Write a score file as its name says."""
    if path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(content))
    else:
        write_text = json.dumps if path.suffix == ".json" else yaml.safe_dump
        path.write_text(write_text(content))
    return path


@pytest.mark.parametrize("suffix", [".pkl", ".json", ".yaml", ".yml"])
@settings(
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 5), st.integers(1, 4)),
        elements=st.floats(-1e6, 1e6, width=32),
    )
)
def test_what_is_dumped_is_read(tmp_path: Path, suffix: str, scores: np.ndarray) -> None:
    path = tmp_path / f"scores{suffix}"
    dump_scores(scores, path)
    found = read_scores(path)
    np.testing.assert_array_equal(found.scores, scores)
    assert found.origin is None
    assert found.note is None


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
def test_forms_of_the_family(tmp_path: Path, content: Any) -> None:
    found = read_scores(write(tmp_path / "a.pkl", content)).scores
    np.testing.assert_array_equal(found, np.array([np.asarray(row) for row in content]))
    assert found.dtype in (np.float32, np.float64)


@pytest.mark.parametrize("name", ["a.pkl", "a.json", "a.yaml"])
@pytest.mark.parametrize("shape", [(2, 4, 3), (2, 1, 3)])
def test_clips_that_were_kept_apart_are_sent_back(
    tmp_path: Path, name: str, shape: tuple[int, ...]
) -> None:
    scores = np.ones(shape, np.float32)
    content = list(scores) if name == "a.pkl" else scores.tolist()
    with pytest.raises(InputError, match=r"average_clips=None\); make .* --average-clips prob"):
        read_scores(write(tmp_path / name, content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"scores": [[1.0]]}, r"a list of vectors, found dict with the keys \['scores'\]"),
        (3, "a list of vectors, found int"),
        ([], "no samples"),
        ([[1.0, 2.0], [1.0]], "sample number 1 has 1 scores, the first has 2"),
        ([[1.0], ["a"]], "sample number 1 should be a vector of numbers"),
        ([[1.0], {"a": 1}], "sample number 1 should be a vector of numbers"),
        ([[1.0], [True]], "sample number 1 should be a vector of numbers"),
        ([[]], "sample number 0 should be a vector"),
        ([[1.0], [2.0], [float("nan")]], "of 1 samples are not finite, those of number 2"),
    ],
)
@pytest.mark.parametrize("name", ["a.pkl", "a.json", "a.yml"])
def test_other_contents_are_refused(tmp_path: Path, name: str, content: Any, message: str) -> None:
    if name == "a.yml" and "{" in str(content):
        message = "lists of numbers, no mappings"
    with pytest.raises(InputError, match=message):
        read_scores(write(tmp_path / name, content))


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such score file"):
        read_scores(tmp_path / "a.pkl")
    with pytest.raises(InputError, match=r"scores are read from \.pkl"):
        read_scores(tmp_path / "a.npy")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(InputError, match="it is a folder"):
        read_scores(tmp_path / "folder.json")
    for name, text in (("a.json", "[[1.0"), ("a.yaml", "[[1.0"), ("b.json", "[" * 100_000)):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=f"{name} is not readable"):
            read_scores(tmp_path / name)


class _Program:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("run",))


def test_a_file_that_would_run_something_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.pkl", [_Program()])
    with pytest.raises(UntrustedFileError, match="print"):
        read_scores(path)
    (tmp_path / "a.yaml").write_text("- !!python/object/apply:builtins.print [run]\n")
    with pytest.raises(InputError, match="not readable YAML"):
        read_scores(tmp_path / "a.yaml")
    assert "run" not in capsys.readouterr().out


def test_a_small_file_can_not_fill_the_memory(tmp_path: Path) -> None:
    # 100,000 names for one row of 5,000 numbers: 4 GB as a table.
    row = np.ones(5000)
    with pytest.raises(InputError, match="more than"):
        read_scores(write(tmp_path / "a.pkl", [row] * 100_000))
    aliases = "- &r [" + "1.0, " * 5000 + "1.0]\n" + "- *r\n" * 50_000
    (tmp_path / "a.yaml").write_text(aliases)
    with pytest.raises(InputError, match="more than"):
        read_scores(tmp_path / "a.yaml")
    nested = "a: &a [1]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(3))
    (tmp_path / "b.yaml").write_text(nested)
    with pytest.raises(InputError, match="no mappings"):
        read_scores(tmp_path / "b.yaml")


def test_probabilities_are_told_from_logits(tmp_path: Path) -> None:
    assert read_scores(write(tmp_path / "a.pkl", list(SCORES))).are_probabilities()
    for other in (SCORES * 2, SCORES - 0.2, np.log(SCORES)):
        assert not read_scores(write(tmp_path / "a.pkl", list(other))).are_probabilities()


# --- the file beside ------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".pkl", ".json", ".yaml"])
def test_what_scores_are_of_stands_beside_them(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    dump_scores(SCORES, path, ORIGIN)
    assert origin_file(path) == tmp_path / f"a{suffix}.meta.json"
    found = read_scores(path)
    assert found.note is None
    assert found.origin == ScoreOrigin(**{**ORIGIN.__dict__, "data": list(ORIGIN.data)})
    assert found.origin is not None
    assert found.origin.where() == "a.pkl, split 'val'"
    # The scores themselves are as without it.
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".partial"] == []


def test_scores_that_are_replaced_lose_it(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    dump_scores(SCORES, path, ORIGIN)
    dump_scores(SCORES + 1, path)
    assert not origin_file(path).exists()
    # Another toolbox replaces them and knows nothing of it.
    dump_scores(SCORES, path, ORIGIN)
    write(path, list(SCORES + 1))
    origin, note = read_origin(path)
    assert origin is None
    assert note is not None
    assert "written for other scores" in note
    assert read_scores(path).origin is None


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"samples": "2"},
        {"sample_ids_sha256": None},
        {"data": [1]},
        {"num_clips": "ten"},
        {"checkpoint": 3},
        None,
        "{",
    ],
)
def test_a_damaged_one_is_passed_over(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "a.pkl"
    dump_scores(SCORES, path, ORIGIN)
    beside = origin_file(path)
    if isinstance(change, dict):
        beside.write_text(json.dumps({**json.loads(beside.read_text()), **change}))
    else:
        beside.write_text("[]" if change is None else change)
    found = read_scores(path)
    np.testing.assert_array_equal(found.scores, SCORES)
    assert found.origin is None
    assert "passed over" in str(found.note)


def test_one_that_tells_of_another_number_is_passed_over(tmp_path: Path) -> None:
    dump_scores(SCORES, tmp_path / "a.pkl", ScoreOrigin(3, 3, ""))
    found = read_scores(tmp_path / "a.pkl")
    assert found.origin is None
    assert "another number" in str(found.note)


def test_ids_have_one_digest_for_one_order() -> None:
    assert digest_of_ids(["a", "b"]) == digest_of_ids(("a", "b"))
    others = [["b", "a"], ["a"], ["ab"], ["a,b"], ['a", "b'], []]
    assert len({digest_of_ids(ids) for ids in [["a", "b"], *others]}) == 7
