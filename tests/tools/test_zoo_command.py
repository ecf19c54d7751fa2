"""``tools/zoo.py``: rows of finished runs, and reasons where there is no number."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from stream_runs import STREAMS, labels, make_streams, scores
from tool_commands import Commands, Run


@pytest.fixture
def root(trained: Run, tmp_path: Path) -> Path:
    """A folder with the runs of four streams under ``stgcn/tiny``."""
    make_streams(trained, tmp_path / "stgcn" / "tiny")
    return tmp_path / "stgcn"


def accuracy(tables: list[np.ndarray], weights: list[float], truth: np.ndarray) -> float:
    """Return the top-1 accuracy of a fusion, by hand."""
    total = sum(w * t.astype(float) for w, t in zip(weights, tables))
    return float(np.mean(np.argmax(total, axis=1) == truth))


def test_a_row_of_four_streams(
    commands: Commands, trained: Run, root: Path, tmp_path: Path
) -> None:
    out, file = tmp_path / "docs" / "zoo.md", tmp_path / "zoo.json"
    done = commands.quick("tools/zoo.py", root, "--out", out, "--json", file)
    assert done.status == 0, done.err
    (row,) = json.loads(file.read_text())["rows"]
    tables = [scores(root / "tiny" / stream / "best_pred.pkl") for stream in STREAMS]
    truth = labels(trained)
    expected = {
        name: accuracy(tables[index : index + 1], [1], truth)
        for index, name in enumerate(("joint", "bone", "joint motion", "bone motion"))
    }
    expected["two-stream"] = accuracy(tables[:2], [1, 1], truth)
    expected["four-stream"] = accuracy(tables, [2, 2, 1, 1], truth)
    for name, value in expected.items():
        assert row["cells"][name]["figures"]["top1_acc"] == pytest.approx(value), name
    assert (row["data"], row["practice"], row["epochs"]) == ("tiny val", "PYSKL", "2")
    assert row["gpus"] == "CPU (1 process)"
    assert row["annotation"] == "nturgb+d, 3D"
    joint = row["cells"]["joint"]
    assert (joint["seed"], joint["clips"], joint["samples"], joint["processes"]) == (1, 2, 10, 1)
    assert f"epoch_{joint['epoch']}.pth" in trained.best.name
    assert joint["remark"] is None  # it is what the run itself measured

    text = out.read_text()
    header, rule, line, *rest = text.splitlines()
    assert header.count("|") == rule.count("|") == line.count("|") == 12
    links = re.findall(r"\]\(([^)]+)\)", line)
    assert len(links) == 1 + 4 * 2  # the folder; config and weights of each stream
    for link in links:
        assert (out.parent / link).exists(), link
    for value in expected.values():
        assert f"{100 * value:.1f}" in line
    assert sum("best_pred.pkl`" in one for one in rest) == 6
    assert "Missing" not in text


def test_last_instead_of_best(commands: Commands, trained: Run, root: Path) -> None:
    (root / "tiny" / "b" / "last_pred.pkl").unlink()
    done = commands.quick("tools/zoo.py", root, "--weights", "last")
    assert done.status == 0, done.err
    assert "j/last_pred.pkl`, last weights, epoch 2 of 2" in done.out
    assert "b/best_pred.pkl`, best weights" in done.out
    assert "(there is no last_pred.pkl)" in done.out


def test_missing_numbers_have_a_reason(commands: Commands, root: Path) -> None:
    tiny = root / "tiny"
    shutil.rmtree(tiny / "bm")
    for path in (tiny / "jm").glob("*_pred.pkl*"):
        path.unlink()
    (log,) = (tiny / "b").glob("*.log.json")
    lines = log.read_text().splitlines()
    log.write_text("\n".join(line for line in lines if '"epoch": 2' not in line) + "\n")
    (tiny / "b" / "epoch_2.pth").unlink()
    done = commands.quick("tools/zoo.py", root)
    assert done.status == 0, done.err
    row = done.out.splitlines()[2]
    assert row.count("| - ") == 5  # bone, both motions, both fusions
    for reason in (
        r"bone: the run in \S+/b is not finished \(1 of 2 epochs\)",
        r"joint motion: the run in \S+/jm was not tested \(no best_pred.pkl\)",
        "bone motion: there is no run",
        "two-stream: no readable scores of bone",
        "four-stream: no readable scores of bone, joint motion, bone motion",
    ):
        assert re.search(reason, done.out), reason


def test_without_the_data_the_logged_number_is_shown(
    commands: Commands, trained: Run, root: Path
) -> None:
    config = root / "tiny" / "j" / "tiny.py"
    config.write_text(re.sub(r"ann_file='[^']+'", "ann_file='gone.pkl'", config.read_text()))
    done = commands.quick("tools/zoo.py", root)
    assert done.status == 0, done.err
    (told,) = (line for line in trained.log_lines() if line.get("weights") == "best")
    assert f"joint {100 * told['top1_acc']:.1f}: " in done.out
    assert "as logged; not measured again: gone.pkl: there is no such annotation file" in done.out
    assert "two-stream: no readable scores of joint" in done.out


def test_replaced_scores_are_pointed_out(commands: Commands, trained: Run, root: Path) -> None:
    shutil.copy(root / "tiny/b/best_pred.pkl", root / "tiny/j/best_pred.pkl")
    shutil.copy(root / "tiny/b/best_pred.pkl.meta.json", root / "tiny/j/best_pred.pkl.meta.json")
    done = commands.quick("tools/zoo.py", root)
    assert re.search(
        r"joint [\d.]+: .*\(the log says [\d.]+: the scores were replaced since", done.out
    )


def test_nothing_in_a_work_dir_is_run(commands: Commands, root: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    config = root / "tiny" / "b" / "tiny.py"
    config.write_text(f"open({str(mark)!r}, 'w').close()\n" + config.read_text())
    done = commands.quick("tools/zoo.py", root)
    assert done.status == 0, done.err
    assert not mark.exists()
    assert "bone" in done.out  # the log holds the config, too


def test_nothing_in_a_work_dir_is_overwritten(commands: Commands, root: Path) -> None:
    run = root / "tiny" / "b"
    (log,) = run.glob("*.log.json")
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    for option, path in (
        ("--out", run / "tiny.py"),
        ("--out", run / "new.py"),
        ("--json", log),
        ("--json", run / "best_pred.pkl.meta.json"),
    ):
        done = commands.quick("tools/zoo.py", root, option, path)
        assert done.status == 2, path
    assert {path: path.read_bytes() for path in run.iterdir() if path.is_file()} == before


def test_reports_make_no_pack_of_the_data(
    commands: Commands, root: Path, trained: Run, tmp_path: Path
) -> None:
    ann_file = tmp_path / "own.pkl"  # other tests may have packed the one that all share
    for config in root.glob("tiny/*/tiny.py"):
        text = config.read_text()
        (shared,) = set(re.findall(r"ann_file='([^']+)'", text))
        shutil.copyfile(shared, ann_file)
        config.write_text(text.replace(f"ann_file='{shared}'", f"ann_file='{ann_file}', pack=True"))
        assert "pack=True" in config.read_text()
    beside = Path(f"{ann_file}.packed")
    done = commands.quick("tools/zoo.py", root)
    assert done.status == 0, done.err
    assert "as logged" not in done.out
    assert not beside.exists()
    j, b = root / "tiny" / "j", root / "tiny" / "b"
    assert commands.quick("tools/compare.py", j, b).status == 0
    assert commands.quick("tools/report.py", j, "--out", tmp_path / "a.html").status == 0
    assert not beside.exists()


def test_runs_without_siblings_have_their_own_rows(
    commands: Commands, trained: Run, tmp_path: Path
) -> None:
    for name in ("mine", "yours/j"):
        shutil.copytree(trained.work_dir, tmp_path / "runs" / name, symlinks=True)
    done = commands.quick("tools/zoo.py", tmp_path / "runs")
    rows = [line for line in done.out.splitlines() if line.startswith("| tiny val")]
    assert len(rows) == 2


def test_invalid_input_is_refused(commands: Commands, tmp_path: Path) -> None:
    for arguments in ((tmp_path / "none",), (tmp_path,), (tmp_path, "--out", tmp_path)):
        done = commands.quick("tools/zoo.py", *arguments)
        assert done.status == 2
        assert len(done.err.splitlines()) == 1
