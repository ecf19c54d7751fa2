"""``tools/report.py``, ``zoo.py``, ``compare.py`` and ``fuse.py`` on a real run."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tool_commands import Commands, Run

pytestmark = pytest.mark.slow


def test_a_page(commands: Commands, trained: Run, tmp_path: Path) -> None:
    run = Path(shutil.copytree(trained.work_dir, tmp_path / "run", symlinks=True))
    done = commands.quick("tools/report.py", run, "--importance", "--gallery", 4)
    assert done.status == 0, done.err
    assert done.out.strip() == str(run / "report.html")
    text = (run / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    for heading in ("Summary", "Curves", "Classes", "Confusion", "Calibration", "Gallery"):
        assert f">{heading}</h2>" in text
    assert "total_epochs = 2" in text
    assert '"importance"' in text
    assert len(re.findall('class="card ', text)) == 4
    assert "What is missing" not in text
    assert not re.findall(r"""(?:src|href)=["'](?!#)""", text)


def test_a_page_of_several_runs(commands: Commands, trained: Run, tmp_path: Path) -> None:
    runs = [shutil.copytree(trained.work_dir, tmp_path / f"run{i}") for i in range(2)]
    (Path(runs[1]) / "best_pred.pkl").unlink()
    out = tmp_path / "deep/two.html"
    done = commands.quick("tools/report.py", *runs, "--out", out)
    assert done.status == 0, done.err
    text = out.read_text(encoding="utf-8")
    assert "best, epoch" in text
    assert "last, epoch 2 (there is no best_pred.pkl)" in text
    legend = re.search(r"<title>Training loss</title>.*?</svg>", text)
    assert legend is not None
    assert ">run0</text>" in legend[0]
    assert ">run1</text>" in legend[0]


def test_pictures(commands: Commands, trained: Run, tmp_path: Path) -> None:
    out = tmp_path / "pictures"
    options = ("--format", "svg", "--out", out, "--gallery", 2)
    done = commands.quick("tools/report.py", trained.work_dir, *options)
    assert done.status == 0, done.err
    names = {path.relative_to(out).as_posix() for path in out.rglob("*.svg")}
    assert {"curves_loss.svg", "confusion.svg", "classes.svg", "calibration.svg"} <= names
    assert sum(name.startswith("gallery/") for name in names) == 2
    for path in out.rglob("*.svg"):
        ElementTree.parse(path)


def test_a_page_of_an_unfinished_run(commands: Commands, trained: Run, tmp_path: Path) -> None:
    shutil.copy(next(trained.work_dir.glob("*.py")), tmp_path)
    lines = [line for line in trained.log_lines() if line.get("epoch", 1) == 1]
    lines = [line for line in lines if line.get("mode") != "test"]
    log = tmp_path / "20260101_000000.log.json"
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = commands.quick("tools/report.py", tmp_path)
    assert done.status == 0, done.err
    assert "missing" in done.err
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "(1 of 2 epochs)" in text
    assert re.search(r"<pre>python .*tools/train\.py .*tiny\.py", text)
    assert ">Curves</h2>" in text
    assert ">Gallery</h2>" not in text


def test_a_table_of_results(commands: Commands, trained: Run, tmp_path: Path) -> None:
    out, file = tmp_path / "docs" / "zoo.md", tmp_path / "zoo.json"
    root = trained.work_dir
    done = commands.quick("tools/zoo.py", root, "--out", out, "--json", file)
    assert done.status == 0, done.err
    joint = json.loads(file.read_text())["rows"][0]["cells"]["joint"]
    (tested,) = (line for line in trained.log_lines() if line.get("weights") == "best")
    assert joint["figures"]["top1_acc"] == pytest.approx(tested["top1_acc"])
    assert f"epoch_{joint['epoch']}.pth" in trained.best.name
    assert joint["remark"] is None
    links = re.findall(r"\]\(([^)]+)\)", out.read_text().splitlines()[2])
    assert all((out.parent / link).exists() for link in links)
    assert commands.quick("tools/zoo.py", root).out.count("\n") == out.read_text().count("\n")


def test_a_comparison(commands: Commands, trained: Run, tmp_path: Path) -> None:
    file = tmp_path / "comparison.json"
    arguments = (trained.work_dir, trained.work_dir / "last_pred.pkl", "--json", file)
    done = commands.quick("tools/compare.py", *arguments)
    assert done.status == 0, done.err
    found = json.loads(file.read_text())
    assert found["samples"] == 10
    val = [
        [line["epoch"], line["top1_acc"]] for line in trained.log_lines() if "val" in line.values()
    ]
    assert found["curves"]["val/top1_acc"][0] == val
    assert "McNemar" in done.out
    labels = ("--config", trained.config, "--weights", "last")
    done = commands.quick("tools/compare.py", *[trained.work_dir / "best_pred.pkl"] * 2, *labels)
    assert done.status == 0, done.err


def test_a_fusion(commands: Commands, trained: Run, tmp_path: Path) -> None:
    files = [shutil.copy(trained.work_dir / "best_pred.pkl", tmp_path / f"{s}.pkl") for s in "jb"]
    out, file = tmp_path / "fused.pkl", tmp_path / "fused.json"
    base = ("tools/fuse.py", trained.config, "--scores", *files)
    for options in ([], ["--weights", 2, 1], ["--search", "--seed", 1]):
        done = commands.quick(*base, *options, "--out", out, "--json", file)
        assert done.status == 0, done.err
        report = json.loads(file.read_text())
        assert report["rows"][-1]["figures"] == report["rows"][0]["figures"]  # both are the same
        assert "fused" in done.out
        assert out.exists()


def test_invalid_input_ends_with_one_message(
    commands: Commands, trained: Run, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained.work_dir, run, symlinks=True)
    scores, (log,) = run / "best_pred.pkl", run.glob("*.log.json")
    config = next(run.glob("*.py"))
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    for arguments in (
        ("report.py", tmp_path),
        ("report.py", scores),
        ("report.py", run, run),
        ("report.py", run, "--out", tmp_path / "x.pdf"),
        ("report.py", run, "--labels", tmp_path / "none.txt"),
        ("report.py", run, "--gallery", -3),
        ("zoo.py", tmp_path / "none"),
        ("zoo.py", run, "--out", config),
        ("zoo.py", run, "--out", run / "new.py"),
        ("zoo.py", run, "--json", log),
        ("zoo.py", run, "--json", f"{scores}.meta.json"),
        ("compare.py", scores, scores),
        ("compare.py", run, scores, "--json", log),
        ("fuse.py", config, "--scores", scores, run / "last_pred.pkl", "--weights", 1, -1),
        ("fuse.py", config, "--scores", scores, run / "last_pred.pkl", "--json", config),
        ("fuse.py", config, "--scores", scores, run / "last_pred.pkl", "--out", scores),
    ):
        done = commands.quick(f"tools/{arguments[0]}", *arguments[1:])
        assert done.status == 2, arguments
        assert len(done.err.splitlines()) == 1, done.err
    assert {path: path.read_bytes() for path in run.iterdir() if path.is_file()} == before
