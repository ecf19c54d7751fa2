"""``tools/launch.py`` and the shell scripts on top of it."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from tool_commands import Commands


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


@pytest.mark.parametrize(
    ("code", "message", "status", "told"),
    [
        (2, "no such key", 2, "error: no such key\n"),
        (75, "stopped by SIGTERM", 75, "error: stopped by SIGTERM\n"),
        (1, None, 1, "error: process 1 was the first to fail, with exit status 1;"),
        (-9, None, 137, "with signal 9"),
    ],
)
def test_a_failure_is_told_with_its_status(
    launch: ModuleType,
    capsys: pytest.CaptureFixture[str],
    code: int,
    message: str | None,
    status: int,
    told: str,
) -> None:
    failure = launch.Failure(1, code, message)
    failure.tell()
    assert failure.status == status
    assert told in capsys.readouterr().err


SCRIPT = """
import json, os, signal, sys, time
rank = int(os.environ["RANK"])
def end(status, message=None):
    if message:
        open(os.environ["TORCHELASTIC_ERROR_FILE"], "w").write(json.dumps({"message": message}))
    sys.exit(status)
"""


@pytest.fixture
def run(launch: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """A function that starts two processes of a script, with the grace periods shortened."""
    monkeypatch.setattr(launch, "GRACE", 0.5)
    monkeypatch.setattr(launch, "GRACE_TO_STOP", 0.5)

    def run(body: str) -> int:
        script = tmp_path / "script.py"
        script.write_text(SCRIPT + body)
        return launch.main(["2", str(script)])

    return run


def test_all_end_well(run: Callable[..., int], tmp_path: Path) -> None:
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR")
    body = f"open({str(tmp_path)!r} + f'/{{rank}}', 'w').write(' '.join(os.environ[n] for n in "
    assert run(f"{body}{names!r}))") == 0
    assert (tmp_path / "0").read_text() == "0 0 2 2 127.0.0.1"
    assert (tmp_path / "1").read_text() == "1 1 2 2 127.0.0.1"


def test_one_that_fails_ends_the_others(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    begin = time.monotonic()
    assert run("end(69, 'a worker died') if rank == 1 else time.sleep(60)") == 69
    assert time.monotonic() - begin < 20
    assert capsys.readouterr().err == "error: a worker died\n"


def test_one_that_is_killed_is_named_whatever_the_others_say(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    body = "os.kill(os.getpid(), 9) if rank == 1 else (time.sleep(0.3), end(69, 'lost the other'))"
    assert run(body) == 137
    assert "process 1 was the first to fail, with signal 9" in capsys.readouterr().err


def test_signals_reach_the_processes_once(run: Callable[..., int], tmp_path: Path) -> None:
    body = f"""
seen = []
signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
open({str(tmp_path)!r} + f"/ready{{rank}}", "w").close()
while not seen:
    time.sleep(0.01)
time.sleep(0.3)
end(75 if seen == [1] else 1, "stopped")
"""

    def ask() -> None:
        while not all((tmp_path / f"ready{rank}").exists() for rank in range(2)):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGUSR1)

    asking = threading.Thread(target=ask)
    asking.start()
    assert run(body) == 75
    asking.join()


def test_a_failure_is_started_again_as_often_as_asked(
    run: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_RESTARTS", "2")
    count = "attempt = os.environ['TORCHELASTIC_RESTART_COUNT']\n"
    assert run(f"{count}end(0 if attempt == '2' else 1)") == 0
    assert run(f"{count}end(1)") == 1
    mark = f"open({str(tmp_path)!r} + '/starts', 'a').write('x')\n"
    assert run(f"{mark}end(2, 'the input is at fault')") == 2
    assert (tmp_path / "starts").read_text() == "xx"  # both processes, once


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
