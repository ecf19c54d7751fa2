"""The processes of each start meet apart from what earlier starts left in the store."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
import torch.distributed as dist

from pyskl.engine.meeting import agree_on_name
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
from pyskl.engine.distributed import Place, from_main, join, own_part
from pyskl.engine.meeting import connect
rank, delay, end = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
time.sleep(delay)
join(Place(rank, 2, rank, 2), torch.device("cpu"), stall=30)
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
