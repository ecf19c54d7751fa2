"""``tools/train.py --dry-run``: what it prints, and that it leaves nothing behind."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tool_commands import ALL_TESTS, Commands, Run


def snapshot(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return size and time of change of all that is below a folder."""
    found = {path: path.lstat() for path in folder.rglob("*")}
    return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in found.items()}


def lines_of(out: str) -> dict[str, str]:
    """Return the lines of a report by what they begin with; of several the first."""
    pairs = [line.strip().partition("  ") for line in out.splitlines()]
    return {name: value.strip() for name, _, value in reversed(pairs)}


@pytest.mark.parametrize(
    "options",
    [(), ALL_TESTS, ("--amp", "bf16", "--cfg-options", "data.device=auto", "seed=7")],
    ids=["plain", "tests", "device"],
)
def test_a_dry_run_says_what_a_run_would_be_and_leaves_nothing(
    commands: Commands,
    write_tiny_config: Callable[..., Path],
    tmp_path: Path,
    options: tuple[str, ...],
) -> None:
    config = write_tiny_config(tmp_path / "tiny.py")
    before = snapshot(tmp_path)
    command = ("tools/train.py", config, "--work-dir", tmp_path / "work", "--dry-run", *options)
    done = commands.quick(*command, env={"TMPDIR": str(tmp_path)})
    assert done.status == 0, done.err
    assert snapshot(tmp_path) == before
    assert done.out.startswith(f"dry run of {config}: nothing is written to {tmp_path}/work\n")
    found = lines_of(done.out)
    assert found["epoch"] == "24 samples in 6 steps of 4"
    assert found["start"] == ("a new run; seed 7" if "seed=7" in options else "a new run; seed 1")
    assert found["computing"] == f"CPU, 1 process{', bf16' if 'bf16' in options else ''}"
    assert {"a validation", "a test"} <= found.keys() or options != ALL_TESTS
    assert found["class"].split() == ["train", *(["val", "test"] if options == ALL_TESTS else [])]
    assert "Traceback" not in done.err


def test_data_workers_are_tried_too(
    commands: Commands, write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    config = write_tiny_config(tmp_path / "tiny.py", data__workers_per_gpu=2)
    done = commands.quick("tools/train.py", config, "--validate", "--dry-run")
    assert done.status == 0, done.err
    assert not (commands.scratch / "work_dirs").exists()


def test_a_finished_run_stays_as_it_is(commands: Commands, trained: Run, tmp_path: Path) -> None:
    work_dir = Path(shutil.copytree(trained.work_dir, tmp_path / "work", symlinks=True))
    before = snapshot(tmp_path)
    command = ("tools/train.py", trained.config, "--work-dir", work_dir, "--dry-run")
    done = commands.quick(*command, "--resume", "--cfg-options", "total_epochs=5")
    assert done.status == 0, done.err
    assert lines_of(done.out)["start"] == (
        f"continues from {work_dir}/epoch_2.pth: 2 of 5 epochs and 12 steps are done; seed 1"
    )
    assert "\n  3 epochs left" in done.out
    assert snapshot(tmp_path) == before


def test_problems_are_those_of_a_training(
    commands: Commands, write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    config = write_tiny_config(tmp_path / "tiny.py", ann_file=tmp_path / "none.pkl")
    told = [
        commands.quick("tools/train.py", config, "--work-dir", tmp_path / "work", *options)
        for options in (("--dry-run",), ())
    ]
    assert [done.status for done in told] == [2, 2]
    assert told[0].err == told[1].err
    assert "there is no such annotation file" in told[0].err
    assert not (tmp_path / "work").exists()


@pytest.mark.slow
def test_several_processes_report_once(
    commands: Commands, write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    config = write_tiny_config(tmp_path / "tiny.py")
    command = ("bash", "tools/dist_train.sh", config, 2, "--work-dir", tmp_path / "work")
    done = commands.real(*command, "--dry-run", *ALL_TESTS)
    assert done.status == 0, done.err
    assert done.out.count("dry run of") == 1
    found = lines_of(done.out)
    assert found["computing"] == "CPU, 2 processes"
    assert found["epoch"] == "24 samples in 3 steps of 8"
    assert "a step takes 8 clips, but lr 0.05 is meant for 4" in done.err
    assert not (tmp_path / "work").exists()
    failed = commands.real(*command, "--dry-run", "--cfg-options", "optimizer.lr=1e30")
    assert failed.status == 2
    assert failed.err.count("became non-finite in iteration 2 of epoch 1") == 1


@pytest.mark.slow
def test_a_compiled_backbone(
    commands: Commands, write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    if not any(shutil.which(name) for name in ("c++", "g++", "clang++")):
        pytest.skip("torch.compile needs a C++ compiler")
    small = dict(
        data__train__split="val",
        data__videos_per_gpu=10,  # one step
        model__backbone__num_stages=2,
        model__backbone__down_stages=[],
    )
    config = write_tiny_config(tmp_path / "tiny.py", **small)
    done = commands.quick("tools/train.py", config, "--dry-run", "--compile")
    assert done.status == 0, done.err
    assert "a later step" not in done.out
    assert lines_of(done.out)["computing"] == "CPU, 1 process, compiled"


@pytest.mark.gpu
def test_on_a_gpu(
    commands: Commands, write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    config = write_tiny_config(tmp_path / "tiny.py")
    command = ("python", "tools/train.py", config, "--work-dir", tmp_path / "work", "--dry-run")
    done = commands.real(*command, "--validate", env={"CUDA_VISIBLE_DEVICES": "0"})
    assert done.status == 0, done.err
    found = lines_of(done.out)
    assert found["computing"] == f"{torch.cuda.get_device_name(0)}, 1 process"
    assert " GB a process at most, " in found["memory"]
