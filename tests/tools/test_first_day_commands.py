"""Command lines of the family, and mistakes of the first day: one clear message each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tool_commands import Commands


def test_the_checkpoint_as_an_option_and_swapped(
    commands: Commands, write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    config = write_tiny_config(tmp_path / "tiny.py", total_epochs=1)
    work = tmp_path / "work"
    assert commands.quick("tools/train.py", config, "--work-dir", work).status == 0
    plain = commands.quick("tools/test.py", config, work / "epoch_1.pth")
    for option in ("-C", "--checkpoint"):
        done = commands.quick("tools/test.py", config, option, work / "epoch_1.pth")
        assert (done.status, done.out) == (0, plain.out)
    swapped = commands.quick("tools/test.py", work / "epoch_1.pth", config)
    assert swapped.status == 2
    assert "swapped" in swapped.err
    assert commands.quick("tools/test.py", config).status == 2


def test_keys_without_effect_are_named_once(
    commands: Commands, write_tiny_config: Callable[..., Path], tmp_path: Path
) -> None:
    config = write_tiny_config(
        tmp_path / "tiny.py",
        custom_hooks=[dict(type="EMAHook")],
        momentum_config=dict(policy="cyclic", target_ratio=(0.85, 1)),
    )
    done = commands.quick("tools/train.py", config, "--dry-run", "--work-dir", tmp_path / "work")
    assert done.status == 0, done.err
    (line,) = (line for line in done.err.splitlines() if "custom_hooks" in line)
    assert "momentum_config" in line


def test_a_home_that_the_shell_left(
    commands: Commands,
    write_tiny_config: Callable[..., Path],
    tmp_path: Path,
) -> None:
    home = {"HOME": str(tmp_path)}
    config = write_tiny_config(tmp_path / "tiny.py", total_epochs=1, work_dir="~/mine")
    assert commands.quick("tools/train.py", config, env=home).status == 0
    assert (tmp_path / "mine" / "epoch_1.pth").exists()
    assert commands.quick("tools/train.py", config, "--work-dir=~/other", env=home).status == 0
    assert (tmp_path / "other" / "epoch_1.pth").exists()
