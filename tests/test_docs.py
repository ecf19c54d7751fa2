"""What the documents say is true: links lead somewhere, code runs, CI runs the commands named."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pyskl.apis.prepare import prepare
from pyskl.config import load_config
from pyskl.datasets import PoseDataset
from pyskl.datasets.pipelines import GenSkeFeat
from pyskl.skeleton import Graph

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("configs/**/*.md"))
    if path.is_file()
)


def code_blocks(document: str, language: str) -> list[str]:
    """Return the fenced blocks of a language in a document."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert "@@" not in text, "a draft"
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not re.match(r"\w+://|mailto:", target):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_name_files_that_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for path in re.findall(r"(?:python|bash) ((?:tools|configs|\.ci)/[\w./-]+)", text):
        assert (ROOT / path).exists(), f"{document.name} runs {path}"
    for path in re.findall(r"\b(configs/[\w+/]+\.py)\b", text):
        assert (ROOT / path).exists(), f"{document.name} names {path}"


def test_ci_runs_the_command_of_the_readme() -> None:
    commands = [line for block in code_blocks("README.md", "bash") for line in block.splitlines()]
    tests = [line for line in commands if line.endswith("python -m pytest")]
    assert len(tests) == 1
    assert tests[0] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_examples_of_models_run() -> None:
    names: dict[str, object] = {}
    for block in code_blocks("docs/models.md", "python"):
        exec(compile(block, "docs/models.md", "exec"), names)
    assert set(names["losses"]) == {"loss_cls", "top1_acc", "top5_acc", "loss"}  # type: ignore[call-overload]


def test_own_data_in_ten_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_data, config, layout = code_blocks("docs/data.md", "python")
    monkeypatch.chdir(tmp_path)
    exec(compile(write_data, "docs/data.md", "exec"), {})
    assert len(PoseDataset("mine.pkl", [], split="val")) == 10

    text = config.replace("'configs/", f"'{ROOT.as_posix()}/configs/")
    assert text != config
    Path("mine.py").write_text(text, encoding="utf-8")
    prepare(load_config("mine.py"), ["train", "val", "test"])

    names: dict[str, object] = {}
    exec(compile(layout, "docs/data.md", "exec"), names)
    assert Graph(**names["graph_cfg"]).A.shape == (3, 4, 4)  # type: ignore[arg-type]
    features = dict(names["features"])  # type: ignore[call-overload]
    assert GenSkeFeat(dataset=features["dataset"], feats=features["feats"]).layout.name == "arm"


def test_readme_shows_the_same_own_data_as_the_docs() -> None:
    assert code_blocks("docs/data.md", "python")[0] in code_blocks("README.md", "python")


def test_print_config_commands_of_the_docs_run(tmp_path: Path) -> None:
    commands = [
        line
        for line in "".join(code_blocks("docs/configs.md", "bash")).splitlines()
        if line.startswith("python tools/print_config.py")
    ]
    assert len(commands) == 2
    for command in commands:
        result = subprocess.run(
            [sys.executable, *command.split()[1:]],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert result.returncode == 0, result.stderr
        assert "feats" in result.stdout
    assert "lr=0.02" in result.stdout
    assert "videos_per_gpu=32" in result.stdout
