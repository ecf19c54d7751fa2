"""What :func:`pyskl.drawing.visualize.visualize` refuses, before anything is written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pyskl.drawing.visualize import DrawSettings, visualize
from pyskl.errors import InputError


@pytest.fixture
def ann_file(tiny_ann_file: Path, tmp_path: Path) -> Path:
    """The tiny annotation file, in a folder of this test."""
    return Path(shutil.copy(tiny_ann_file, tmp_path / "tiny.pkl"))


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"out": "a.bmp"}, "--out"),
        ({"out": "tiny.pkl/a.png"}, None),
        ({"layout": "coco"}, "keypoint"),
        ({"layout": "cocoa"}, None),
        ({"video": "film.mp4"}, None),
        ({"video": "film.mp4", "pipeline": "c.py"}, "--video"),
        ({"stream": "b", "pipeline": "c.py"}, "--stream"),
        ({"size": 7}, "size"),
        ({"fps": float("nan")}, "fps"),
        ({"frames": 0}, "frames"),
    ],
)
def test_problems(
    ann_file: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], key: str | None
) -> None:
    monkeypatch.chdir(ann_file.parent)
    with pytest.raises(InputError) as raised:
        visualize(ann_file, DrawSettings(**settings))
    assert key in (None, raised.value.key)
    assert list(ann_file.parent.iterdir()) == [ann_file]


def test_what_is_drawn_is_never_written_over(ann_file: Path) -> None:
    link = ann_file.with_name("a.png")
    link.symlink_to(ann_file)
    before = ann_file.read_bytes()
    with pytest.raises(InputError):
        visualize(ann_file, DrawSettings(out=link))
    assert ann_file.read_bytes() == before


def test_a_folder_that_can_not_be_written_is_told(
    ann_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyskl.drawing.visualize.replace_with", full)
    with pytest.raises(InputError) as raised:
        visualize(ann_file, DrawSettings(out=ann_file.with_name("a.svg")))
    assert raised.value.file == str(ann_file.with_name("a.svg"))


def test_classes_are_named_where_names_are_known(ann_file: Path) -> None:
    out = ann_file.parent / "not" / "there" / "a.html"
    names_file = ann_file.with_name("tiny.pkl.labels.txt")
    names_file.write_text("bow\nkick\n", encoding="utf-8")
    for sample, words in (("clip1", "1 (kick)"), ("clip2", "2")):
        visualize(ann_file, DrawSettings(out=out, sample=sample))
        page = out.read_text(encoding="utf-8")
        assert f"label {words}" in page
        assert f'label</td><td class="text">{words}</td>' in page


def test_one_call_draws(ann_file: Path) -> None:
    out = ann_file.with_name("a.svg")
    assert visualize(ann_file, DrawSettings(out=out, sample="clip3", stream="jm")) == out
    assert "clip3" in out.read_text(encoding="utf-8")
