"""``tools/report.py``: one page, or pictures, of one run or several."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from stream_runs import make_streams
from tool_commands import Commands, Run

TOOL = "tools/report.py"


@pytest.fixture(scope="module")
def streams(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Work dirs of four streams; reports may be written there, nothing else."""
    return make_streams(trained, tmp_path_factory.mktemp("streams"))


def test_a_page_of_one_run(commands: Commands, streams: dict[str, Path]) -> None:
    done = commands.quick(TOOL, streams["j"], "--importance", "--gallery", 4)
    assert done.status == 0, done.err
    page = streams["j"] / "report.html"
    assert done.out.strip() == str(page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    for heading in ("Summary", "Curves", "Classes", "Confusion", "Calibration", "Gallery"):
        assert f">{heading}</h2>" in text
    assert "total_epochs = 2" in text
    assert '"importance"' in text
    assert len(re.findall('class="card ', text)) == 4
    assert "What is missing" not in text
    assert not re.findall(r"""(?:src|href)=["'](?!#)""", text)


def test_a_page_of_several(commands: Commands, streams: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "deep/four.html"
    done = commands.quick(TOOL, *streams.values(), "--out", out, "--scores", "last")
    assert done.status == 0, done.err
    text = out.read_text(encoding="utf-8")
    summary = text[text.index('<section id="summary"') : text.index('<section id="config"')]
    for stream in streams:
        assert f'<td class="text">{stream}</td>' in summary
    assert summary.count(">last, epoch 2<") == 4
    assert "data.test.pipeline.1.feats.0" in text
    legend = re.search(r"<title>Training loss</title>.*?</svg>", text)
    assert legend is not None
    assert [f">{stream}</text>" in legend[0] for stream in streams] == [True] * 4


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["png", "svg"])
def test_pictures(commands: Commands, streams: dict[str, Path], tmp_path: Path, kind: str) -> None:
    out = tmp_path / "pictures"
    done = commands.quick(TOOL, streams["j"], "--format", kind, "--out", out, "--gallery", 2)
    assert done.status == 0, done.err
    names = {path.relative_to(out).as_posix() for path in out.rglob("*.*")}
    assert {
        f"{name}.{kind}" for name in ("curves_loss", "confusion", "classes", "calibration")
    } <= (names)
    assert sum(name.startswith("gallery/") for name in names) == 2
    for path in out.rglob(f"*.{kind}"):
        if kind == "svg":
            ElementTree.parse(path)
        else:
            with Image.open(path) as picture:
                picture.load()


def test_an_unfinished_run(commands: Commands, trained: Run, tmp_path: Path) -> None:
    work_dir = tmp_path / "run"
    work_dir.mkdir()
    for path in trained.work_dir.iterdir():
        if path.suffix == ".py":
            shutil.copy(path, work_dir)
        elif path.name.endswith(".log.json"):
            lines = path.read_text().splitlines(keepends=True)
            first = [line for line in lines if '"epoch": 2' not in line and '"test"' not in line]
            (work_dir / path.name).write_text("".join(first))
    done = commands.quick(TOOL, work_dir)
    assert done.status == 0, done.err
    assert "missing" in done.err
    text = (work_dir / "report.html").read_text(encoding="utf-8")
    assert "The training is not finished (1 of 2 epochs)" in text
    assert re.search(r"<pre>python .*tools/train\.py .*tiny\.py", text)
    assert ">Curves</h2>" in text
    assert ">Gallery</h2>" not in text


def test_invalid_input_is_refused(
    commands: Commands, streams: dict[str, Path], tmp_path: Path
) -> None:
    for arguments in (
        [tmp_path],
        [streams["j"] / "best_pred.pkl"],
        [streams["j"], streams["j"]],
        [streams["j"], "--out", tmp_path / "x.pdf"],
        [streams["j"], "--labels", tmp_path / "none.txt"],
        [streams["j"], "--gallery", -3],
    ):
        done = commands.quick(TOOL, *arguments)
        assert done.status == 2, done.err
        assert "Traceback" not in done.err
