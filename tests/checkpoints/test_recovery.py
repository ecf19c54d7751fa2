"""The newest checkpoint that can be read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pyskl.checkpoints.checkpoint import load_checkpoint, point_latest_to, save_checkpoint
from pyskl.checkpoints.recovery import newest_usable
from pyskl.errors import CheckpointError

PER_EPOCH = 6


def _save(folder: Path, name: str, iteration: int, *, latest: bool = False) -> Path:
    path = folder / f"{name}.pth"
    meta = {"iter": iteration, "epoch": iteration // PER_EPOCH, "iters_per_epoch": PER_EPOCH}
    save_checkpoint({"meta": meta, "state_dict": {"w": torch.ones(500)}, "optimizer": {}}, path)
    if latest:
        point_latest_to(path)
    return path


def _damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def test_an_undamaged_one_is_taken(tmp_path: Path) -> None:
    _save(tmp_path, "epoch_1", 6, latest=True)
    assert newest_usable(tmp_path) == (tmp_path / "latest.pth", None)


@pytest.mark.parametrize(
    ("older", "damaged", "taken"),
    [
        ({"epoch_1": 6, "epoch_2": 12}, ("epoch_3", 18), "epoch_2"),
        ({"epoch_1": 6, "iter_8": 8}, ("iter_12", 12), "iter_8"),
        ({"epoch_1": 6, "iter_4": 4}, ("epoch_2", 12), "epoch_1"),
        ({"iter_6": 6, "epoch_1": 6}, ("iter_8", 8), "epoch_1"),
        # Those that are ahead of it are of another run in the same folder.
        ({"epoch_1": 6, "epoch_16": 96, "iter_99": 99}, ("epoch_2", 12), "epoch_1"),
    ],
)
def test_the_one_before_a_damaged_one_is_taken_and_told(
    tmp_path: Path,
    older: dict[str, int],
    damaged: tuple[str, int],
    taken: str,
) -> None:
    for name, iteration in older.items():
        _save(tmp_path, name, iteration)
    _damage(_save(tmp_path, *damaged, latest=True))
    path, told = newest_usable(tmp_path)
    assert path == tmp_path / f"{taken}.pth"
    assert told is not None
    assert "damaged" in told
    assert f"going on from {path} instead" in told


def test_several_may_be_damaged(tmp_path: Path) -> None:
    for epoch in (1, 2, 3):
        path = _save(tmp_path, f"epoch_{epoch}", epoch * PER_EPOCH, latest=True)
        if epoch > 1:
            _damage(path)
    assert newest_usable(tmp_path)[0].name == "epoch_1.pth"


def test_a_damaged_copy_of_a_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(self: Path, target: str) -> None:
        raise OSError("not supported")

    monkeypatch.setattr(Path, "symlink_to", no_links)
    _save(tmp_path, "epoch_2", 12, latest=True)
    _damage(tmp_path / "latest.pth")
    assert newest_usable(tmp_path)[0].name == "epoch_2.pth"


def test_where_none_can_be_read_the_user_decides(tmp_path: Path) -> None:
    _damage(_save(tmp_path, "epoch_1", 6, latest=True))
    with pytest.raises(CheckpointError, match=r"no older checkpoint .* --resume, or delete"):
        newest_usable(tmp_path)
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "latest.pth")
