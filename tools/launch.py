"""Start a tool in several processes: python tools/launch.py NPROC SCRIPT [ARGUMENTS ...]

Finds a free port, divides the CPU cores among the processes, forwards signals to them, and ends all
of them when one fails, with a single message and the exit status of that process.

Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT in the environment. MAX_RESTARTS=N
starts the processes again up to N times after a failure; a training continues from its last
checkpoint.

torchrun can start the tools as well, but it exits with status 1 and a traceback after any failure,
and does not end the processes when Slurm sends it SIGUSR1.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from _command import ERROR_FILE, LAUNCHED

# Exit statuses after which a restart is useless: wrong input, stopped on request, Ctrl-C.
FINAL_STATUSES = (2, 75, 130)

# Seconds for the other processes to end after one has failed. After a requested stop they may still
# be waiting for a checkpoint to be written.
GRACE_PERIOD = 5.0
STOP_GRACE_PERIOD = 60.0

_POLL_INTERVAL = 0.05
_FORWARDED_SIGNALS = [
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGUSR1") if hasattr(signal, name)
]


def main(arguments: list[str]) -> int:
    """Start the processes and wait for them; return the exit status."""
    if len(arguments) < 2:
        print("error: the command is: python tools/launch.py NPROC SCRIPT ...", file=sys.stderr)
        return 2
    if not re.fullmatch("[0-9]+", arguments[0]) or int(arguments[0]) < 1:
        print(
            f"error: the number of processes (NUM_GPUS) is missing or wrong; found "
            f"{arguments[0]!r}, expected a whole number from 1; the commands are: bash "
            "tools/dist_train.sh CONFIG NUM_GPUS ..., bash tools/dist_test.sh CONFIG CHECKPOINT "
            "NUM_GPUS ...",
            file=sys.stderr,
        )
        return 2
    processes, command = int(arguments[0]), [*arguments[1:], "--launcher", "pytorch"]
    restarts = int(os.environ.get("MAX_RESTARTS", "0"))
    for attempt in range(restarts + 1):
        status, message = run(command, process_environments(processes, attempt))
        if status:
            print(f"error: {message}", file=sys.stderr)
        if status == 0 or status in FINAL_STATUSES or attempt == restarts:
            break
        print(f"starting again (restart {attempt + 1} of {restarts})", file=sys.stderr)
    return status


def process_environments(processes: int, attempt: int = 0) -> list[dict[str, str]]:
    """Return the environment of each process on this machine, as torchrun would set it.

    Args:
        processes: How many to start on this machine.
        attempt: How often they have been started before.
    """
    nodes, node = int(os.environ.get("NNODES", "1")), int(os.environ.get("NODE_RANK", "0"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    shared = {
        "OMP_NUM_THREADS": str(max(1, (cores or 1) // processes)),
        "MASTER_ADDR": "127.0.0.1",
        **os.environ,
        "WORLD_SIZE": str(nodes * processes),
        "LOCAL_WORLD_SIZE": str(processes),
        # Several machines have to use the same port.
        "MASTER_PORT": os.environ.get("PORT") or ("29500" if nodes > 1 else _free_port()),
        "TORCHELASTIC_RESTART_COUNT": str(attempt),
        LAUNCHED: "1",
    }
    return [
        {**shared, "RANK": str(node * processes + rank), "LOCAL_RANK": str(rank)}
        for rank in range(processes)
    ]


def run(command: list[str], environments: list[dict[str, str]]) -> tuple[int, str]:
    """Run a Python script in one process per environment.

    Returns:
        0 if all processes succeed, else the exit status and the message of the failure.
    """
    processes: list[subprocess.Popen[bytes]] = []

    def forward(number: int, frame: FrameType | None) -> None:
        for process in processes:
            if process.poll() is None:
                process.send_signal(number)

    handlers = {number: signal.signal(number, forward) for number in _FORWARDED_SIGNALS}
    try:
        with tempfile.TemporaryDirectory(prefix="launch") as folder:
            error_files = [Path(folder) / f"{rank}.json" for rank in range(len(environments))]
            for environment, error_file in zip(environments, error_files):
                processes.append(
                    subprocess.Popen(
                        [sys.executable, "-u", *command],
                        env={**environment, ERROR_FILE: str(error_file)},
                        # Ctrl-C then reaches only the launcher, which forwards it once.
                        start_new_session=True,
                        preexec_fn=_die_with_launcher if sys.platform == "linux" else None,
                    )
                )
            while not any(codes := [process.poll() for process in processes]):
                if None not in codes:
                    return 0, ""
                time.sleep(_POLL_INTERVAL)
            # If several failed at the same time, the one that was killed failed first.
            first = min((p for p in processes if p.returncode), key=lambda p: p.returncode > 0)
            stopped = first.returncode == 75
            _end(processes, STOP_GRACE_PERIOD if stopped else GRACE_PERIOD)
            messages = [_message(error_file) for error_file in error_files]
            return _describe_failure(processes, first, messages)
    finally:
        _end(processes, 0)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _describe_failure(
    processes: list[subprocess.Popen[bytes]],
    first: subprocess.Popen[bytes],
    messages: list[str | None],
) -> tuple[int, str]:
    """Return the exit status and the message to end with.

    Args:
        processes: All have ended.
        first: The one that failed first.
        messages: The error message of each process, or None.
    """
    failed = first
    # A process that was killed leaves no message; its death is the cause of the others' errors.
    if first.returncode > 0 and not messages[processes.index(first)]:
        failed = next((p for p, m in zip(processes, messages) if p.returncode and m), first)
    code, rank = failed.returncode, processes.index(failed)
    how = f"signal {-code}" if code < 0 else f"exit status {code}"
    message = messages[rank] or (
        f"process {rank} was the first to fail, with {how}; its output is above"
    )
    return (code if code > 0 else 128 - code), message


def _end(processes: list[subprocess.Popen[bytes]], grace_period: float) -> None:
    """Wait for the processes to end, and kill those that don't."""
    deadline = time.monotonic() + grace_period
    while time.monotonic() < deadline and any(process.poll() is None for process in processes):
        time.sleep(_POLL_INTERVAL)
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()


def _die_with_launcher() -> None:
    """Let Linux kill this process when the launcher ends."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def _message(error_file: Path) -> str | None:
    try:
        return json.loads(error_file.read_text(encoding="utf-8")).get("message")
    except (OSError, ValueError):
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
