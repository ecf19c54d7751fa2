"""Comparing runs: configs, metrics with a paired test, classes, curves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_scores import LABELS, random_scores, tiny_scores

from pyskl.errors import InputError
from pyskl.evaluation.comparison import mcnemar
from pyskl.reports.compare import compare_runs

Make = Callable[..., Path]


def test_two_work_dirs(make_run: Make) -> None:
    tables = [random_scores(0), random_scores(1)]
    a, b = make_run("a", tables[0]), make_run("b", tables[1], stream="b", work_dir="b")
    result = compare_runs(a, b)
    found = json.loads(json.dumps(result.to_dict()))
    assert found["differences"] == [
        {"key": f"data.{use}.pipeline.1.feats.0", "a": "'j'", "b": "'b'"}
        for use in ("train", "val", "test")
    ]
    hits = [table.argmax(axis=1) == LABELS for table in tables]
    test = mcnemar(*hits)
    assert test.only_a
    assert test.only_b
    assert found["test"]["p"] == test.p
    assert found["test"]["difference"] == pytest.approx(hits[1].mean() - hits[0].mean())
    assert [figures["top1_acc"] for figures in found["figures"]] == [
        pytest.approx(one.mean()) for one in hits
    ]
    ids = [f"clip{number}" for number in range(24, 34)]
    assert found["only_a_right"] == [i for i, a, b in zip(ids, *hits) if a and not b]
    assert found["only_b_right"] == [i for i, a, b in zip(ids, *hits) if b and not a]
    assert [one["label"] for one in found["classes"]] == [0, 1, 2]
    assert sum(one["test"]["samples"] for one in found["classes"]) == 10
    assert found["curves"] == {
        "train/loss": [[[1, 1.25], [2, 0.25]]] * 2,  # means of the epochs
        "val/top1_acc": [[[1, 0.25], [2, 0.5]]] * 2,
    }
    text = result.text()
    for part in ("data.test.pipeline.1.feats.0", f"p = {test.p:.3g}", "p, Holm", "train/loss A"):
        assert part in text


def test_a_run_and_itself(make_run: Make) -> None:
    run = make_run("run", tiny_scores())
    result = compare_runs(run, run)
    assert (result.differences, result.only_a_right, result.only_b_right) == ([], [], [])
    assert result.test is not None
    assert (result.test.p, result.test.both) == (1, 8)
    assert "configs: the same" in result.text()


def test_score_files_need_labels(make_run: Make, tiny_ann_file: Path) -> None:
    runs = [make_run(name, tiny_scores(wrong)) for name, wrong in (("a", 1), ("b", 3))]
    a, b = (run / "best_pred.pkl" for run in runs)
    expected = compare_runs(*runs)
    sources: list[dict[str, Any]] = [
        {"source": runs[0] / "tiny.py"},
        {"source": tiny_ann_file, "split": "val"},
        {"source": tiny_ann_file},  # the metadata names the split
    ]
    for options in sources:
        result = compare_runs(a, b, **options)
        assert result.differences is None
        assert (result.figures, result.test) == (expected.figures, expected.test)
    assert compare_runs(runs[0], b).test == expected.test  # the work dir's config has the labels
    with pytest.raises(InputError):
        compare_runs(a, b)


def test_an_untested_run_is_compared_as_far_as_possible(make_run: Make) -> None:
    result = compare_runs(make_run("a", tiny_scores()), make_run("b", stream="b"))
    assert result.figures is None
    assert "b has no best_pred.pkl" in result.text()
    assert result.differences
    assert all(a and b for a, b in result.curves.values())


def test_the_weights_that_both_have_are_compared(make_run: Make, tmp_path: Path) -> None:
    a, b = make_run("a", tiny_scores()), make_run("b", tiny_scores(1), weights="last")
    (a / "last_pred.pkl").write_bytes((a / "best_pred.pkl").read_bytes())
    result = compare_runs(a, b)
    assert result.weights == "last"
    assert result.samples == 10


def test_invalid_input_is_refused(make_run: Make, tmp_path: Path) -> None:
    run = make_run("run", tiny_scores())
    scores = run / "best_pred.pkl"
    np.save(tmp_path / "a.npy", np.ones(3))
    other_split = make_run("other", np.tile(tiny_scores(), (3, 1))[:24], data__test__split="train")
    (other_split / "best_pred.pkl.meta.json").unlink()
    for runs, options in (
        ((tmp_path, scores), {}),
        ((tmp_path / "none.pkl", scores), {}),
        ((tmp_path / "a.npy", scores), {}),
        ((run, scores), {"split": "val"}),  # of what?
        ((run, other_split), {}),
    ):
        with pytest.raises(InputError):
            compare_runs(*runs, **options)
