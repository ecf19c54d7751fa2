"""``tools/launch.py`` and the shell scripts that call it."""

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

Run = Callable[..., int]


@pytest.fixture
def launch(repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module, imported as the scripts in its folder import it; grace periods are short."""
    monkeypatch.syspath_prepend(repo_root / "tools")
    module = importlib.import_module("launch")
    monkeypatch.setattr(module, "GRACE_PERIOD", 0.5)
    monkeypatch.setattr(module, "STOP_GRACE_PERIOD", 0.5)
    yield module
    for name in ("launch", "_command"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        *(("dist_train.sh", rest) for rest in ([], ["config.py"])),
        *(("dist_test.sh", rest) for rest in (["config.py"], ["config.py", "best.pth"])),
        *(
            ("dist_train.sh", ["config.py", number])
            for number in ("two", "0", "-1", "1.5", "", "--validate", "²")
        ),
        ("dist_test.sh", ["config.py", "best.pth", "--eval", "top_k_accuracy"]),
    ],
)
def test_without_a_number_of_processes_one_message_says_so(
    commands: Commands, script: str, arguments: list[str]
) -> None:
    done = commands.real("bash", f"tools/{script}", *arguments)
    assert done.status == 2
    assert len(done.err.splitlines()) == 1
    assert done.err.startswith("error: ")
    assert "NUM_GPUS" in done.err
    assert f"bash tools/{script} CONFIG" in done.err
    assert done.out == ""


def test_environments(launch: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    for name in ("OMP_NUM_THREADS", "NNODES", "NODE_RANK", "PORT", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR")
    for processes, threads in ((1, "4"), (2, "2"), (3, "1"), (9, "1")):
        environments = launch.process_environments(processes)
        assert {one["OMP_NUM_THREADS"] for one in environments} == {threads}
        for rank, one in enumerate(environments):
            expected = [str(rank), str(rank), str(processes), str(processes), "127.0.0.1"]
            assert [one[name] for name in names] == expected
            assert 1024 <= int(one["MASTER_PORT"]) < 65536
    for name, value in (("OMP_NUM_THREADS", 7), ("NNODES", 2), ("NODE_RANK", 1)):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("MASTER_ADDR", "first")
    (one,) = launch.process_environments(1)
    assert [one[name] for name in names] == ["1", "0", "2", "1", "first"]
    assert (one["OMP_NUM_THREADS"], one["MASTER_PORT"]) == ("7", "29500")


SCRIPT = """
import json, os, signal, sys, time
rank = int(os.environ["RANK"])
attempt = int(os.environ["TORCHELASTIC_RESTART_COUNT"])
def end(status, message=None):
    if message:
        open(os.environ["TORCHELASTIC_ERROR_FILE"], "w").write(json.dumps({"message": message}))
    sys.exit(status)
"""


@pytest.fixture
def run(launch: ModuleType, tmp_path: Path) -> Run:
    """A function that starts two processes of a script and returns the exit status."""

    def run(body: str) -> int:
        script = tmp_path / "script.py"
        script.write_text(SCRIPT + body)
        return launch.main(["2", str(script)])

    return run


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("pass", 0, ""),
        ("end(2, 'no such key')", 2, "error: no such key\n"),
        ("end(69, 'a worker died') if rank else time.sleep(60)", 69, "error: a worker died\n"),
        ("end(1)", 1, "with exit status 1"),
        # Its death is the cause, whatever the others report.
        (
            "os.kill(os.getpid(), 9) if rank else (time.sleep(0.3), end(69, 'lost the other'))",
            137,
            "process 1 was the first to fail, with signal 9",
        ),
        # The one that failed first has nothing to say.
        ("end(1) if rank else (time.sleep(0.3), end(69, 'lost it'))", 69, "error: lost it\n"),
    ],
)
def test_a_failure_ends_all_with_one_message(
    run: Run, capsys: pytest.CaptureFixture[str], body: str, status: int, message: str
) -> None:
    begin = time.monotonic()
    assert run(body) == status
    assert time.monotonic() - begin < 20
    err = capsys.readouterr().err
    assert message in err
    assert err.count("error:") == int(status != 0)


def test_signals_reach_the_processes_once(run: Run, tmp_path: Path) -> None:
    body = f"""
seen = []
signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
open({str(tmp_path)!r} + f"/ready{{rank}}", "w").close()
while not seen:
    time.sleep(0.01)
time.sleep(0.3)
end(75 if seen == [1] else 1, "stopped")
"""

    def send() -> None:
        while not all((tmp_path / f"ready{rank}").exists() for rank in range(2)):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=send)
    thread.start()
    assert run(body) == 75
    thread.join()


def test_restarts(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_RESTARTS", "2")
    assert run("end(0 if attempt == 2 else 1)") == 0
    mark = f"open({str(tmp_path)!r} + '/starts', 'a').write('x')\n"
    assert run(f"{mark}end(2, 'wrong input')") == 2
    assert (tmp_path / "starts").read_text() == "xx"  # both processes, once
    assert run(f"{mark}end(1)") == 1
    assert (tmp_path / "starts").read_text() == "x" * 8
