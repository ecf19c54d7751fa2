"""``tools/print_config.py``: what a config amounts to."""

from __future__ import annotations

from pathlib import Path

import pytest
from tool_commands import Commands

from pyskl.config import known_part, load_config

CONFIG = "configs/stgcn/stgcn_pyskl_ntu60_xsub_3dkp/j.py"
OWN_LAYOUT = "configs/stgcn/stgcn_hdm05/j.py"


def test_what_is_printed_is_a_config_of_the_same_meaning(
    commands: Commands, repo_root: Path, tmp_path: Path
) -> None:
    done = commands.quick("tools/print_config.py", repo_root / OWN_LAYOUT)
    assert done.status == 0, done.err
    (tmp_path / "printed.py").write_text(done.out)
    printed = load_config(tmp_path / "printed.py").to_dict()
    assert printed == known_part(load_config(repo_root / OWN_LAYOUT))
    assert "_base_" not in done.out
    assert "stream" not in printed  # a helper variable of the file


def test_overrides_show(commands: Commands, repo_root: Path) -> None:
    done = commands.quick(
        *("tools/print_config.py", repo_root / CONFIG),
        *("--cfg-options", "total_epochs=3", "data.train.dataset.pipeline.0.type=Mine"),
    )
    assert done.status == 0, done.err
    assert "total_epochs = 3\n" in done.out
    assert "type='Mine'" in done.out


@pytest.mark.parametrize(
    ("config", "options", "parts"),
    [
        ("missing.py", (), ("missing.py", "no such config file")),
        (CONFIG, ("--cfg-options", "totl_epochs=3"), ("totl_epochs", "'total_epochs'")),
        (CONFIG, ("--cfg-options", "total_epochs"), ("key=value",)),
        (CONFIG, ("--nonsense",), ("unrecognized arguments: --nonsense", "usage: ")),
    ],
)
def test_errors_are_reported_in_one_message(
    commands: Commands, repo_root: Path, config: str, options: tuple[str, ...], parts: tuple[str]
) -> None:
    done = commands.quick("tools/print_config.py", repo_root / config, *options)
    assert done.status == 2
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
    for part in parts:
        assert part in done.err
