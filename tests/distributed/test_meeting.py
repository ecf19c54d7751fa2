"""The processes of each start meet apart from what earlier starts left in the store."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
import torch.distributed as dist

from pyskl.distributed.rendezvous import agree_on_name
from pyskl.errors import LostProcessError


def _agree(store: dist.Store, delays: list[float]) -> list[str]:
    """Let a process (here a thread) for each delay come after so many seconds."""
    names = [""] * len(delays)

    def come(rank: int) -> None:
        time.sleep(delays[rank])
        names[rank] = agree_on_name(store, rank, len(delays), 10)

    threads = [threading.Thread(target=come, args=(rank,)) for rank in range(len(delays))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return names


@pytest.mark.parametrize("delays", [[0, 0, 0], [0.2, 0, 0], [0, 0.2, 0.1]])
def test_each_start_has_a_name_of_its_own(delays: list[float]) -> None:
    store, seen = dist.HashStore(), set()
    for _ in range(3):  # on what the starts before have left
        names = _agree(store, delays)
        assert len(set(names)) == 1
        seen.add(names[0])
    assert len(seen) == 3
    assert "" not in seen


def test_a_start_of_which_not_all_came_does_no_harm() -> None:
    store = dist.HashStore()
    with pytest.raises(LostProcessError, match="process 0 has not answered process 1"):
        agree_on_name(store, 1, 3, 0.1)
    with pytest.raises(LostProcessError, match=r"of 3 processes \[1, 2\] have not come"):
        agree_on_name(store, 0, 3, 0.1)
    names = _agree(store, [0, 0.2, 0.1])
    assert len(set(names)) == 1


_PROCESS = """
import sys, time
import torch
import torch.distributed as dist
from pyskl.distributed.processes import Place, from_main, join, own_part
from pyskl.distributed.rendezvous import connect
from pyskl.distributed.timeouts import Patience
rank, delay, end = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
time.sleep(delay)
join(Place(rank, 2, rank, 2), torch.device("cpu"), patience=Patience(join=30, stall=30))
assert from_main(rank) == 0
part = own_part(connect(30), "watch")
assert not part.check(["left"]), "the store has what an earlier start left"
from_main(None)
part.set("left", "")
if end == "die":
    import os, signal
    from_main(None)
    os.kill(os.getpid(), signal.SIGKILL)
dist.destroy_process_group()
"""


def test_processes_started_again_with_the_agent_s_store_find_each_other() -> None:
    # Without a part of its own process 0, which is early, takes the address of the dead for news.
    server = dist.TCPStore(
        "127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=30)
    )
    for end, counts in (("die", (0, 0)), ("well", (1, 0))):  # each machine counts for itself
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", _PROCESS, str(rank), str(2 * rank), end],
                env={
                    **os.environ,
                    "MASTER_ADDR": "127.0.0.1",
                    "MASTER_PORT": str(server.port),
                    "TORCHELASTIC_USE_AGENT_STORE": "True",
                    "TORCHELASTIC_RESTART_COUNT": str(counts[rank]),
                    "CUDA_VISIBLE_DEVICES": "",
                },
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(2)
        ]
        try:
            told = [process.communicate(timeout=60)[1] for process in processes]
        finally:
            for process in processes:
                process.kill()
        expected = -9 if end == "die" else 0
        assert [process.returncode for process in processes] == [expected] * 2, told


_ALONE = """
import sys
import torch
from pyskl.distributed.processes import Place, join
from pyskl.distributed.timeouts import Patience
from pyskl.errors import InputError, RunError
rank, patience = int(sys.argv[1]), float(sys.argv[2])
try:
    join(Place(rank, 2, rank, 2), torch.device("cpu"), patience=Patience(patience, patience, 60))
except (InputError, RunError) as error:
    print(error, flush=True)
    sys.exit(error.exit_status)
print("joined", flush=True)
"""


def _start(rank: int, port: int, patience: float) -> subprocess.Popen[str]:
    places = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        [sys.executable, "-c", _ALONE, str(rank), str(patience)],
        env={**os.environ, **places},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(
    ("rank", "message"),
    [
        (0, r"of 2 processes \[1\] have not come for 1 s"),
        (1, "process 0 has not come to 127.0.0.1"),
    ],
)
def test_who_waits_for_nobody_says_so_and_ends(free_port: int, rank: int, message: str) -> None:
    process = _start(rank, free_port, 1)
    try:
        told = process.communicate(timeout=60)[0]
    finally:
        process.kill()
    assert process.returncode == LostProcessError.exit_status
    assert re.search(message, told)


def test_the_end_of_process_0_in_the_meeting_is_noticed(free_port: int) -> None:
    # Somebody who takes the connection, hears nothing and ends: torch alone would try for minutes.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port))
        listener.listen()
        process = _start(1, free_port, 3)
        try:
            listener.settimeout(60)
            listener.accept()[0].close()
            listener.close()
            told = process.communicate(timeout=60)[0]
        finally:
            process.kill()
    assert process.returncode == LostProcessError.exit_status
    assert "process 0" in told
    assert "Traceback" not in told


def test_a_port_that_is_taken_is_named(free_port: int) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", free_port))
        holder.listen()
        process = _start(0, free_port, 3)
        try:
            told = process.communicate(timeout=60)[0]
        finally:
            process.kill()
    assert process.returncode == 2
    assert f"can't listen on port {free_port}" in told
