"""Runs functions in several real processes that form a process group."""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pyskl.distributed.env import DistEnv
from pyskl.distributed.monitor import distributed_run
from pyskl.errors import InputError, RunError
from pyskl.logging.log import setup_logging

RunRanks = Callable[..., dict[int, Any]]


@pytest.fixture
def run_ranks(tmp_path: Path) -> RunRanks:
    """Call ``function(rank, monitor)`` on each rank of a gloo group, in forks of this process.

    Returns what it returned or raised, by rank; of a process that ended itself its exit code. What
    the processes log is in ``tmp_path/<rank>.log``.
    """
    if not hasattr(os, "fork"):
        pytest.skip("needs a system that forks")

    def run(
        function: Callable[..., Any],
        world_size: int = 2,
        *,
        dist_params: dict[str, Any] | None = None,
        environment: dict[str, str] | None = None,
        start: Callable[[int], None] = lambda rank: None,
    ) -> dict[int, Any]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        variables = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, **(environment or {})}
        context = multiprocessing.get_context("fork")
        results = context.SimpleQueue()

        def child(rank: int) -> None:
            os.environ.update(variables)
            setup_logging(tmp_path / f"{rank}.log")
            start(rank)
            env = DistEnv(rank, world_size, rank, world_size)
            cpu = torch.device("cpu")
            try:
                params = {"join": 30, "timeout": 30, "stall": 60, **(dist_params or {})}
                with distributed_run(env, cpu, params) as monitor:
                    result = function(rank, monitor)
            except (InputError, RunError) as error:
                result = error
            results.put((rank, result))
            os._exit(0)

        processes = [context.Process(target=child, args=(rank,)) for rank in range(world_size)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
            process.kill()
        found: dict[int, Any] = {rank: p.exitcode for rank, p in enumerate(processes)}
        while not results.empty():
            rank, result = results.get()
            found[rank] = result
        return found

    return run
