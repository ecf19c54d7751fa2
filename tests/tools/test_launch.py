"""``tools/launch.py`` and the shell scripts on top of it."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from tool_commands import Commands
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure


@pytest.fixture
def launch(repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module, imported as it is by its own folder's scripts."""
    monkeypatch.syspath_prepend(repo_root / "tools")
    yield importlib.import_module("launch")
    for name in ("launch", "_command"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("script", "arguments", "usage"),
    [
        ("dist_train.sh", [], "bash tools/dist_train.sh CONFIG NUM_GPUS"),
        ("dist_train.sh", ["config.py"], "bash tools/dist_train.sh CONFIG NUM_GPUS"),
        ("dist_test.sh", ["config.py", "best.pth"], "bash tools/dist_test.sh CONFIG CHECKPOINT"),
    ],
)
def test_too_few_arguments_are_answered_with_the_usage(
    commands: Commands, script: str, arguments: list[str], usage: str
) -> None:
    done = commands.real("bash", f"tools/{script}", *arguments)
    assert done.status == 2
    assert usage in done.err
    assert "NNODES" in done.err
    assert done.out == ""


@pytest.mark.parametrize("number", ["two", "0", "-1"])
def test_a_number_of_processes_that_is_none_is_answered_with_the_usage(
    commands: Commands, number: str
) -> None:
    done = commands.real("bash", "tools/dist_train.sh", "config.py", number)
    assert done.status == 2
    assert "NPROC" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(("processes", "threads"), [(1, "4"), (2, "2"), (3, "1"), (9, "1")])
def test_processes_share_the_cores(
    launch: ModuleType, monkeypatch: pytest.MonkeyPatch, processes: int, threads: str
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    monkeypatch.delenv("OMP_NUM_THREADS")
    launch._share_cores(processes)
    assert os.environ["OMP_NUM_THREADS"] == threads


def test_a_choice_of_threads_is_respected(
    launch: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    launch._share_cores(2)
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_machines_agree_on_a_port_and_processes_of_one_find_a_free_one(launch: ModuleType) -> None:
    assert launch._free_port(nodes=2) == 29500
    assert 1024 <= launch._free_port(nodes=1) < 65536


def failure(timestamp: int, exitcode: int, error_file: Path) -> ProcessFailure:
    """Return what torch says of a process that failed."""
    found = ProcessFailure(local_rank=0, pid=100, exitcode=exitcode, error_file=str(error_file))
    found.timestamp = timestamp
    return found


@pytest.mark.parametrize(
    ("exitcode", "status", "told"),
    [
        (2, 2, "error: no such key\n"),
        (1, 1, "error: process 1 was the first to fail, with exit status 1;"),
        (-9, 137, "with signal 9"),
    ],
)
def test_the_first_failure_is_told_with_its_status(
    launch: ModuleType,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    exitcode: int,
    status: int,
    told: str,
) -> None:
    left = tmp_path / "error.json"
    left.write_text('{"message": "no such key"}')
    failures = {
        0: failure(20, 1, tmp_path / "nothing.json"),
        1: failure(10, exitcode, left),
    }
    assert launch._tell(SimpleNamespace(failures=failures)) == status
    assert told in capsys.readouterr().err


@pytest.mark.slow
def test_a_process_that_is_killed_is_reported_with_its_signal(
    commands: Commands, tmp_path: Path
) -> None:
    script = tmp_path / "killed.py"
    script.write_text(
        "import os, signal, time\n"
        "if os.environ['RANK'] == '1': os.kill(os.getpid(), signal.SIGKILL)\n"
        "time.sleep(60)\n"
    )
    done = commands.quick("tools/launch.py", 2, script)
    assert done.status == 137
    assert done.err.splitlines()[-1].startswith("error: process 1 ")
    assert "signal 9" in done.err
    assert "Traceback" not in done.err
