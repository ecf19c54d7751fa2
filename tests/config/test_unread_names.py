"""Telling helper variables from misspelt keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyskl.config.unread_names import config_files, unread_names


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "unread"),
    [
        ("modality = 'j'\nfeats = [modality]\n", {"feats"}),
        ("a, (b, c) = 1, (2, 3)\nd = a + c\n", {"b", "d"}),
        ("epochs: int = 3\n", {"epochs"}),
        ("epochs: int\n", set()),
        ("n = 3\ndef f():\n    return n\nx = f()\n", {"x"}),
        ("names = []\nnames[0] = 1\n", set()),
        ("a = b = 3\nc = a\n", {"b", "c"}),
        ("x = 3\ny = f'{x}'\n", {"y"}),
        ("x = (\n", set()),
        ("_base_ = str(1)\nx = 1\n", {"x"}),
    ],
)
def test_names_of_one_file(tmp_path: Path, text: str, unread: set[str]) -> None:
    assert unread_names(_write(tmp_path / "config.py", text)) == unread


@pytest.mark.parametrize(
    "use",
    ["_base_.helper.x", "_base_['helper']", "'{{_base_.helper}}'", "{{ _base_.helper.x }}"],
)
def test_names_of_a_base_are_read_by_other_files(tmp_path: Path, use: str) -> None:
    _write(tmp_path / "base.py", "helper = dict(x=1)\nslip = 2\n")
    path = _write(tmp_path / "config.py", f"_base_ = ['./base.py']\nseed = {use}\n")
    assert unread_names(path) == {"slip", "seed"}


def test_bases_are_found_once_and_in_order(tmp_path: Path) -> None:
    root = _write(tmp_path / "root.py", "_base_ = './a.py'\n")  # a circle
    a = _write(tmp_path / "a.py", "_base_ = './root.py'\n")
    b = _write(tmp_path / "b.py", "_base_ = './root.py'\n")
    bases = "['./a.py', './b.py', './c.yaml', './gone.py']"
    path = _write(tmp_path / "config.py", f"_base_ = {bases}\n")
    assert config_files(path) == [file.resolve() for file in (path, a, b, root)]
