"""Start a tool in several processes: python tools/launch.py NPROC SCRIPT [ARGUMENTS ...]

Finds a free port, shares the CPU's cores out to the processes, passes signals on to them, and ends
all as soon as one has failed: with one message that names it, and with its exit status.

Several machines: NNODES, NODE_RANK, MASTER_ADDR and PORT from the environment. MAX_RESTARTS=N there
starts all again up to N times after a failure; a training then goes on from its last checkpoint.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from _command import ERROR_FILE, LAUNCHED

# Exit statuses that starting again does not help: the input's fault, stopped on request, Ctrl-C.
FINAL = (2, 75, 130)

# Seconds that the others get to end by themselves once one has ended with an error. One that has
# stopped on request may still be waiting for a checkpoint to be written.
GRACE = 5.0
GRACE_TO_STOP = 60.0

_POLL = 0.05
_FORWARDED = ("SIGTERM", "SIGINT", "SIGUSR1")


@dataclass(frozen=True)
class Job:
    """What to start.

    Attributes:
        processes: How many on this machine.
        command: The script and its arguments.
        nodes: Machines.
        node: The number of this one.
        address: Of the first machine.
        port: Likewise.
    """

    processes: int
    command: list[str]
    nodes: int = 1
    node: int = 0
    address: str = "127.0.0.1"
    port: int = 0

    def environment(self, local_rank: int, error_file: Path, attempt: int) -> dict[str, str]:
        """Return what a process is told of its place."""
        return {
            **os.environ,
            "RANK": str(self.node * self.processes + local_rank),
            "LOCAL_RANK": str(local_rank),
            "WORLD_SIZE": str(self.nodes * self.processes),
            "LOCAL_WORLD_SIZE": str(self.processes),
            "MASTER_ADDR": self.address,
            "MASTER_PORT": str(self.port or _free_port(self.nodes)),
            "TORCHELASTIC_RESTART_COUNT": str(attempt),
            LAUNCHED: "1",
            ERROR_FILE: str(error_file),
        }


@dataclass(frozen=True)
class Failure:
    """How a process failed.

    Attributes:
        rank: Its number on this machine.
        code: As :class:`subprocess.Popen` tells it: negative for a signal.
        message: What it left to be told, if anything.
    """

    rank: int
    code: int
    message: str | None = None

    @property
    def status(self) -> int:
        """The exit status that stands for it."""
        return self.code if self.code > 0 else 128 - self.code

    def tell(self) -> None:
        """Print what the user should know."""
        if self.message:
            print(f"error: {self.message}", file=sys.stderr)
            return
        how = f"signal {-self.code}" if self.code < 0 else f"exit status {self.code}"
        print(
            f"error: process {self.rank} was the first to fail, with {how}; what it printed is "
            "above",
            file=sys.stderr,
        )


def main(arguments: list[str]) -> int:
    """Start the processes and wait for them; return the exit status."""
    if len(arguments) < 2 or not arguments[0].isdigit() or int(arguments[0]) < 1:
        print(__doc__, file=sys.stderr)
        return 2
    processes, *command = arguments
    _share_cores(int(processes))
    nodes = int(os.environ.get("NNODES", "1"))
    job = Job(
        int(processes),
        [*command, "--launcher", "pytorch"],
        nodes=nodes,
        node=int(os.environ.get("NODE_RANK", "0")),
        address=os.environ.get("MASTER_ADDR", "127.0.0.1"),
        port=int(os.environ.get("PORT") or 0),
    )
    restarts = int(os.environ.get("MAX_RESTARTS", "0"))
    for attempt in range(restarts + 1):
        failure = run(job, attempt)
        if failure is None:
            return 0
        failure.tell()
        if failure.status in FINAL or attempt == restarts:
            return failure.status
        print(f"starting again ({attempt + 1} of {restarts} times)", file=sys.stderr)
    raise AssertionError("the loop returns")


def run(job: Job, attempt: int = 0) -> Failure | None:
    """Start the processes and wait for them; return the first failure, None if there is none."""
    with tempfile.TemporaryDirectory(prefix="launch") as folder:
        files = [Path(folder) / f"{rank}.json" for rank in range(job.processes)]
        if job.port == 0:
            job = Job(**{**vars(job), "port": _free_port(job.nodes)})
        ranks: list[subprocess.Popen[bytes]] = []
        try:
            with _forwarding_signals(ranks):
                for rank, file in enumerate(files):
                    ranks.append(_start(job.command, job.environment(rank, file, attempt)))
                first = _wait_for_failure(ranks)
                if first is None:
                    return None
                code = ranks[first].returncode
                _end(ranks, GRACE_TO_STOP if code == 75 else GRACE)
        finally:
            _end(ranks, 0)
        return _blamed(ranks, first, files)


def _blamed(ranks: list[subprocess.Popen[bytes]], first: int, files: list[Path]) -> Failure:
    """Return the failure to tell of: the first, or one that says more."""
    failures = [
        Failure(rank, process.returncode, _left_message(files[rank]))
        for rank, process in enumerate(ranks)
        if process.returncode
    ]
    own = next(failure for failure in failures if failure.rank == first)
    # Who was killed leaves no message, and its death is the cause of the others' complaints.
    if own.code < 0 or own.message:
        return own
    return next((failure for failure in failures if failure.message), own)


def _start(command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C reaches the launcher alone, which passes it on, once.
    return subprocess.Popen(
        [sys.executable, "-u", *command],
        env=dict(environment),
        start_new_session=True,
        preexec_fn=_die_with_launcher if sys.platform == "linux" else None,
    )


def _die_with_launcher() -> None:
    """Have the system kill this process when the launcher is killed, lest it goes on unseen."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


@contextlib.contextmanager
def _forwarding_signals(ranks: list[subprocess.Popen[bytes]]) -> Iterator[None]:
    """Pass signals on to the processes; it is they who decide how to end."""

    def forward(number: int, frame: FrameType | None) -> None:
        for process in ranks:
            if process.poll() is None:
                process.send_signal(number)

    numbers = [getattr(signal, name) for name in _FORWARDED if hasattr(signal, name)]
    before = {number: signal.signal(number, forward) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_for_failure(ranks: list[subprocess.Popen[bytes]]) -> int | None:
    """Wait until a process fails, and return its number, or until all have ended well."""
    while True:
        codes = [process.poll() for process in ranks]
        failed = [rank for rank, code in enumerate(codes) if code]
        if failed:
            # Of several that failed within a moment the one that was killed came first.
            return min(failed, key=lambda rank: (codes[rank] or 0) > 0)
        if all(code == 0 for code in codes):
            return None
        time.sleep(_POLL)


def _end(ranks: list[subprocess.Popen[bytes]], grace: float) -> None:
    """Wait for the processes to end, and kill those that don't."""
    end = time.monotonic() + grace
    while time.monotonic() < end and any(process.poll() is None for process in ranks):
        time.sleep(_POLL)
    for process in ranks:
        if process.poll() is None:
            process.kill()
        process.wait()


def _share_cores(processes: int) -> None:
    """Let the processes of this machine use all its cores, but none twice."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (cores or 1) // processes)))


def _free_port(nodes: int) -> int:
    """Return a port that nobody listens on; machines that must agree use a fixed one."""
    if nodes > 1:
        return 29500
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _left_message(path: Path) -> str | None:
    try:
        return json.loads(path.read_text(encoding="utf-8")).get("message")
    except (OSError, ValueError):
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
