"""Which checkpoints are kept, and which one a run continues from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pyskl.checkpoints.checkpoint import OpenedCheckpoint, open_checkpoint, save_checkpoint
from pyskl.checkpoints.manager import (
    CheckpointManager,
    SavePolicy,
    newest_usable,
    numbered_checkpoints,
    prune_checkpoints,
)
from pyskl.errors import CheckpointError
from pyskl.files.atomic import point_to

PER_EPOCH = 6


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture(params=["links", "no links"])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    """Whether the file system has links."""
    if request.param == "no links":

        def symlink_to(self: Path, target: str) -> None:
            raise OSError("not supported")

        monkeypatch.setattr(Path, "symlink_to", symlink_to)
    return request.param == "links"


# --- saving ---------------------------------------------------------------------------------------


def _content(iteration: int, **meta: Any) -> dict[str, Any]:
    meta |= {"iter": iteration, "epoch": iteration // PER_EPOCH, "iters_per_epoch": PER_EPOCH}
    return {"meta": meta, "state_dict": {"w": torch.full((500,), iteration)}, "optimizer": {}}


def test_a_run_keeps_the_newest_and_latest_points_to_it(tmp_path: Path, links: bool) -> None:
    manager = CheckpointManager(tmp_path, SavePolicy(max_keep=2))
    for epoch in (1, 2, 3):
        content = _content(epoch * PER_EPOCH)
        manager.save(content, f"epoch_{epoch}.pth")
        content["state_dict"]["w"] += 1  # training continues; the file must not notice
    manager.finish()
    assert _names(tmp_path) == {"epoch_2.pth", "epoch_3.pth", "latest.pth"}
    latest = tmp_path / "latest.pth"
    assert open_checkpoint(latest).state_dict["w"][0] == 3 * PER_EPOCH
    if links:
        assert os.readlink(latest) == "epoch_3.pth"  # relative, so that the folder can be moved


def test_an_interim_checkpoint_goes_when_the_next_is_safe(tmp_path: Path) -> None:
    manager = CheckpointManager(tmp_path, SavePolicy(max_keep=1))
    manager.save(_content(6), "epoch_1.pth")
    manager.save(_content(8, interim=True), "iter_8.pth", interim=True)
    manager.finish()
    assert _names(tmp_path) == {"epoch_1.pth", "iter_8.pth", "latest.pth"}
    resumed = CheckpointManager(tmp_path, SavePolicy(max_keep=1))
    resumed.resume_from(open_checkpoint(tmp_path / "latest.pth"))
    assert _names(tmp_path) == {"epoch_1.pth", "iter_8.pth", "latest.pth"}
    resumed.save(_content(12), "epoch_2.pth")
    resumed.finish()
    assert _names(tmp_path) == {"epoch_2.pth", "latest.pth"}


def test_the_previous_best_by_the_same_metric_goes(tmp_path: Path) -> None:
    manager = CheckpointManager(tmp_path, SavePolicy())
    for key, epoch in (("top1_acc", 1), ("top5_acc", 1), ("top1_acc", 2)):
        manager.save_best(_content(epoch), key, f"best_{key}_epoch_{epoch}.pth")
    manager.finish()
    assert _names(tmp_path) == {"best_top5_acc_epoch_1.pth", "best_top1_acc_epoch_2.pth"}


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (-1, [1, 2, 9, 10, 11]),
        (0, [1, 2, 9, 10, 11]),
        (1, [10, 11]),
        (2, [9, 10, 11]),
        (9, [1, 2, 9, 10, 11]),
    ],
)
def test_older_checkpoints_are_pruned(tmp_path: Path, keep: int, left: list[int]) -> None:
    for epoch in (1, 2, 9, 10, 11):  # 11 is of another run: it was there before 10 was written
        (tmp_path / f"epoch_{epoch}.pth").touch()
    others = ["best_top1_acc_epoch_1.pth", "epoch_1.pth.bak", "epoch_x.pth", "iter_1.pth"]
    for name in others:
        (tmp_path / name).touch()
    prune_checkpoints(tmp_path / "epoch_10.pth", keep)
    assert [number for number, _ in numbered_checkpoints(tmp_path, "epoch")] == left
    assert set(others) <= _names(tmp_path)


FILES = {"epoch_1.pth", "iter_20.pth", "iter_24.pth", "iter_28.pth", "iter_32.pth", "latest.pth"}


@pytest.mark.parametrize(
    ("resumed", "keep", "deleted"),
    [
        ("iter_28.pth", 2, {"iter_20.pth"}),
        ("iter_28.pth", 1, {"iter_20.pth", "iter_24.pth"}),
        ("iter_28.pth", -1, set()),
        ("epoch_1.pth", 1, set()),
        ("latest.pth", 1, set()),  # a copy, where there are no links
        ("../iter_28.pth", 1, set()),  # of another run
    ],
)
def test_a_resumed_run_deletes_what_a_kill_kept_it_from_deleting(
    tmp_path: Path, resumed: str, keep: int, deleted: set[str]
) -> None:
    work_dir = tmp_path / "run"
    work_dir.mkdir()
    for name in [*FILES, "../iter_28.pth"]:
        (work_dir / name).touch()
    checkpoint = OpenedCheckpoint(work_dir / resumed, resumed, "", {}, {})  # type: ignore[arg-type]
    CheckpointManager(work_dir, SavePolicy(max_keep=keep)).resume_from(checkpoint)
    assert _names(work_dir) == FILES - deleted


# --- the newest that can be read ------------------------------------------------------------------


def _save(folder: Path, name: str, iteration: int, *, damaged: bool = False) -> Path:
    path = folder / f"{name}.pth"
    save_checkpoint(_content(iteration), path)
    if damaged:
        point_to(folder / "latest.pth", path)
        path.write_bytes(path.read_bytes()[:-200])
    return path


def test_an_undamaged_latest_is_taken(tmp_path: Path) -> None:
    point_to(tmp_path / "latest.pth", _save(tmp_path, "epoch_1", 6))
    checkpoint, damage = newest_usable(tmp_path)
    assert (checkpoint.path, damage) == (tmp_path / "latest.pth", None)


@pytest.mark.parametrize(
    ("older", "damaged", "taken"),
    [
        ({"epoch_1": 6, "epoch_2": 12}, {"epoch_3": 18}, "epoch_2"),
        ({"epoch_1": 6, "iter_8": 8}, {"iter_12": 12}, "iter_8"),
        ({"epoch_1": 6, "iter_4": 4}, {"epoch_2": 12}, "epoch_1"),
        ({"iter_6": 6, "epoch_1": 6}, {"iter_8": 8}, "epoch_1"),
        ({"epoch_1": 6}, {"epoch_2": 12, "epoch_3": 18}, "epoch_1"),
        # Those that are further than it are of another run in the same folder.
        ({"epoch_1": 6, "epoch_16": 96, "iter_99": 99}, {"epoch_2": 12}, "epoch_1"),
    ],
)
def test_the_one_before_a_damaged_one_is_taken(
    tmp_path: Path, older: dict[str, int], damaged: dict[str, int], taken: str
) -> None:
    for name, iteration in older.items():
        _save(tmp_path, name, iteration)
    for name, iteration in damaged.items():
        _save(tmp_path, name, iteration, damaged=True)
    checkpoint, damage = newest_usable(tmp_path)
    assert checkpoint.path == tmp_path / f"{taken}.pth"
    assert damage is not None
    assert damage.file == str(tmp_path / "latest.pth")


def test_the_checkpoint_itself_is_taken_if_its_copy_is_damaged(tmp_path: Path) -> None:
    _save(tmp_path, "epoch_2", 12)
    (tmp_path / "latest.pth").write_bytes(b"PK half a copy")
    assert newest_usable(tmp_path)[0].path.name == "epoch_2.pth"


def test_if_none_can_be_read_the_user_decides(tmp_path: Path) -> None:
    _save(tmp_path, "epoch_1", 6, damaged=True)
    with pytest.raises(CheckpointError) as error:
        newest_usable(tmp_path)
    assert error.value.file == str(tmp_path)
    assert error.value.hint is not None
    assert "--resume" in error.value.hint
