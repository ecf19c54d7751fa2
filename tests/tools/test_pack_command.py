"""``tools/data/pack.py``, and training on what it makes."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tool_commands import Commands

from pyskl.datasets.pack import is_pack, open_pack


@pytest.fixture
def ann_file(tiny_ann_file: Path, tmp_path: Path) -> Path:
    """The tiny annotation file, in a folder of this test."""
    return Path(shutil.copy(tiny_ann_file, tmp_path / "tiny.pkl"))


def test_next_to_the_file_and_as_a_config_asks(
    commands: Commands, ann_file: Path, write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    config = write_tiny_config(tmp_path / "tiny.py", ann_file=ann_file)
    done = commands.quick("tools/data/pack.py", ann_file, "--config", config)
    assert done.status == 0, done.err
    (folder,) = filter(is_pack, (tmp_path / "tiny.pkl.packed").iterdir())
    assert str(folder) in done.err
    assert [transform["type"] for transform in open_pack(folder).precomputed] == ["PreNormalize3D"]


@pytest.mark.slow
def test_a_pack_trains_as_its_file_does(
    commands: Commands, ann_file: Path, write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    done = commands.quick("tools/data/pack.py", ann_file, "--out", tmp_path / "own.packed")
    assert done.status == 0, done.err
    scores = []
    for number, source in enumerate((ann_file, tmp_path / "own.packed")):
        config = write_tiny_config(tmp_path / f"{number}.py", ann_file=source, total_epochs=1)
        work_dir = tmp_path / f"work{number}"
        done = commands.quick("tools/train.py", config, "--work-dir", work_dir, "--test-last")
        assert done.status == 0, done.err
        scores.append((work_dir / "last_pred.pkl").read_bytes())
    assert scores[0] == scores[1]
    assert len(pickle.loads(scores[0])) == 10


def test_errors_are_reported_in_one_message(
    commands: Commands, ann_file: Path, tmp_path: Path
) -> None:
    for arguments, part in (
        ((tmp_path / "none.pkl",), "no such annotation file"),
        ((ann_file, "--out", tmp_path), "exists"),
        ((ann_file, "--config", tmp_path / "none.py"), "no such config file"),
    ):
        done = commands.quick("tools/data/pack.py", *arguments)
        assert done.status == 2
        assert part in done.err
        assert "Traceback" not in done.err


def test_a_refused_file_leaves_no_folder(commands: Commands, tmp_path: Path) -> None:
    path = tmp_path / "tiny.pkl"
    for content in (b"", pickle.dumps(Commands)):
        path.write_bytes(content)
        assert commands.quick("tools/data/pack.py", path).status == 2
        assert list(tmp_path.iterdir()) == [path]
