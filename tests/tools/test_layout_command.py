"""``tools/data/layout.py``, and the commands of ``docs/layouts.md``."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tool_commands import Commands

from pyskl.datasets.pipelines import GenSkeFeat
from pyskl.drawing.layout_drawing import layout_svg
from pyskl.skeleton import ALIASES, LAYOUTS, Graph, resolve_layout

pytestmark = pytest.mark.slow

TOOL = "tools/data/layout.py"


def test_all_built_in_layouts_are_listed(commands: Commands) -> None:
    done = commands.quick(TOOL)
    assert done.status == 0, done.err
    header, *lines = done.out.splitlines()
    assert header.split() == ["name", "joints", "dim", "centre", "also", "called"]
    assert [line.split()[0] for line in lines] == list(LAYOUTS)
    assert "halpe136   136     2    18 neck" in done.out
    assert all(alias in done.out for alias in ALIASES)


def test_a_layout_is_shown_written_and_drawn(commands: Commands, tmp_path: Path) -> None:
    out, svg, html = (tmp_path / f"my.{suffix}" for suffix in ("json", "svg", "html"))
    done = commands.quick(TOOL, "body_25", "--out", out, "--svg", svg, "--html", html)
    assert done.status == 0, done.err
    assert re.search(r"^15 +right_eye +0 nose +16 left_eye$", done.out, re.M)
    assert "centre of the graph: 1 neck\n" in done.out
    assert "no problems\n" in done.out
    assert "warning" not in done.out
    assert resolve_layout(out) == LAYOUTS["body_25"]
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")
    assert "left_big_toe" in html.read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my.html", "my.json", "my.svg"]


def test_one_s_own_layout_with_warnings(commands: Commands, tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps(dict(num_joints=2, edges=[[1, 0]], center=0, shoulders=[1, 1])))
    done = commands.quick(TOOL, mine)
    assert done.status == 0, done.err
    assert "layout: mine\n" in done.out
    assert "warning: shoulders is joint 1 twice" in done.out
    assert done.out.endswith("no problems\n")


def test_problems_are_listed(commands: Commands, tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps(dict(num_joints=3, edges=[[1, 0]], center=0, dim=5)))
    done = commands.quick(TOOL, mine, "--svg", tmp_path / "mine.svg")
    assert done.status == 2
    first, *problems = done.err.splitlines()
    assert str(mine) in first
    assert [problem.split()[0] for problem in problems] == ["edges", "bones", "dim"]
    assert not (tmp_path / "mine.svg").exists()


def test_what_cannot_be_done_is_told_in_one_message(commands: Commands, tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    shutil.copyfile(__file__, mine)
    text = mine.read_bytes()
    good = tmp_path / "good.json"
    good.write_text('{"base": "coco"}')
    for arguments, part in (
        (("cocoo",), "did you mean 'coco'?"),
        ((tmp_path / "none.json",), "no such skeleton layout file"),
        ((mine,), "not valid JSON"),
        ((good, "--out", good), "can't overwrite it"),
        (("coco", "--out", tmp_path / "coco.txt"), "end in .json"),
        (("coco", "--svg", good / "coco.svg"), "good.json is not a writable folder"),
        ((good, "--svg", tmp_path / "config.py"), "end in .svg"),
        ((good, "--html", tmp_path / "config.py"), "end in .html"),
        (("--svg", "x.svg"), "need a layout"),
    ):
        done = commands.quick(TOOL, *arguments)
        assert done.status == 2, arguments
        assert part in done.err
        assert "Traceback" not in done.err
    assert mine.read_bytes() == text
    assert good.read_text() == '{"base": "coco"}'


def test_the_traceback_is_shown_on_request(commands: Commands) -> None:
    assert "Traceback" in commands.quick(TOOL, "cocoo", "--debug").err


# --- the document ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def document(repo_root: Path) -> str:
    return (repo_root / "docs/layouts.md").read_text(encoding="utf-8")


def blocks(document: str, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", document, flags=re.DOTALL | re.MULTILINE)


def test_the_document_s_commands_run(commands: Commands, document: str) -> None:
    lines = "".join(blocks(document, "bash")).splitlines()
    assert len(lines) >= 4
    for line in lines:
        _, tool, *arguments = shlex.split(line, comments=True)
        done = commands.quick(tool, *arguments)
        assert done.status == 0, f"{line}: {done.err}"
    assert resolve_layout(commands.scratch / "mine.json") == LAYOUTS["body_25"]


def test_the_document_s_example_of_a_file_is_a_layout(document: str, tmp_path: Path) -> None:
    (text,) = blocks(document, "json")
    path = tmp_path / "mine.json"
    path.write_text(text)
    assert resolve_layout(path).num_joints == 6


def test_the_document_s_configs_name_layouts(
    document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (text,) = blocks(document, "json")
    (tmp_path / "mine.json").write_text(text)
    monkeypatch.chdir(tmp_path)
    for code in blocks(document, "python"):
        names: dict[str, dict[str, object]] = {}
        exec(compile(code, "docs/layouts.md", "exec"), names)
        graph = Graph(**names["graph_cfg"])  # type: ignore[arg-type]
        features = dict(names["features"])
        assert GenSkeFeat(features["dataset"], features["feats"]).layout == graph.layout  # type: ignore[arg-type]


def test_the_document_lists_the_built_in_layouts(document: str) -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (\d+) \| (\d) \| (\S+)", document, flags=re.M)
    assert rows == [
        (name, str(layout.num_joints), str(layout.dim), layout.joint_names[layout.center])
        for name, layout in LAYOUTS.items()
    ]


def test_the_document_s_pictures_are_the_drawings(repo_root: Path, document: str) -> None:
    for name, layout in LAYOUTS.items():
        file = f"layouts/{name.replace('+', '')}.svg"
        assert f"({file})" in document
        assert (repo_root / "docs" / file).read_text(encoding="utf-8") == layout_svg(layout), (
            f"draw it again: python tools/data/layout.py {name} --svg docs/{file}"
        )
