"""Fusing score files: metrics computed by hand, and files that do not belong together."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_scores import LABELS, random_scores, tiny_scores

from pyskl.errors import InputError
from pyskl.evaluation.metrics import mean_class_accuracy, top_k_accuracy
from pyskl.evaluation.scores import ScoreOrigin, digest_of_ids, dump_scores, read_scores
from pyskl.reports.fuse import fuse_files

Make = Callable[..., Path]
TABLES = {
    "j": tiny_scores(2),
    "b": random_scores(1),
    "jm": random_scores(2),
    "bm": random_scores(3),
}


@pytest.fixture
def streams(make_run: Make) -> dict[str, Path]:
    """Score files of four streams."""
    return {
        stream: make_run(stream, table, stream=stream) / "best_pred.pkl"
        for stream, table in TABLES.items()
    }


def config_of(file: Path) -> Path:
    """Return the config next to a score file."""
    return file.with_name("tiny.py")


def metrics(table: np.ndarray) -> dict[str, float]:
    """Return the expected metrics."""
    top1, top5 = top_k_accuracy(table, LABELS, (1, 5))
    average = mean_class_accuracy(table, LABELS)
    return {"top1_acc": top1, "top5_acc": top5, "mean_class_accuracy": average}


@pytest.mark.parametrize(
    ("chosen", "given", "weights"),
    [
        (("j", "b", "jm", "bm"), None, [2, 2, 1, 1]),
        (("j", "b"), None, [1, 1]),
        (("bm", "b", "j", "jm"), None, [1, 2, 2, 1]),
        (("jm", "j"), [0.5, 3], [0.5, 3]),
    ],
)
def test_fused_metrics_by_hand(
    streams: dict[str, Path],
    tmp_path: Path,
    chosen: tuple[str, ...],
    given: list[float] | None,
    weights: list[float],
) -> None:
    out, files = tmp_path / "fused.pkl", [streams[name] for name in chosen]
    report = fuse_files(config_of(files[0]), files, weights=given, out=out)
    tables = [TABLES[name] for name in chosen]
    by_hand = sum(w * t.astype(float) for w, t in zip(weights, tables)) / sum(weights)
    assert (report.weights, report.samples, report.tuned_on) == (weights, 10, 0)
    for row, table in zip(report.rows, [*tables, by_hand], strict=True):
        assert row.figures == pytest.approx(metrics(table))
        assert f"{row.figures['top1_acc']:.4f}" in report.text()
    fused = read_scores(out)
    np.testing.assert_allclose(fused.scores, by_hand, rtol=1e-6)
    assert fused.origin is not None
    assert [one["weight"] for one in fused.origin.fused or ()] == weights
    # Fused scores can be fused again.
    again = fuse_files(config_of(files[0]), [out, streams["j"]], weights=[1, 0])
    assert again.rows[-1].figures == pytest.approx(metrics(by_hand))
    json.dumps(report.to_dict())


def test_labels_of_an_annotation_file(
    streams: dict[str, Path], tiny_ann_file: Path, tmp_path: Path
) -> None:
    files = [streams["j"], streams["b"]]
    expected = fuse_files(config_of(files[0]), files)
    # The metadata of the scores names the split.
    assert fuse_files(tiny_ann_file, files) == expected
    bare = [shutil.copy(file, tmp_path / f"{name}.pkl") for name, file in zip("jb", files)]
    with pytest.raises(InputError, match="val"):
        fuse_files(tiny_ann_file, bare)
    found = fuse_files(tiny_ann_file, bare, split="val")
    assert found.rows[-1] == expected.rows[-1]


def test_a_search_is_measured_on_other_samples(
    streams: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [streams["j"], streams["b"]]
    found = [
        fuse_files(config_of(files[0]), files, search=True, seed=seed, out=tmp_path / "fused.pkl")
        for seed in (0, 0, 1)
    ]
    assert found[0] == found[1] != found[2]
    assert "slightly too good" in capsys.readouterr().err
    for report in found:
        assert (report.samples, report.tuned_on) == (5, 5)
        assert [row.name for row in report.rows] == [
            *("joint", "bone", "fused, not searched", "fused, searched")
        ]
    # The file has the scores of all samples.
    assert len(read_scores(tmp_path / "fused.pkl").scores) == 10


def test_files_that_do_not_belong_together_are_refused(
    streams: dict[str, Path], tmp_path: Path
) -> None:
    def changed(stream: str, name: str, rows: int = 10, columns: int = 3) -> Path:
        dump_scores(TABLES[stream][:rows, :columns], tmp_path / name)
        return tmp_path / name

    j, b = streams["j"], streams["b"]
    ids = [f"clip{number}" for number in range(10)]  # ten training samples
    data = ({"ann_file": "x.pkl", "split": "train"},)
    other = tmp_path / "b_other.pkl"
    dump_scores(TABLES["b"], other, ScoreOrigin(10, 3, digest_of_ids(ids), data=data))
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
        ([j, changed("b", "b.pkl", rows=9)], {}),
        ([j, changed("b", "b_2.pkl", columns=2)], {}),
        ([changed("j", "j.json", columns=2), changed("b", "b.json", columns=2)], {}),
        ([j, b], {"split": "train"}),
        ([j, b], {"split": "trian"}),
        ([j, other], {}),
    ]
    for files, options in cases:
        with pytest.raises(InputError):
            fuse_files(config_of(j), files, **options)
    Path(f"{other}.meta.json").unlink()  # now nothing says that the samples differ
    fuse_files(config_of(j), [j, other])


def test_mixing_probabilities_and_logits_gives_a_warning(
    streams: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logits = tmp_path / "b.pkl"
    dump_scores(np.log(TABLES["b"]), logits)
    fuse_files(config_of(streams["j"]), [streams["j"], logits])
    assert str(logits) in capsys.readouterr().err
