"""``tools/fuse.py``: figures by hand, and what does not belong together."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stream_runs import STREAMS, labels, make_streams, scores
from tool_commands import Commands, Run

from pyskl.errors import InputError
from pyskl.evaluation.metrics import mean_class_accuracy, top_k_accuracy
from pyskl.evaluation.results import dump_scores
from pyskl.evaluation.score_origin import ScoreOrigin, digest_of_ids
from pyskl.reports.fuse import fuse_files


@pytest.fixture(scope="module")
def streams(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Score files of four streams; nobody may write there."""
    work_dirs = make_streams(trained, tmp_path_factory.mktemp("streams"))
    return {stream: folder / "best_pred.pkl" for stream, folder in work_dirs.items()}


def figures(table: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return what the tool should find."""
    top1, top5 = top_k_accuracy(table, truth, (1, 5))
    return {
        "top1_acc": top1,
        "top5_acc": top5,
        "mean_class_accuracy": mean_class_accuracy(table, truth),
    }


@pytest.mark.parametrize(
    ("chosen", "options", "weights"),
    [
        (STREAMS, [], [2, 2, 1, 1]),
        (("j", "b"), [], [1, 1]),
        (("bm", "b", "j", "jm"), [], [1, 2, 2, 1]),
        (("jm", "j"), ["--weights", "0.5", "3"], [0.5, 3]),
    ],
)
def test_fused_figures_are_those_by_hand(
    commands: Commands,
    trained: Run,
    streams: dict[str, Path],
    tmp_path: Path,
    chosen: tuple[str, ...],
    options: list[str],
    weights: list[float],
) -> None:
    out, file = tmp_path / "fused.pkl", tmp_path / "figures.json"
    done = commands.quick(
        *("tools/fuse.py", trained.config, "--scores", *(streams[name] for name in chosen)),
        *(*options, "--out", out, "--json", file),
    )
    assert done.status == 0, done.err
    report, truth = json.loads(file.read_text()), labels(trained)
    tables = [scores(streams[name]) for name in chosen]
    by_hand = sum(w * t.astype(float) for w, t in zip(weights, tables)) / sum(weights)
    assert report["weights"] == weights
    assert report["samples"] == 10
    for row, table in zip(report["rows"], [*tables, by_hand], strict=True):
        assert row["figures"] == pytest.approx(figures(table, truth))
        assert f"{row['figures']['top1_acc']:.4f}" in done.out
    np.testing.assert_allclose(scores(out), by_hand, rtol=1e-6)
    beside = json.loads((tmp_path / "fused.pkl.meta.json").read_text())
    assert [one["weight"] for one in beside["fused"]] == weights
    # What is fused can be fused again, and is known to be of these samples.
    again = commands.quick(
        *("tools/fuse.py", trained.config, "--scores", out, streams["j"], "--weights", 1, 0)
    )
    assert again.status == 0, again.err
    assert f"{figures(by_hand, truth)['top1_acc']:.4f}" in again.out


def test_labels_from_an_annotation_file(
    commands: Commands, trained: Run, streams: dict[str, Path], tiny_ann_file: Path, tmp_path: Path
) -> None:
    files = [streams["j"], streams["b"]]
    expected = commands.quick("tools/fuse.py", trained.config, "--scores", *files)
    for options in ([], ["--split", "val"]):  # the files beside the scores name the split
        done = commands.quick("tools/fuse.py", tiny_ann_file, "--scores", *files, *options)
        assert done.status == 0, done.err
        assert done.out == expected.out
    bare = [shutil.copy(file, tmp_path / f"{name}.pkl") for name, file in zip("jb", files)]
    done = commands.quick("tools/fuse.py", tiny_ann_file, "--scores", *bare)
    assert done.status == 2
    assert "say --split; there are train (24), val (10) (samples)" in done.err
    done = commands.quick("tools/fuse.py", tiny_ann_file, "--scores", *bare, "--split", "val")
    assert done.out == expected.out


def test_a_search_measures_on_samples_that_it_has_not_seen(
    commands: Commands, trained: Run, streams: dict[str, Path], tmp_path: Path
) -> None:
    files = [streams["j"], streams["b"]]
    found = []
    for seed in (0, 0, 1):
        done = commands.quick(
            *("tools/fuse.py", trained.config, "--scores", *files, "--search", "--seed", seed),
            *("--json", tmp_path / "search.json", "--out", tmp_path / "fused.pkl"),
        )
        assert done.status == 0, done.err
        assert "measured on all of them is a little too good" in done.err
        found.append(json.loads((tmp_path / "search.json").read_text()))
    assert found[0] == found[1] != found[2]
    for report in found:
        assert (report["samples"], report["tuned_on"]) == (5, 5)
        assert [row["name"] for row in report["rows"]] == [
            "joint",
            "bone",
            "fused, not searched",
            "fused, searched",
        ]


def changed(path: Path, out: Path, rows: slice = slice(None), columns: slice = slice(None)) -> Path:
    """Write a part of a score file to another."""
    dump_scores(scores(path)[rows, columns], out)
    return out


def test_what_does_not_belong_together_is_refused(
    commands: Commands, trained: Run, streams: dict[str, Path], tmp_path: Path
) -> None:
    j, b = streams["j"], streams["b"]
    logits = tmp_path / "bm_logits.pkl"
    dump_scores(np.log(scores(streams["bm"])), logits)
    small = [changed(streams[n], tmp_path / f"{n}.json", columns=slice(2)) for n in ("j", "b")]
    cases: list[tuple[list[Path], dict[str, Any], str]] = [
        ([j], {}, "two score files or more"),
        ([j, j], {}, "given twice"),
        ([j, tmp_path / "none.pkl"], {}, "no such score file"),
        ([j, streams["jm"]], {}, "give --weights"),
        ([j, b], {"weights": [1]}, "1 weights for 2 score files"),
        ([j, b], {"weights": [1, 1], "search": True}, "give one"),
        ([j, b], {"out": tmp_path / "a.npy"}, "scores are written as"),
        ([j, b], {"out": b}, "never written over"),
        ([j, changed(b, tmp_path / "b.pkl", rows=slice(9))], {}, "not of the same data set"),
        ([j, changed(b, tmp_path / "b_2.pkl", columns=slice(2))], {}, "not of the same data set"),
        (small, {}, "2 classes, but the labels"),
        ([j, b], {"split": "train"}, "has scores of 10 samples, but"),
        ([j, b], {"split": "trian"}, "no split 'trian'; did you mean"),
    ]
    for files, options, message in cases:
        with pytest.raises(InputError, match=re.escape(message)):
            fuse_files(trained.config, files, **options)
    done = commands.quick("tools/fuse.py", trained.config, "--scores", j, b, "--weights", 1, -1)
    assert done.status == 2
    assert "weights are numbers from 0 up" in done.err
    for file in (f"{j}.meta.json", trained.config):
        done = commands.quick("tools/fuse.py", trained.config, "--scores", j, b, "--json", file)
        assert done.status == 2
        assert "never written over" in done.err
    assert len(done.err.splitlines()) == 1
    done = commands.quick(
        "tools/fuse.py", trained.config, "--scores", j, logits, "--weights", "1", "1"
    )
    assert done.status == 0
    assert "holds probabilities" in done.err


def test_scores_of_other_samples_are_known_by_the_file_beside(
    commands: Commands, trained: Run, streams: dict[str, Path], tmp_path: Path
) -> None:
    other = tmp_path / "train" / "b.pkl"
    done = commands.quick(
        *("tools/test.py", trained.config, trained.best, "--out", other),
        *("--cfg-options", "data.test.split=train"),
    )
    assert done.status == 0, done.err
    ids = [f"clip{number}" for number in range(10)]  # ten of them, as many as val has
    table = scores(other)[:10]
    origin = ScoreOrigin(10, 3, digest_of_ids(ids), data=({"ann_file": "x.pkl", "split": "train"},))
    dump_scores(table, other, origin)
    done = commands.quick("tools/fuse.py", trained.config, "--scores", streams["j"], other)
    assert done.status == 2
    assert "is not of the samples of" in done.err
    assert "by the file beside it the scores are of x.pkl, split 'train'" in done.err
    Path(f"{other}.meta.json").unlink()  # then nothing tells
    done = commands.quick("tools/fuse.py", trained.config, "--scores", streams["j"], other)
    assert done.status == 0
