"""Training runs whose processes can be killed, and start without the seconds of importing torch.

A process that has imported torch forks itself for each process of a run and executes
``tools/train.py`` there, as ``python tools/train.py ...`` does.
"""

from __future__ import annotations

import os
import runpy
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TRAIN = ROOT / "tools" / "train.py"


@dataclass
class Job:
    """A run that is under way.

    Attributes:
        pids: Of its processes, by rank.
        statuses: Exit statuses of those that have ended, negative for a signal; by rank.
    """

    pids: list[int]
    statuses: dict[int, int] = field(default_factory=dict)

    def poll(self) -> bool:
        """Look who has ended; return whether all have."""
        for rank, pid in enumerate(self.pids):
            if rank not in self.statuses:
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    self.statuses[rank] = os.waitstatus_to_exitcode(status)
        return len(self.statuses) == len(self.pids)

    def wait(self, seconds: float) -> bool:
        """Wait until all have ended, for so long; return whether they have."""
        end = time.monotonic() + seconds
        while not self.poll():
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True

    def send(self, number: int, *ranks: int) -> None:
        """Send a signal to some of the processes, by default to all."""
        for rank in ranks or range(len(self.pids)):
            if rank not in self.statuses:
                os.kill(self.pids[rank], number)


def start(
    arguments: list[str],
    folder: Path,
    *,
    processes: int = 1,
    prepare: Callable[[int], None] | None = None,
) -> Job:
    """Start ``tools/train.py`` in a folder.

    Args:
        arguments: Of the command line.
        folder: The working directory; what is printed goes to ``output_<rank>.txt`` in it.
        processes: How many.
        prepare: Is called in each of them with its rank, before the tool runs.
    """
    port = _free_port()
    pids = []
    for rank in range(processes):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                status = _run(arguments, folder, rank, processes, port, prepare)
            finally:
                os._exit(status)
        pids.append(pid)
    return Job(pids)


def _run(
    arguments: list[str],
    folder: Path,
    rank: int,
    processes: int,
    port: int,
    prepare: Callable[[int], None] | None,
) -> int:
    os.setpgid(0, 0)
    os.chdir(folder)
    output = os.open(f"output_{rank}.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = [str(TRAIN), *arguments]
    if processes > 1:
        sys.argv += ["--launcher", "pytorch"]
        os.environ.update(
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE=str(processes),
            LOCAL_WORLD_SIZE=str(processes),
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=str(port),
        )
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.path.insert(0, str(TRAIN.parent))
    if prepare is not None:
        prepare(rank)
    try:
        runpy.run_path(str(TRAIN), run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
