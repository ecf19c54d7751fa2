"""Start a tool in several processes: python tools/launch.py NPROC SCRIPT [ARGUMENTS ...]

Does what torchrun does, through the same interface of torch, and beyond that: finds a free port,
shares the CPU's cores out to the processes, and tells an error in the input once, in one message,
and ends with its exit status 2.

Several machines: NNODES, NODE_RANK, MASTER_ADDR and PORT from the environment.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys

from _command import LAUNCHED


def main(arguments: list[str]) -> int:
    """Start the processes and wait for them; return the exit status."""
    if len(arguments) < 2 or not arguments[0].isdigit() or int(arguments[0]) < 1:
        print(__doc__, file=sys.stderr)
        return 2
    processes, script, *rest = arguments
    nodes = int(os.environ.get("NNODES", "1"))
    os.environ[LAUNCHED] = "1"
    _share_cores(int(processes))

    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import get_args_parser, run

    # Its messages tell of processes and signals; what went wrong is told below.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    options = [
        f"--nproc_per_node={processes}",
        f"--nnodes={nodes}",
        f"--node_rank={os.environ.get('NODE_RANK', '0')}",
        f"--master_addr={os.environ.get('MASTER_ADDR', '127.0.0.1')}",
        f"--master_port={os.environ.get('PORT') or _free_port(nodes)}",
    ]
    try:
        run(get_args_parser().parse_args([*options, script, *rest, "--launcher", "pytorch"]))
    except ChildFailedError as error:
        return _tell(error)
    return 0


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


def _tell(error: object) -> int:
    """Print what the first process to fail had to say; return its exit status."""
    failures = error.failures  # type: ignore[attr-defined]
    rank, first = min(failures.items(), key=lambda item: item[1].timestamp)
    message = _left_message(first.error_file)
    if first.exitcode == 2 and message:
        print(f"error: {message}", file=sys.stderr)
        return 2
    how = f"signal {-first.exitcode}" if first.exitcode < 0 else f"exit status {first.exitcode}"
    print(
        f"error: process {rank} was the first to fail, with {how}; what it printed is above",
        file=sys.stderr,
    )
    return first.exitcode if first.exitcode > 0 else 128 - first.exitcode


def _left_message(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file).get("message")
    except (OSError, ValueError):
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
