"""Who am I, which device is mine: read from what launchers say."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest
import torch
from torch import nn

from pyskl.distributed import processes as distributed
from pyskl.distributed.processes import Place, choose_device, place_from_environment
from pyskl.errors import DeviceError, InputError, WriteError

TORCHRUN = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}
SLURM = {
    "SLURM_PROCID": "5",
    "SLURM_NTASKS": "8",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_TASKS_PER_NODE": "4(x2)",
    "SLURM_NODELIST": "node7",
    "SLURM_JOB_ID": "1234567",
}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start from an environment without launchers; what a test sets is undone."""
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in (*TORCHRUN, "MASTER_ADDR", "MASTER_PORT", "PORT")
        and not key.startswith("SLURM_")
    }
    monkeypatch.setattr(os, "environ", environment)


def test_one_process_reads_nothing() -> None:
    os.environ.update(TORCHRUN)
    assert place_from_environment("none") == Place(0, 1, 0, 1)
    assert Place().is_main


def test_torchrun() -> None:
    os.environ.update(TORCHRUN)
    place = place_from_environment("pytorch")
    assert place == Place(rank=5, world_size=8, local_rank=1, local_world_size=4)
    assert not place.is_main


@pytest.mark.parametrize("name", TORCHRUN)
def test_torchrun_s_variables_must_be_there(name: str) -> None:
    os.environ.update(TORCHRUN)
    del os.environ[name]
    with pytest.raises(DeviceError, match=rf"--launcher pytorch needs {name} in the environment"):
        place_from_environment("pytorch")


def test_torchrun_s_variables_must_be_numbers() -> None:
    os.environ.update(TORCHRUN, RANK="first")
    with pytest.raises(DeviceError, match="RANK='first'"):
        place_from_environment("pytorch")


def test_slurm() -> None:
    os.environ.update(SLURM)
    assert place_from_environment("slurm") == Place(5, 8, 1, 4)
    # What torch.distributed reads to find the others.
    assert os.environ["RANK"] == "5"
    assert os.environ["WORLD_SIZE"] == "8"
    assert os.environ["MASTER_ADDR"] == "node7"
    assert 20000 <= int(os.environ["MASTER_PORT"]) < 40000


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ({"SLURM_STEP_TASKS_PER_NODE": "4"}, 4),
        ({"SLURM_STEP_TASKS_PER_NODE": "4,3"}, 4),
        ({"SLURM_STEP_TASKS_PER_NODE": "2(x4)"}, 2),
        ({"SLURM_STEP_TASKS_PER_NODE": "", "SLURM_NTASKS_PER_NODE": "2"}, 2),
        ({"SLURM_STEP_TASKS_PER_NODE": ""}, 8),
    ],
)
def test_slurm_s_tasks_of_a_node(tasks: dict[str, str], expected: int) -> None:
    os.environ.update(SLURM, **tasks)
    assert place_from_environment("slurm").local_world_size == expected


def test_slurm_s_port_and_address_can_be_chosen() -> None:
    os.environ.update(SLURM, PORT="29999", MASTER_ADDR="other")
    place_from_environment("slurm")
    assert (os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]) == ("other", "29999")


def test_slurm_s_first_host_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, stdout="node3\nnode4\n")

    monkeypatch.setattr(subprocess, "run", run)
    os.environ.update(SLURM, SLURM_STEP_NODELIST="node[3-4]")
    place_from_environment("slurm")
    assert asked == [["scontrol", "show", "hostnames", "node[3-4]"]]
    assert os.environ["MASTER_ADDR"] == "node3"


def test_slurm_without_its_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: Any) -> None:
        raise FileNotFoundError("scontrol")

    monkeypatch.setattr(subprocess, "run", run)
    os.environ.update(SLURM, SLURM_NODELIST="node[3-4]")
    with pytest.raises(DeviceError, match=r"'node\[3-4\]'.*set MASTER_ADDR"):
        place_from_environment("slurm")


@pytest.mark.parametrize("name", ["SLURM_PROCID", "SLURM_NTASKS"])
def test_slurm_s_variables_must_be_there(name: str) -> None:
    os.environ.update(SLURM)
    del os.environ[name]
    with pytest.raises(DeviceError, match=rf"{name}.*srun"):
        place_from_environment("slurm")


# --- devices --------------------------------------------------------------------------------------


def _pretend_gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def test_the_cpu_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend_gpus(monkeypatch, 0)
    assert choose_device(Place()) == torch.device("cpu")
    assert choose_device(Place(1, 2, 1, 2)) == torch.device("cpu")


def test_each_process_its_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend_gpus(monkeypatch, 4)
    places = [Place(rank=4 + i, world_size=8, local_rank=i, local_world_size=4) for i in range(4)]
    assert [choose_device(place).index for place in places] == [0, 1, 2, 3]


@pytest.mark.parametrize(("gpus", "words"), [(1, "1 GPU:"), (3, "3 GPUs:")])
def test_fewer_gpus_than_processes(monkeypatch: pytest.MonkeyPatch, gpus: int, words: str) -> None:
    _pretend_gpus(monkeypatch, gpus)
    with pytest.raises(DeviceError, match=rf"4 processes .* {words} start {gpus}, or set CUDA_VIS"):
        choose_device(Place(0, 4, 0, 4))


# --- alone ----------------------------------------------------------------------------------------


def test_alone_there_is_nobody_to_talk_to() -> None:
    distributed.join(Place(), torch.device("cpu"))
    assert not distributed.in_group()
    distributed.barrier()
    assert distributed.from_main("x") == "x"
    assert distributed.from_all("x") == ["x"]
    values = torch.arange(3.0)
    assert distributed.mean_over_ranks(values) is values
    norm = nn.BatchNorm1d(2)
    norm.running_mean.fill_(3)
    distributed.average_batchnorm(norm)
    assert norm.running_mean.tolist() == [3, 3]
    distributed.leave()


# --- together -------------------------------------------------------------------------------------


def test_processes_that_were_started_differently_are_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    facts = {"their config": "a = 1\nb = 2\n", "this package's code": "abc"}
    distributed.check_same_everywhere(facts)  # alone
    other = {**facts, "their config": "a = 1\nb = 3\n"}
    monkeypatch.setattr(distributed, "from_all", lambda mine: [mine, other, mine])
    with pytest.raises(
        InputError, match=r"differ in their config: processes \[0, 2\] and \[1\] \('b = 2' against"
    ):
        distributed.check_same_everywhere(facts)


def test_all_fail_as_the_main_process_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "from_main", lambda mine: WriteError("of the main process"))
    with pytest.raises(WriteError, match="of the main process"), distributed.failing_together():
        pass
