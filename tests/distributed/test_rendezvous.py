"""How processes find each other, and how those are named that do not come."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import torch.distributed as dist

from pyskl.distributed import rendezvous as rendezvous_module
from pyskl.distributed.collectives import barrier, broadcast_object
from pyskl.distributed.env import DistEnv
from pyskl.distributed.rendezvous import Rendezvous, Timeouts, agree_on_run_id
from pyskl.errors import DeviceError, LostProcessError

RunRanks = Callable[..., dict[int, Any]]


def test_times_of_a_config() -> None:
    assert Timeouts.from_config(None) == Timeouts(600, 120, 1800)
    assert Timeouts.from_config({"backend": "nccl", "stall": 7}) == Timeouts(600, 120, 7)


def _agree(store: dist.Store, delays: list[float]) -> list[str]:
    """Return the ids of ranks, here threads, that start after so many seconds."""
    ids = [""] * len(delays)

    def start(rank: int) -> None:
        time.sleep(delays[rank])
        ids[rank] = agree_on_run_id(store, DistEnv(rank, len(delays)), 10)

    threads = [threading.Thread(target=start, args=(rank,)) for rank in range(len(delays))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return ids


@pytest.mark.parametrize("delays", [[0, 0, 0], [0.2, 0, 0], [0, 0.2, 0.1]])
def test_each_start_has_its_own_id(delays: list[float]) -> None:
    store, seen = dist.HashStore(), set()
    for _ in range(3):  # the store keeps what the earlier starts left
        ids = _agree(store, delays)
        assert len(set(ids)) == 1
        seen.add(ids[0])
    assert len(seen) == 3
    assert "" not in seen


def test_an_incomplete_start_names_the_missing_and_does_not_disturb_the_next() -> None:
    store = dist.HashStore()
    with pytest.raises(LostProcessError, match="process 0"):
        agree_on_run_id(store, DistEnv(1, 3), 0.1)
    with pytest.raises(LostProcessError, match=r"\[1, 2\]"):
        agree_on_run_id(store, DistEnv(0, 3), 0.1)
    assert len(set(_agree(store, [0, 0.2, 0.1]))) == 1


def test_a_missing_process_is_reported_while_waiting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rendezvous_module, "_REPORT_INTERVAL", 0.05)
    with pytest.raises(LostProcessError):
        agree_on_run_id(dist.HashStore(), DistEnv(0, 2), 0.2)
    assert "waiting for the other processes" in caplog.text


def test_restarted_processes_ignore_what_earlier_ones_left(run_ranks: RunRanks) -> None:
    """With torchrun the store outlives the processes, and each machine counts its own restarts."""
    server = dist.TCPStore(
        "127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=30)
    )
    environment = {"MASTER_PORT": str(server.port), "TORCHELASTIC_USE_AGENT_STORE": "True"}

    def die(rank: int, monitor: Any) -> None:
        barrier()
        os.kill(os.getpid(), signal.SIGKILL)

    def communicate(rank: int, monitor: Any) -> int:
        return broadcast_object(rank)

    def start(rank: int) -> None:
        # The early process 0 would otherwise read the address of the dead process 1.
        time.sleep(0.5 * rank)

    assert run_ranks(die, environment=environment, start=start) == {0: -9, 1: -9}
    assert run_ranks(communicate, environment=environment, start=start) == {0: 0, 1: 0}


def test_process_0_stays_until_the_others_need_its_store_no_more(
    run_ranks: RunRanks, capfd: pytest.CaptureFixture[str]
) -> None:
    """As on a busy machine, where C++ code printed a trace after a successful end."""

    def start(rank: int) -> None:
        destroy = dist.destroy_process_group

        def slow_destroy() -> None:
            time.sleep(0.5)
            dist.distributed_c10d._get_default_store().check(["key"])
            destroy()

        if rank == 1:
            dist.destroy_process_group = slow_destroy  # in this process only

    assert run_ranks(lambda rank, _: rank, start=start) == {0: 0, 1: 1}
    assert "Exception" not in capfd.readouterr().err


def test_process_0_does_not_wait_for_the_dead(run_ranks: RunRanks) -> None:
    def start(rank: int) -> None:
        if rank == 1:
            dist.destroy_process_group = lambda: os._exit(3)

    begin = time.monotonic()
    assert run_ranks(lambda rank, _: rank, start=start) == {0: 0, 1: 3}
    assert time.monotonic() - begin < 15


@pytest.mark.parametrize("killed", [0, 1])
def test_a_process_that_does_not_come(run_ranks: RunRanks, killed: int) -> None:
    def start(rank: int) -> None:
        if rank == killed:
            os.kill(os.getpid(), signal.SIGKILL)

    found = run_ranks(lambda *_: None, dist_params={"join": 1}, start=start)
    assert found[killed] == -9
    assert isinstance(found[1 - killed], LostProcessError)


@pytest.mark.slow
def test_process_0_ends_during_the_rendezvous(free_port: int, run_ranks: RunRanks) -> None:
    """A connection is accepted and closed again; torch alone would retry for minutes."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port))
        listener.listen()

        def close_connections() -> None:
            for _ in range(2):
                listener.accept()[0].close()
            listener.close()

        threading.Thread(target=close_connections, daemon=True).start()

        def only_rank_1(rank: int) -> None:
            if rank == 0:
                os._exit(0)

        begin = time.monotonic()
        found = run_ranks(
            lambda *_: None,
            dist_params={"join": 3, "timeout": 3},
            environment={"MASTER_PORT": str(free_port)},
            start=only_rank_1,
        )
    assert time.monotonic() - begin < 15
    assert found[1] == LostProcessError.exit_status or isinstance(found[1], LostProcessError)


def test_a_port_that_is_taken(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(free_port))
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", free_port))
        holder.listen()
        with pytest.raises(DeviceError, match=str(free_port)):
            Rendezvous(DistEnv(0, 2), Timeouts(join=3))
