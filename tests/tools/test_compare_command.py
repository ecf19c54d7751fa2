"""``tools/compare.py``: configs, figures with a paired test, classes, curves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from stream_runs import labels, make_streams, scores
from tool_commands import Commands, Run

from pyskl.errors import InputError
from pyskl.evaluation.comparison import mcnemar
from pyskl.reports.compare import compare_runs


@pytest.fixture(scope="module")
def streams(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Work dirs of four streams; nobody may write there."""
    return make_streams(trained, tmp_path_factory.mktemp("streams"))


def test_two_work_dirs(
    commands: Commands, trained: Run, streams: dict[str, Path], tmp_path: Path
) -> None:
    file = tmp_path / "comparison.json"
    done = commands.quick("tools/compare.py", streams["j"], streams["b"], "--json", file)
    assert done.status == 0, done.err
    found, truth = json.loads(file.read_text()), labels(trained)
    assert found["differences"] == [
        {"key": f"data.{use}.pipeline.1.feats.0", "a": "'j'", "b": "'b'"}
        for use in ("train", "val", "test")
    ]
    hits = [scores(streams[name] / "best_pred.pkl").argmax(axis=1) == truth for name in ("j", "b")]
    test = mcnemar(*hits)
    assert (found["test"]["only_a"], found["test"]["only_b"]) == (test.only_a, test.only_b)
    assert found["test"]["p"] == pytest.approx(test.p)
    assert found["test"]["difference"] == pytest.approx(hits[1].mean() - hits[0].mean())
    assert [figures["top1_acc"] for figures in found["figures"]] == [
        pytest.approx(one.mean()) for one in hits
    ]
    ids = [f"clip{number}" for number in range(24, 34)]
    assert found["only_a_right"] == [i for i, a, b in zip(ids, *hits) if a and not b]
    assert found["only_b_right"] == [i for i, a, b in zip(ids, *hits) if b and not a]
    assert [one["label"] for one in found["classes"]] == [0, 1, 2]
    assert sum(one["test"]["samples"] for one in found["classes"]) == 10
    val = [
        (line["epoch"], line["top1_acc"])
        for line in trained.log_lines()
        if "mode" in line and line["mode"] == "val"
    ]
    assert [tuple(point) for point in found["curves"]["val/top1_acc"][0]] == val
    for part in (
        "data.test.pipeline.1.feats.0",
        "McNemar, exact: only A is right on",
        "p, Holm",
        f"p = {test.p:.3g}",
        "train/loss A",
        "val/top1_acc B",
        "mean_class_accuracy",
    ):
        assert part in done.out


def test_a_run_and_itself(commands: Commands, trained: Run) -> None:
    done = commands.quick("tools/compare.py", trained.work_dir, trained.work_dir)
    assert done.status == 0, done.err
    assert "configs: the same" in done.out
    assert "A and B get the same samples right" in done.out


def test_score_files_with_labels_from_elsewhere(
    commands: Commands, trained: Run, streams: dict[str, Path], tiny_ann_file: Path
) -> None:
    a, b = (streams[name] / "last_pred.pkl" for name in ("j", "b"))
    expected = commands.quick(
        "tools/compare.py", streams["j"], streams["b"], "--weights", "last"
    ).out
    part = expected[expected.index("McNemar") : expected.index("\n\nepoch")]
    for options in (
        ["--config", trained.config],
        ["--ann", tiny_ann_file, "--split", "val"],
        ["--ann", tiny_ann_file],
    ):
        done = commands.quick("tools/compare.py", a, b, *options)
        assert done.status == 0, done.err
        assert part in done.out
        assert "configs" not in done.out
    done = commands.quick("tools/compare.py", streams["j"], b, "--weights", "last")
    assert part in done.out  # the work dir's config has the labels


def test_a_run_without_a_test_is_compared_as_far_as_it_goes(
    commands: Commands, streams: dict[str, Path], tmp_path: Path
) -> None:
    work_dir = tmp_path / "untested"
    shutil.copytree(streams["j"], work_dir, ignore=shutil.ignore_patterns("*.pkl*", "*.pth"))
    done = commands.quick("tools/compare.py", streams["b"], work_dir)
    assert done.status == 0, done.err
    assert "predictions are not compared" in done.out
    assert "untested has no best_pred.pkl" in done.out
    assert "data.test.pipeline.1.feats.0" in done.out
    assert "train/loss B" in done.out


def test_what_both_have_is_compared(
    commands: Commands, streams: dict[str, Path], tmp_path: Path
) -> None:
    work_dir = tmp_path / "last_only"
    shutil.copytree(streams["j"], work_dir, ignore=shutil.ignore_patterns("best_pred*"))
    done = commands.quick("tools/compare.py", streams["b"], work_dir)
    assert "last weights on 10 samples" in done.out


def test_runs_on_other_samples_are_refused(
    commands: Commands, streams: dict[str, Path], tmp_path: Path
) -> None:
    work_dir = tmp_path / "other"
    shutil.copytree(streams["j"], work_dir, symlinks=True)
    config = work_dir / "tiny.py"
    text = config.read_text()
    before, test, after = text.partition("    test=dict(")
    assert test
    config.write_text(before + test + after.replace("split='val'", "split='train'", 1))
    done = commands.quick("tools/compare.py", streams["b"], work_dir)
    assert done.status == 2
    assert "split 'train'" in done.err


def test_invalid_input_is_refused(
    commands: Commands, streams: dict[str, Path], tmp_path: Path
) -> None:
    a, b = (streams[name] / "best_pred.pkl" for name in ("j", "b"))
    np.save(tmp_path / "a.npy", np.ones(3))
    for runs, options in (
        ((a, b), {}),  # no labels
        ((tmp_path, b), {}),
        ((tmp_path / "none.pkl", b), {}),
        ((tmp_path / "a.npy", b), {}),
        ((streams["j"], b), {"split": "val"}),
    ):
        with pytest.raises(InputError):
            compare_runs(*runs, **options)
    (log,) = streams["j"].glob("*.log.json")
    before = log.read_bytes()
    for arguments in ([streams["j"], b, "--json", log], [a, b]):
        done = commands.quick("tools/compare.py", *arguments)
        assert done.status == 2
        assert len(done.err.splitlines()) == 1
    assert log.read_bytes() == before
