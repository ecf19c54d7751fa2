"""Scores belong to the checkpoint that their metadata name, not to the one with a similar name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_scores import random_scores, tiny_scores

from pyskl.errors import InputError
from pyskl.evaluation.scores import dump_scores, read_origin
from pyskl.files.hashing import sha256_of
from pyskl.reports.collect import collect_report
from pyskl.reports.compare import compare_runs
from pyskl.reports.fuse import fuse_files
from pyskl.reports.report import ReportSettings
from pyskl.reports.runs import Weights, read_run
from pyskl.reports.zoo import zoo_from_folder

Make = Callable[..., Path]


def checkpoints(folder: Path, *names: str, latest: str = "epoch_2.pth") -> None:
    """Write files that stand for checkpoints."""
    for name in names:
        (folder / name).write_bytes(name.encode())
    if (folder / latest).exists():
        (folder / "latest.pth").unlink(missing_ok=True)
        (folder / "latest.pth").symlink_to(latest)


def say(folder: Path, weights: Weights, checkpoint: str, *, hashed: bool = True) -> None:
    """Let the metadata of scores name the checkpoint that is there now."""
    path = folder / f"{weights}_pred.pkl"
    origin = read_origin(path)
    assert origin is not None
    sha256 = sha256_of(folder / checkpoint) if hashed else None
    origin = replace(origin, checkpoint=f"somewhere/{checkpoint}", checkpoint_sha256=sha256)
    dump_scores(tiny_scores(), path, origin)


def assert_refused(folder: Path, make_run: Make, weights: Weights, *words: str) -> None:
    """No command shows figures of these scores; each says what they are of."""
    with pytest.raises(InputError) as error:
        read_run(folder).scored(weights)
    assert error.value.file == str(folder / f"{weights}_pred.pkl")
    (reported,) = collect_report([folder], ReportSettings(scores=weights)).runs
    assert not reported.figures
    cell = zoo_from_folder(folder, weights=weights).rows[0].cells["joint"]
    assert cell.top1 is None
    other = make_run("other", random_scores(0), weights=weights)
    compared = compare_runs(other, folder, weights=weights)
    assert compared.figures is None
    for message in (
        *(str(error.value), reported.missing[0].what, str(cell.reason)),
        compared.not_tested,
    ):
        assert all(word in message for word in words), message


@pytest.mark.parametrize("hashed", [True, False])
@pytest.mark.parametrize(
    ("weights", "newest", "older"),
    [
        ("last", "epoch_2.pth", "epoch_1.pth"),
        ("best", "best_top1_acc_epoch_2.pth", "best_top1_acc_epoch_1.pth"),
    ],
)
def test_scores_of_the_newest_weights_are_shown_and_older_ones_are_not(
    make_run: Make, weights: Weights, newest: str, older: str, hashed: bool
) -> None:
    folder = make_run("run", tiny_scores(), weights=weights)
    checkpoints(folder, newest, older)
    say(folder, weights, newest, hashed=hashed)
    scored = read_run(folder).scored(weights)
    assert scored is not None
    assert (scored.checkpoint, scored.epoch) == (folder / newest, 2)
    say(folder, weights, older, hashed=hashed)
    if weights == "best":
        (folder / older).unlink()
    assert_refused(folder, make_run, weights, "epoch 1", "epoch 2")


def test_each_metric_has_its_best_weights(make_run: Make) -> None:
    folder = make_run("run", tiny_scores())
    names = ("best_top1_acc_epoch_1.pth", "best_mean_class_accuracy_epoch_2.pth")
    checkpoints(folder, *names)
    for epoch, name in enumerate(names, 1):
        say(folder, "best", name)
        scored = read_run(folder).scored("best")
        assert scored is not None
        assert (scored.checkpoint, scored.epoch) == (folder / name, epoch)


def test_a_checkpoint_that_was_replaced_is_another(make_run: Make) -> None:
    folder = make_run("run", tiny_scores(), weights="last")
    checkpoints(folder, "epoch_1.pth", "epoch_2.pth")
    say(folder, "last", "epoch_2.pth")
    (folder / "epoch_2.pth").write_bytes(b"trained again")
    assert_refused(folder, make_run, "last", "an earlier epoch_2.pth")


def test_a_run_that_went_on_and_was_stopped_has_newer_weights(make_run: Make) -> None:
    folder = make_run("run", tiny_scores(), weights="last")
    checkpoints(folder, "epoch_2.pth", "iter_15.pth", latest="iter_15.pth")
    say(folder, "last", "epoch_2.pth")
    assert_refused(folder, make_run, "last", "epoch 2", "iter_15.pth")


def test_a_leftover_of_a_longer_run_is_not_the_newest(make_run: Make) -> None:
    folder = make_run("run", tiny_scores(), weights="last")
    checkpoints(folder, "epoch_2.pth", "epoch_9.pth")
    say(folder, "last", "epoch_2.pth")
    scored = read_run(folder).scored("last")
    assert scored is not None
    assert scored.describe() == "last, epoch 2"


def test_the_log_says_which_weights_there_were(make_run: Make) -> None:
    folder = make_run("run", tiny_scores(), weights="last", epochs=2)
    scored = read_run(folder).scored("last")
    assert scored is not None
    assert (scored.epoch, scored.checkpoint) == (2, None)
    checkpoints(folder, "epoch_1.pth")
    say(folder, "last", "epoch_1.pth")
    (folder / "epoch_1.pth").unlink()
    assert_refused(folder, make_run, "last", "epoch 1", "epoch 2")


def test_scores_without_metadata_are_of_an_unknown_epoch(make_run: Make) -> None:
    folder = make_run("run", tiny_scores(), weights="last")
    checkpoints(folder, "epoch_2.pth")
    (folder / "last_pred.pkl.meta.json").unlink()
    settings = ReportSettings(scores="last", gallery=1, importance=True)
    (reported,) = collect_report([folder], settings).runs
    assert reported.weights == "last, of an unknown epoch"
    assert reported.figures
    assert "importance" in reported.missing[0].what
    cell = zoo_from_folder(folder, weights="last").rows[0].cells["joint"]
    assert (cell.epoch, cell.checkpoint) == (None, None)
    assert "unknown" in str(cell.remark)


def test_fused_scores_are_not_those_of_a_run(make_run: Make) -> None:
    folders = [make_run(stream, tiny_scores(), stream=stream) for stream in ("j", "b")]
    scores = [folder / "best_pred.pkl" for folder in folders]
    fuse_files(folders[0] / "tiny.py", scores, out=folders[0] / "last_pred.pkl")
    assert_refused(folders[0], make_run, "last", "fused")


def test_an_unfinished_run_is_compared_as_such(make_run: Make) -> None:
    a = make_run("a", tiny_scores(), weights="last")
    b = make_run("b", random_scores(0), weights="last", epochs=1)
    text = compare_runs(a, b, weights="last").text()
    assert f"A: {a} (last, epoch 2)\n" in text
    assert f"B: {b} (last, epoch 1; the run is not finished (1 of 2 epochs))\n" in text


def test_the_metadata_name_the_stream_before_the_file_does(make_run: Make, tmp_path: Path) -> None:
    tables = {"j": random_scores(0), "b": random_scores(1), "jm": random_scores(2)}
    tables["bm"] = random_scores(3)
    folder = make_run("run", tiny_scores())
    origin = read_origin(folder / "best_pred.pkl")
    assert origin is not None
    swapped = dict(zip(tables, reversed(tables)))
    for name, stream in swapped.items():
        dump_scores(tables[stream], tmp_path / f"{name}.pkl", replace(origin, stream=stream))
    report = fuse_files(folder / "tiny.py", [tmp_path / f"{name}.pkl" for name in tables])
    weights = {"j": 2.0, "b": 2.0, "jm": 1.0, "bm": 1.0}
    assert report.weights == [weights[stream] for stream in swapped.values()]
