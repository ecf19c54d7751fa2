"""What a report collects of runs, and the importance of joints."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pyskl.errors import InputError
from pyskl.evaluation.results import dump_scores
from pyskl.models import build_model
from pyskl.reports.joint_importance import joint_importance
from pyskl.reports.report import ReportSettings, report_runs
from pyskl.reports.report_curves import curves_of
from pyskl.reports.report_facts import ReportWishes, collect_facts, run_names
from pyskl.reports.runs import read_run

EVIL = "</script><script>window.hit = 1</script>\x00"

Make = Callable[..., Path]


@pytest.fixture
def make_run(write_tiny_config: Callable[..., Path], tmp_path: Path) -> Make:
    """A function that writes the work dir of a run that never ran: ``make_run(name, scores)``."""

    def make(
        name: str,
        scores: np.ndarray | None = None,
        *,
        weights: str = "best",
        epochs: int = 2,
        env: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        write_tiny_config(folder / "tiny.py", **changes)
        lines: list[dict[str, Any]] = [{"env": dict(env or {}), "seed": 1}]
        for epoch in range(1, epochs + 1):
            for step in (3, 6):
                done = epoch - 1 + step / 6
                figures = {"lr": 0.1, "loss": 2 - done, "top1_acc": done / 4, "time": 0.1}
                lines.append({"mode": "train", "epoch": epoch, "iter": step, **figures})
            lines.append({"mode": "val", "epoch": epoch, "iter": 2, "top1_acc": epoch / 4})
        log = folder / "20260101_000000.log.json"
        log.write_text("".join(json.dumps(line) + "\n" for line in lines))
        if scores is not None:
            dump_scores(scores, folder / f"{weights}_pred.pkl")
        return folder

    return make


def tiny_scores(wrong: int = 2) -> np.ndarray:
    """Return scores of the ten test samples, of which the first ``wrong`` are wrong."""
    labels = np.arange(24, 34) % 3
    scores = np.full((10, 3), 0.1, dtype=np.float32)
    scores[np.arange(10), (labels + (np.arange(10) < wrong)) % 3] = 0.8
    return scores


def test_the_facts_of_a_tested_run(make_run: Make) -> None:
    env = {"command": "tools/train.py tiny.py", "torch": "2", "git": "abc"}
    folder = make_run("run", tiny_scores(), env=env)
    facts = collect_facts([folder], ReportWishes(gallery=4))
    (run,) = facts.runs
    assert run.epochs == "2 of 2 epochs"
    assert run.figures["top1_acc"] == pytest.approx(0.8)
    assert run.calibration_error == pytest.approx(0, abs=1e-6)
    assert run.facts["started with"] == "python tools/train.py tiny.py"
    assert run.missing == []
    found = facts.predictions
    assert found is not None
    assert found.class_names == ["class 0", "class 1", "class 2"]
    assert [found.sample_ids[index] for index in found.mistakes()] == ["clip24", "clip25"]
    assert [example.kind for example in facts.examples] == ["mistake"] * 2 + ["hit"] * 2
    assert facts.examples[0].clip.keypoint.shape[2:] == (25, 3)
    assert facts.layout is not None
    assert facts.layout.name == "nturgb+d"


def test_curves_have_the_place_of_their_lines(make_run: Make) -> None:
    curves = curves_of(read_run(make_run("run", epochs=3)))
    assert [place for place, _ in curves["train", "loss"]] == [0.5, 1, 1.5, 2, 2.5, 3]
    assert [value for _, value in curves["train", "loss"]] == [1.5, 1, 0.5, 0, -0.5, -1]
    assert curves["val", "top1_acc"] == [(1, 0.25), (2, 0.5), (3, 0.75)]
    assert ("val", "iter") not in curves
    assert ("train", "time") not in curves


def test_long_curves_are_averaged(make_run: Make) -> None:
    curves = curves_of(read_run(make_run("run", epochs=500)))
    points = curves["train", "loss"]
    assert 200 < len(points) <= 300
    assert points[-1][0] == 500
    every = [2 - step / 2 for step in range(1, 1001)]
    assert np.mean([value for _, value in points]) == pytest.approx(np.mean(every), rel=0.01)


def test_logits_become_probabilities(make_run: Make) -> None:
    logits = np.log(tiny_scores()) + 3
    found = collect_facts([make_run("run", logits)], ReportWishes(gallery=0)).predictions
    assert found is not None
    assert found.probabilities == pytest.approx(tiny_scores())
    assert "softmax" in found.note


@pytest.mark.parametrize(
    ("epochs", "checkpoints", "told", "command"),
    [
        (1, [], "not finished (1 of 2 epochs)", "python tools/train.py x.py --seed 1"),
        (
            2,
            ["epoch_2.pth"],
            "This makes it:",
            "python tools/test.py {0}/tiny.py {0}/epoch_2.pth --out {0}/last_pred.pkl",
        ),
        (
            2,
            ["epoch_2.pth", "best_top1_acc_epoch_1.pth"],
            "This makes it:",
            "python tools/test.py {0}/tiny.py {0}/best_top1_acc_epoch_1.pth "
            "--out {0}/best_pred.pkl",
        ),
    ],
)
def test_what_is_missing_and_how_to_get_it(
    make_run: Make, epochs: int, checkpoints: list[str], told: str, command: str
) -> None:
    folder = make_run("run", epochs=epochs, env={"command": "tools/train.py x.py --seed 1"})
    for name in checkpoints:
        (folder / name).touch()
    facts = collect_facts([folder], ReportWishes())
    assert facts.predictions is None
    (missing,) = facts.runs[0].missing
    assert told in missing.what
    assert missing.command.startswith(command.format(folder))
    assert facts.runs[0].curves


def test_the_other_weights_are_taken_and_named(make_run: Make) -> None:
    folder = make_run("run", tiny_scores(), weights="last")
    (run,) = collect_facts([folder], ReportWishes(scores="best", gallery=0)).runs
    assert run.weights == "last (there is no best_pred.pkl)"
    assert run.figures


def test_data_that_moved(
    make_run: Make, tiny_samples: Any, write_tiny_annotations: Any, tmp_path: Path
) -> None:
    folder = make_run("run", tiny_scores(), data__test__ann_file="gone/tiny.pkl")
    facts = collect_facts([folder], ReportWishes())
    assert facts.predictions is None
    (missing,) = facts.runs[0].missing
    assert "gone/tiny.pkl: there is no such annotation file" in missing.what
    moved = write_tiny_annotations(tmp_path / "moved.pkl", tiny_samples())
    wishes = ReportWishes(cfg_options=[f"data.test.ann_file={moved}"])
    assert collect_facts([folder], wishes).predictions is not None
    assert "--cfg-options data.test.ann_file=FILE" in missing.what
    with pytest.raises(InputError, match="no config key 'dta'"):
        collect_facts([folder], ReportWishes(cfg_options=["dta.test.ann_file=x"]))


def test_scores_that_were_made_anew_are_told(make_run: Make) -> None:
    folder = make_run("run", tiny_scores(2))
    (log,) = folder.glob("*.log.json")
    with log.open("a") as file:
        line = {"mode": "test", "weights": "best", "top1_acc": 0.5}
        file.write(json.dumps(line) + "\n")
    told = collect_facts([folder], ReportWishes(gallery=0)).runs[0].facts
    assert told["log"].startswith("says top-1 50.0 %")


def test_scores_of_other_data_are_told_apart(make_run: Make) -> None:
    facts = collect_facts([make_run("run", tiny_scores()[:7])], ReportWishes())
    assert "has scores of 7 samples" in facts.runs[0].missing[0].what


def test_several_runs_side_by_side(make_run: Make) -> None:
    folders = [
        make_run("a", tiny_scores(1)),
        make_run("b", tiny_scores(3), optimizer__lr=0.2, work_dir="elsewhere"),
        make_run("c"),
    ]
    facts = collect_facts(folders, ReportWishes(gallery=2))
    assert [run.name for run in facts.runs] == ["a", "b", "c"]
    assert [run.figures.get("top1_acc") for run in facts.runs] == [
        pytest.approx(0.9),
        pytest.approx(0.7),
        None,
    ]
    assert [run.differences for run in facts.runs] == [[], [("optimizer.lr", "0.05", "0.2")], []]
    assert facts.runs[1].class_accuracy is not None
    assert facts.runs[2].class_accuracy is None
    with pytest.raises(InputError, match="given twice"):
        collect_facts([folders[0], folders[0] / "../a"], ReportWishes())


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
    facts = collect_facts([folder], ReportWishes())
    assert facts.predictions is None
    assert set(facts.runs[0].figures) == {"mean_average_precision"}
    assert "several labels" in facts.runs[0].missing[0].what


def test_names_of_classes(make_run: Make, tmp_path: Path) -> None:
    folder = make_run("run", tiny_scores())
    names = tmp_path / "names.txt"
    names.write_text("rise\nswing\nrest\n")
    found = collect_facts([folder], ReportWishes(labels=names, gallery=0)).predictions
    assert found is not None
    assert found.class_names == ["rise", "swing", "rest"]
    names.write_text("rise\nswing\n")
    with pytest.raises(InputError, match="has 2 names, but the scores are of 3 classes"):
        collect_facts([folder], ReportWishes(labels=names))


def test_samples_of_several_files(
    make_run: Make, tiny_config: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    one = tiny_config()["data"]["test"]
    folder = make_run("run", np.concatenate([tiny_scores(0), tiny_scores(2)]))
    config = (folder / "tiny.py").read_text()
    data = {**tiny_config()["data"], "test": dict(type="ConcatDataset", datasets=[one, one])}
    (folder / "tiny.py").write_text(
        "".join(
            f"data = {data!r}\n" if line.startswith("data =") else f"{line}\n"
            for line in config.splitlines()
        )
    )
    facts = collect_facts([folder], ReportWishes(gallery=2))
    assert [example.index for example in facts.examples] == [10, 11]


def test_files_of_strangers_run_nothing(
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
    facts = collect_facts([folder], ReportWishes())
    assert facts.predictions is None
    assert not (tmp_path / "exploded").exists()


def test_places_that_can_not_be_written(make_run: Make, tmp_path: Path) -> None:
    folder = make_run("run", tiny_scores())
    with pytest.raises(InputError, match=r"a page ends in \.html"):
        report_runs([folder], ReportSettings(out=tmp_path / "report"))
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is no folder"):
        report_runs([folder], ReportSettings(out=tmp_path / "file", format="svg"))
    with pytest.raises(InputError, match="0 to 1000"):
        ReportSettings(gallery=-1)
    with pytest.raises(InputError, match="no work dir"):
        report_runs([tmp_path])
    with pytest.raises(InputError, match="no work dir"):
        report_runs([])


# --- the importance of joints ---------------------------------------------------------------------


class Linear:
    """A recognizer whose logits are a weighted sum of the coordinates."""

    def __init__(self, weights: Tensor) -> None:
        self.weights = weights  # (L, V)

    def logits(self, keypoint: Tensor) -> Tensor:
        """Score (N, M, T, V, C)."""
        return torch.einsum("nmtvc,lv->nl", keypoint, self.weights)[:, None]


def test_the_importance_of_a_sum_is_its_parts() -> None:
    keypoint = torch.rand(2, 1, 4, 3, 2) + 0.1
    weights = torch.tensor([[1.0, 2.0, -3.0], [0.0, 0.0, 1.0]])
    parts = keypoint.sum(dim=(0, 1, 2, 4)) * weights.clamp(min=0)
    for label in (0, 1):
        found = joint_importance(Linear(weights), keypoint, label)
        assert found.shape == (3,)
        assert found.max() == 1
        assert found == pytest.approx((parts[label] / parts[label].max()).numpy(), abs=1e-5)


def test_nothing_that_speaks_for_a_class() -> None:
    keypoint = torch.ones(1, 1, 2, 3, 2)
    assert not joint_importance(Linear(-torch.ones(1, 3)), keypoint, 0).any()


def test_the_importance_in_a_network(tiny_config: Callable[..., dict[str, Any]]) -> None:
    torch.manual_seed(0)
    model = build_model(tiny_config()["model"]).eval()
    keypoint = torch.randn(2, 1, 8, 25, 3)
    keypoint[..., 7, :] = 0
    found = joint_importance(model, keypoint, 1)
    assert found.shape == (25,)
    assert found.min() >= 0
    assert found.max() == 1
    assert found[7] == 0  # at the origin
    assert all(weight.grad is None for weight in model.parameters())


def test_importance_in_a_report(make_run: Make, tiny_config: Callable[..., dict[str, Any]]) -> None:
    folder = make_run("run", tiny_scores())
    wishes = ReportWishes(gallery=3, importance=True)
    facts = collect_facts([folder], wishes)
    assert "checkpoint that the scores are of is not in the work dir" in (
        facts.runs[0].missing[0].what
    )
    assert facts.examples[0].clip.importance is None
    model = build_model(tiny_config()["model"])
    state = {"meta": {}, "state_dict": model.state_dict()}
    torch.save(state, folder / "best_top1_acc_epoch_2.pth")
    facts = collect_facts([folder], wishes)
    assert facts.runs[0].missing == []
    for example in facts.examples:
        assert example.clip.importance is not None
        assert example.clip.importance.shape == (25,)
