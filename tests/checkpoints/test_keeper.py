"""Which checkpoints go."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyskl.checkpoints.manager import Keeper

FILES = ["epoch_1.pth", "iter_20.pth", "iter_24.pth", "iter_28.pth", "iter_32.pth", "latest.pth"]


@pytest.mark.parametrize(
    ("resumed", "keep", "gone"),
    [
        ("iter_28.pth", 2, {"iter_20.pth"}),
        ("iter_28.pth", 1, {"iter_20.pth", "iter_24.pth"}),
        ("iter_28.pth", -1, set()),
        ("epoch_1.pth", 1, set()),
        ("latest.pth", 1, set()),  # a copy, where there are no links
        ("../iter_28.pth", 1, set()),  # of another run
    ],
)
def test_what_a_killed_run_had_no_time_to_delete_goes_when_it_is_resumed(
    tmp_path: Path, resumed: str, keep: int, gone: set[str]
) -> None:
    work_dir = tmp_path / "run"
    work_dir.mkdir()
    for name in [*FILES, "../iter_28.pth"]:
        (work_dir / name).touch()
    Keeper(work_dir, keep).tidy((work_dir / resumed).resolve())
    assert {path.name for path in work_dir.iterdir()} == set(FILES) - gone
