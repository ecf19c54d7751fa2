"""``tools/fuse.py``: metrics computed by hand, and files that do not belong together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stream_runs import STREAMS, labels, make_streams, scores
from tool_commands import Commands, Run

from pyskl.errors import InputError
from pyskl.evaluation.metrics import mean_class_accuracy, top_k_accuracy
from pyskl.evaluation.scores import ScoreOrigin, digest_of_ids, dump_scores
from pyskl.reports.fuse import fuse_files


@pytest.fixture(scope="module")
def streams(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Score files of four streams; nobody may write there."""
    work_dirs = make_streams(trained, tmp_path_factory.mktemp("streams"))
    return {stream: folder / "best_pred.pkl" for stream, folder in work_dirs.items()}


def figures(table: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return the expected metrics."""
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
    # Fused scores can be fused again.
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
    for options in ([], ["--split", "val"]):  # the metadata of the scores names the split
        done = commands.quick("tools/fuse.py", tiny_ann_file, "--scores", *files, *options)
        assert done.status == 0, done.err
        assert done.out == expected.out
    bare = [shutil.copy(file, tmp_path / f"{name}.pkl") for name, file in zip("jb", files)]
    done = commands.quick("tools/fuse.py", tiny_ann_file, "--scores", *bare)
    assert done.status == 2
    assert "train (24), val (10)" in done.err
    done = commands.quick("tools/fuse.py", tiny_ann_file, "--scores", *bare, "--split", "val")
    assert done.out == expected.out


def test_a_search_is_measured_on_other_samples(
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
        assert "slightly too good" in done.err
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


def test_files_that_do_not_belong_together_are_refused(
    commands: Commands, trained: Run, streams: dict[str, Path], tmp_path: Path
) -> None:
    j, b = streams["j"], streams["b"]
    logits = tmp_path / "bm_logits.pkl"
    dump_scores(np.log(scores(streams["bm"])), logits)
    small = [changed(streams[n], tmp_path / f"{n}.json", columns=slice(2)) for n in ("j", "b")]
    cases: list[tuple[list[Path], dict[str, Any]]] = [
        ([j], {}),
        ([j, j], {}),
        ([j, tmp_path / "none.pkl"], {}),
        ([j, streams["jm"]], {}),  # no published weights
        ([j, b], {"weights": [1]}),
        ([j, b], {"weights": [1, -1]}),
        ([j, b], {"weights": [1, 1], "search": True}),
        ([j, b], {"out": tmp_path / "a.npy"}),
        ([j, b], {"out": b}),
        ([j, changed(b, tmp_path / "b.pkl", rows=slice(9))], {}),
        ([j, changed(b, tmp_path / "b_2.pkl", columns=slice(2))], {}),
        (small, {}),  # fewer classes than the labels have
        ([j, b], {"split": "train"}),
        ([j, b], {"split": "trian"}),
    ]
    for files, options in cases:
        with pytest.raises(InputError):
            fuse_files(trained.config, files, **options)
    for option, value in (("--json", f"{j}.meta.json"), ("--json", trained.config)):
        before = Path(value).read_bytes()
        done = commands.quick("tools/fuse.py", trained.config, "--scores", j, b, option, value)
        assert done.status == 2
        assert len(done.err.splitlines()) == 1
        assert Path(value).read_bytes() == before
    done = commands.quick(
        "tools/fuse.py", trained.config, "--scores", j, logits, "--weights", "1", "1"
    )
    assert done.status == 0
    assert str(logits) in done.err  # a warning: weights of probabilities and logits differ


def test_scores_of_other_samples_are_refused_by_their_metadata(
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
    assert "x.pkl, split 'train'" in done.err
    Path(f"{other}.meta.json").unlink()  # now nothing says so
    done = commands.quick("tools/fuse.py", trained.config, "--scores", streams["j"], other)
    assert done.status == 0
