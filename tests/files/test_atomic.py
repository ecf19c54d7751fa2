"""Files that are whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pyskl.files.atomic import (
    AtomicFile,
    point_to,
    remove_partial_files,
    replace_with,
    unwritable,
    write_text,
)


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
    assert str(path) in str(unwritable(path / "b"))


def test_what_a_killed_process_left_goes_and_nothing_else(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    running = os.getppid()
    for name in (
        f".epoch_1.pth.{ended.pid}-0123abcd.partial",
        f".a.{os.getpid()}-01234567.partial",
    ):
        (tmp_path / name).touch()
    kept = {
        *("epoch_1.pth", ".partial", "a.partial", ".hidden", ".notes.txt.partial"),
        f".pred.jsonl.{running}-0123abcd.partial",
    }
    for name in kept:
        (tmp_path / name).touch()
    folder = tmp_path / f".folder.{ended.pid}-0123abcd.partial"
    folder.mkdir()
    remove_partial_files(tmp_path)
    assert {one.name for one in tmp_path.iterdir()} == {*kept, folder.name}


def _write_in_pieces(path: Path, text: str) -> None:
    file = AtomicFile(path)
    try:
        for letter in text:
            file.file.write(letter.encode())
        file.commit()
    finally:
        file.close()


WRITERS = [write_text, _write_in_pieces]


def test_a_file_that_is_not_committed_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    file = AtomicFile(path)
    file.file.write(b"new")
    assert path.read_text() == "old"
    file.close()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_content_is_on_the_disk_before_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("fsync"), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("replace"), replace(a, b)))
    for write in (write_text, _write_in_pieces):
        write(tmp_path / "a", "text")
    assert calls == ["fsync", "replace", "fsync"] * 2  # the file, its name, the folder


@pytest.mark.parametrize("write", WRITERS)
def test_links_and_permissions_stay(tmp_path: Path, write: Callable[[Path, str], None]) -> None:
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "a.json", tmp_path / "a.json"
    link.symlink_to(target)
    write(link, "new")  # the link led nowhere
    assert target.read_text() == "new"
    target.chmod(0o600)
    write(link, "newer")
    assert link.is_symlink()
    assert target.read_text() == "newer"
    assert target.stat().st_mode & 0o777 == 0o600
    assert unwritable(link) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("write", WRITERS)
def test_pipes_are_written_to(tmp_path: Path, write: Callable[[Path, str], None]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert unwritable(pipe) is None
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_text)
        write(pipe, "new")
        assert read.result() == "new"
    assert pipe.is_fifo()


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("letter", ["x", "骨"])
def test_names_may_be_as_long_as_the_system_takes(
    tmp_path: Path, letter: str, write: Callable[[Path, str], None]
) -> None:
    path = tmp_path / (letter * (255 // len(letter.encode())))
    write(path, "new")
    assert path.read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_link_that_is_there_is_replaced(tmp_path: Path) -> None:
    link = tmp_path / "latest"
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
        point_to(link, tmp_path / name)
        assert link.read_text() == name
    assert {one.name for one in tmp_path.iterdir()} == {"a", "b", "latest"}


def test_where_no_link_can_be_made_the_old_target_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "latest"
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    point_to(link, tmp_path / "a")

    def refuse(*_: object) -> None:
        raise OSError("no space left for one more link")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    point_to(link, tmp_path / "b")
    assert link.read_text() == "b"
    assert (tmp_path / "a").read_text() == "a"
