"""The content of a report, collected from work dirs."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_scores import add_log_line, tiny_scores

from pyskl.errors import InputError
from pyskl.models import build_model
from pyskl.reports.collect import collect_report, run_names
from pyskl.reports.report import ReportSettings, report_runs

EVIL = "</script><script>window.hit = 1</script>\x00"

Make = Callable[..., Path]


def test_the_facts_of_a_tested_run(make_run: Make) -> None:
    env = {"command": "tools/train.py tiny.py", "torch": "2", "git": "abc"}
    folder = make_run("run", tiny_scores(), env=env)
    report = collect_report([folder], ReportSettings(gallery=4))
    (run,) = report.runs
    assert run.run.progress == "2 of 2 epochs"
    assert run.figures["top1_acc"] == pytest.approx(0.8)
    assert run.facts["started with"] == "python tools/train.py tiny.py"
    assert run.missing == []
    found = report.predictions
    assert found is not None
    assert found.class_names == ["class 0", "class 1", "class 2"]
    assert [found.sample_ids[index] for index in found.mistakes] == ["clip24", "clip25"]
    assert [sample.kind for sample in report.gallery] == ["mistake"] * 2 + ["hit"] * 2
    assert report.gallery[0].clip.keypoint.shape[2:] == (25, 3)
    assert report.layout is not None
    assert report.layout.name == "nturgb+d"


def test_logits_become_probabilities(make_run: Make) -> None:
    logits = np.log(tiny_scores()) + 3
    found = collect_report([make_run("run", logits)], ReportSettings(gallery=0)).predictions
    assert found is not None
    assert found.probabilities == pytest.approx(tiny_scores())
    assert "softmax" in found.note


@pytest.mark.parametrize(
    ("epochs", "checkpoints", "what", "command"),
    [
        (1, [], "not finished (1 of 2 epochs)", "python tools/train.py x.py --seed 1"),
        (
            2,
            ["epoch_2.pth"],
            "This command writes it:",
            "python tools/test.py {0}/tiny.py {0}/epoch_2.pth --out {0}/last_pred.pkl",
        ),
        (
            2,
            ["epoch_2.pth", "best_top1_acc_epoch_1.pth"],
            "This command writes it:",
            "python tools/test.py {0}/tiny.py {0}/best_top1_acc_epoch_1.pth "
            "--out {0}/best_pred.pkl",
        ),
    ],
)
def test_what_is_missing_and_how_to_get_it(
    make_run: Make, epochs: int, checkpoints: list[str], what: str, command: str
) -> None:
    folder = make_run("run", epochs=epochs, env={"command": "tools/train.py x.py --seed 1"})
    for name in checkpoints:
        (folder / name).touch()
    report = collect_report([folder], ReportSettings())
    assert report.predictions is None
    (missing,) = report.runs[0].missing
    assert what in missing.what
    assert missing.command.startswith(command.format(folder))
    assert report.runs[0].run.curves()


def test_the_other_weights_are_a_fallback(make_run: Make) -> None:
    folder = make_run("run", tiny_scores(), weights="last")
    (run,) = collect_report([folder], ReportSettings(scores="best", gallery=0)).runs
    assert run.weights == "last, epoch 2 (there is no best_pred.pkl)"
    assert run.figures


def test_data_can_be_moved(
    make_run: Make, tiny_samples: Any, write_tiny_annotations: Any, tmp_path: Path
) -> None:
    folder = make_run("run", tiny_scores(), data__test__ann_file="gone/tiny.pkl")
    report = collect_report([folder], ReportSettings())
    assert report.predictions is None
    (missing,) = report.runs[0].missing
    assert "gone/tiny.pkl: there is no such annotation file" in missing.what
    moved = write_tiny_annotations(tmp_path / "moved.pkl", tiny_samples())
    settings = ReportSettings(cfg_options=[f"data.test.ann_file={moved}"])
    assert collect_report([folder], settings).predictions is not None
    assert "--cfg-options data.test.ann_file=FILE" in missing.what
    with pytest.raises(InputError):
        collect_report([folder], ReportSettings(cfg_options=["dta.test.ann_file=x"]))


def test_replaced_scores_are_pointed_out(make_run: Make) -> None:
    folder = make_run("run", tiny_scores(2))
    add_log_line(folder, mode="test", weights="best", top1_acc=0.5)
    facts = collect_report([folder], ReportSettings(gallery=0)).runs[0].facts
    assert facts["log"].startswith("says top-1 50.0 %")


def test_scores_of_other_data_are_not_used(make_run: Make) -> None:
    report = collect_report([make_run("run", tiny_scores()[:7])], ReportSettings())
    assert report.predictions is None
    assert "best_pred.pkl" in report.runs[0].missing[0].what


def test_several_runs_side_by_side(make_run: Make) -> None:
    folders = [
        make_run("a", tiny_scores(1)),
        make_run("b", tiny_scores(3), optimizer__lr=0.2, work_dir="elsewhere"),
        make_run("c"),
    ]
    report = collect_report(folders, ReportSettings(gallery=2))
    assert [run.name for run in report.runs] == ["a", "b", "c"]
    assert [run.figures.get("top1_acc") for run in report.runs] == [
        pytest.approx(0.9),
        pytest.approx(0.7),
        None,
    ]
    assert [run.differences for run in report.runs] == [(), [("optimizer.lr", "0.05", "0.2")], []]
    assert report.runs[1].predictions.has_samples_of(report.predictions)
    assert report.runs[2].predictions is None
    with pytest.raises(InputError):
        collect_report([folders[0], folders[0] / "../a"], ReportSettings())


def test_names_of_runs(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("x/j", "x/b", "y/j")]
    assert run_names(paths) == ["x/j", "x/b", "y/j"]
    assert run_names(paths[:2]) == ["j", "b"]
    assert run_names([tmp_path / "x"]) == ["x"]
    assert run_names([tmp_path / "x", tmp_path / "x/j"]) == ["x", "j"]


def test_several_labels_of_a_sample(
    make_run: Make, tiny_samples: Any, write_tiny_annotations: Any, tmp_path: Path
) -> None:
    samples = tiny_samples()
    for sample in samples:
        sample["label"] = [sample["label"], 2]
    path = write_tiny_annotations(tmp_path / "several.pkl", samples)
    folder = make_run(
        "run",
        tiny_scores(),
        data__test__ann_file=str(path),
        data__test__multi_class=True,
        data__test__num_classes=3,
    )
    report = collect_report([folder], ReportSettings())
    assert report.predictions is None
    assert set(report.runs[0].figures) == {"mean_average_precision"}
    assert "several labels" in report.runs[0].missing[0].what


def test_names_of_classes(make_run: Make, tmp_path: Path) -> None:
    folder = make_run("run", tiny_scores())
    names = tmp_path / "names.txt"
    names.write_text("rise\nswing\nrest\n")
    found = collect_report([folder], ReportSettings(labels=names, gallery=0)).predictions
    assert found is not None
    assert found.class_names == ["rise", "swing", "rest"]
    names.write_text("rise\nswing\n")
    with pytest.raises(InputError) as error:
        collect_report([folder], ReportSettings(labels=names))
    assert (error.value.file, error.value.found) == (str(names), 2)


def test_samples_of_several_files(
    make_run: Make, tiny_config: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    one = tiny_config()["data"]["test"]
    folder = make_run("run", np.concatenate([tiny_scores(0), tiny_scores(2)]))
    (folder / "best_pred.pkl.meta.json").unlink()
    config = (folder / "tiny.py").read_text()
    data = {**tiny_config()["data"], "test": dict(type="ConcatDataset", datasets=[one, one])}
    (folder / "tiny.py").write_text(
        "".join(
            f"data = {data!r}\n" if line.startswith("data =") else f"{line}\n"
            for line in config.splitlines()
        )
    )
    report = collect_report([folder], ReportSettings(gallery=2))
    assert [sample.index for sample in report.gallery] == [10, 11]


def test_hostile_files_run_nothing(
    make_run: Make, tiny_samples: Any, write_tiny_annotations: Any, tmp_path: Path
) -> None:
    samples = tiny_samples()
    for sample in samples:
        sample["frame_dir"] += EVIL
    path = write_tiny_annotations(tmp_path / "evil.pkl", samples)
    folder = make_run(
        "run",
        tiny_scores(),
        env={"command": EVIL, "git": EVIL},
        data__test__ann_file=str(path),
        custom_imports=dict(imports=["a_module_that_is_not_there"]),
    )
    out = report_runs([folder])
    assert out == folder / "report.html"
    text = out.read_text(encoding="utf-8")
    assert "window.hit = 1</script>" not in text
    assert "\x00" not in text

    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "exploded",))

    (folder / "best_pred.pkl").write_bytes(pickle.dumps([Bomb()]))
    (folder / "best_pred.pkl.meta.json").unlink(missing_ok=True)
    report = collect_report([folder], ReportSettings())
    assert report.predictions is None
    assert not (tmp_path / "exploded").exists()


def test_invalid_options_are_refused(make_run: Make, tmp_path: Path) -> None:
    folder = make_run("run", tiny_scores())
    (tmp_path / "file").touch()
    for work_dirs, options in (
        ([folder], {"out": tmp_path / "report"}),
        ([folder], {"out": tmp_path / "file", "format": "svg"}),
        ([folder], {"gallery": -1}),
        ([tmp_path], {}),
        ([], {}),
    ):
        with pytest.raises(InputError):
            report_runs(work_dirs, ReportSettings(**options))


def test_importance_in_a_report(make_run: Make, tiny_config: Callable[..., dict[str, Any]]) -> None:
    folder = make_run("run", tiny_scores())
    settings = ReportSettings(gallery=3, importance=True)
    report = collect_report([folder], settings)
    assert "importance of the joints" in report.runs[0].missing[0].what
    assert report.gallery[0].clip.importance is None
    model = build_model(tiny_config()["model"])
    state = {"meta": {}, "state_dict": model.state_dict()}
    torch.save(state, folder / "best_top1_acc_epoch_1.pth")
    report = collect_report([folder], settings)
    assert report.runs[0].missing == []
    for sample in report.gallery:
        assert sample.clip.importance is not None
        assert sample.clip.importance.shape == (25,)
