"""Files that are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyskl.durable import point_to, remove_partial_files, replace_with, unwritable


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")

    def half(partial: Path) -> None:
        partial.write_text("ne")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        replace_with(path, half)
    assert path.read_text() == "old"
    replace_with(path, lambda partial: partial.touch() or partial.write_bytes(b"new"))
    assert path.read_text() == "new"
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_the_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there" / "a"
    assert unwritable(path) is None
    replace_with(path, lambda partial: partial.touch())
    assert path.is_file()
    assert unwritable(path.parent) == "it is a folder"
    assert unwritable(path / "b") == f"{path} is no folder to write to"


def test_what_a_killed_process_left_goes_and_nothing_else(tmp_path: Path) -> None:
    for name in (".epoch_1.pth.123.partial", ".latest.pth.9.partial"):
        (tmp_path / name).touch()
    kept = {"epoch_1.pth", ".partial", "a.partial", ".hidden"}
    for name in kept:
        (tmp_path / name).touch()
    remove_partial_files(tmp_path)
    assert {one.name for one in tmp_path.iterdir()} == kept


def test_a_link_that_is_there_is_replaced(tmp_path: Path) -> None:
    link = tmp_path / "latest"
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
        point_to(link, tmp_path / name)
        assert link.read_text() == name
    assert {one.name for one in tmp_path.iterdir()} == {"a", "b", "latest"}
