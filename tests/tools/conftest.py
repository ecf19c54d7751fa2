"""The tools, and finished runs that tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tool_commands import ALL_TESTS, Commands, Run


@pytest.fixture(scope="session")
def commands(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """Runs the tools; see :class:`Commands`."""
    runner = Commands(repo_root, tmp_path_factory.mktemp("commands"))
    yield runner
    runner.close()


@pytest.fixture(scope="session")
def train(commands: Commands, write_tiny_config: Callable[..., Path]) -> Callable[..., Run]:
    """A function that trains in a folder: ``train(folder, *options, **changes of the config)``."""

    def train(folder: Path, *options: object, name: str = "work", **changes: Any) -> Run:
        config = write_tiny_config(folder / "tiny.py", **changes)
        work_dir = folder / name
        done = commands.quick("tools/train.py", config, "--work-dir", work_dir, *options)
        assert done.status == 0, done.err
        return Run(config, work_dir, done)

    return train


@pytest.fixture(scope="session")
def trained(
    commands: Commands,
    write_tiny_config: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    """A training of two epochs in one process, with all tests; nobody may write to it."""
    folder = tmp_path_factory.mktemp("trained")
    config, work_dir = write_tiny_config(folder / "tiny.py"), folder / "work"
    done = commands.quick("tools/train.py", config, "--work-dir", work_dir, *ALL_TESTS)
    assert done.status == 0, done.err
    return Run(config, work_dir, done)


@pytest.fixture(scope="session")
def trained_by_two(
    commands: Commands,
    write_tiny_config: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    """The same in two processes, started by the script; nobody may write to it."""
    folder = tmp_path_factory.mktemp("trained_by_two")
    config, work_dir = write_tiny_config(folder / "tiny.py"), folder / "work"
    done = commands.real(
        "bash", "tools/dist_train.sh", config, 2, "--work-dir", work_dir, *ALL_TESTS
    )
    assert done.status == 0, done.err
    return Run(config, work_dir, done)
