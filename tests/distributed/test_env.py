"""The position of a process, and its device, from the variables of launchers."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest
import torch

from pyskl.distributed.env import DistEnv, choose_device, usable_device, warn_of_slow_devices
from pyskl.errors import DeviceError

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


def test_torchrun_and_no_launcher() -> None:
    os.environ.update(TORCHRUN)
    assert DistEnv.from_launcher("none") == DistEnv(0, 1, 0, 1)
    env = DistEnv.from_launcher("pytorch")
    assert env == DistEnv(rank=5, world_size=8, local_rank=1, local_world_size=4)
    assert not env.is_main
    assert DistEnv().is_main


@pytest.mark.parametrize(
    ("launcher", "name"),
    [
        *(("pytorch", name) for name in TORCHRUN),
        ("slurm", "SLURM_PROCID"),
        ("slurm", "SLURM_NTASKS"),
    ],
)
def test_missing_variables(launcher: Any, name: str) -> None:
    os.environ.update(TORCHRUN if launcher == "pytorch" else SLURM)
    del os.environ[name]
    with pytest.raises(DeviceError) as caught:
        DistEnv.from_launcher(launcher)
    assert caught.value.key == f"--launcher {launcher}"
    assert name in caught.value.problem


def test_variables_that_are_not_numbers() -> None:
    os.environ.update(TORCHRUN, RANK="first")
    with pytest.raises(DeviceError) as caught:
        DistEnv.from_launcher("pytorch")
    assert "RANK='first'" in caught.value.found


def test_slurm() -> None:
    os.environ.update(SLURM)
    assert DistEnv.from_launcher("slurm") == DistEnv(5, 8, 1, 4)
    # What torch.distributed reads to find the other processes.
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
def test_slurm_tasks_per_node(tasks: dict[str, str], expected: int) -> None:
    os.environ.update(SLURM, **tasks)
    assert DistEnv.from_launcher("slurm").local_world_size == expected


def test_slurm_port_and_address_can_be_chosen() -> None:
    os.environ.update(SLURM, PORT="29999", MASTER_ADDR="other")
    DistEnv.from_launcher("slurm")
    assert (os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]) == ("other", "29999")


@pytest.mark.parametrize("has_scontrol", [True, False])
def test_slurm_first_host(monkeypatch: pytest.MonkeyPatch, has_scontrol: bool) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert command == ["scontrol", "show", "hostnames", "node[3-4]"]
        if not has_scontrol:
            raise FileNotFoundError("scontrol")
        return subprocess.CompletedProcess(command, 0, stdout="node3\nnode4\n")

    monkeypatch.setattr(subprocess, "run", run)
    os.environ.update(SLURM, SLURM_STEP_NODELIST="node[3-4]")
    if has_scontrol:
        DistEnv.from_launcher("slurm")
        assert os.environ["MASTER_ADDR"] == "node3"
    else:
        with pytest.raises(DeviceError) as caught:
            DistEnv.from_launcher("slurm")
        assert caught.value.found == "node[3-4]"


@pytest.mark.parametrize("gpus", [0, 1, 3, 4])
def test_devices(monkeypatch: pytest.MonkeyPatch, gpus: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    envs = [DistEnv(rank=4 + i, world_size=8, local_rank=i, local_world_size=4) for i in range(4)]
    if gpus == 0:
        assert {choose_device(env) for env in envs} == {torch.device("cpu")}
    elif gpus == 4:
        assert [choose_device(env).index for env in envs] == [0, 1, 2, 3]
    else:
        with pytest.raises(DeviceError) as caught:
            choose_device(envs[0])
        assert caught.value.found == f"4 processes on a machine with {gpus} GPU(s)"
    assert choose_device(DistEnv()).type == ("cuda" if gpus else "cpu")


@pytest.mark.parametrize(
    "name", ["cuda:0", "cuda", "cuda:99", "gpu", "cuda:x", "npu:0", torch.device("cuda", 1)]
)
def test_a_device_that_is_not_there_is_refused_and_named(
    monkeypatch: pytest.MonkeyPatch, name: Any
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    def empty(*_: Any, **__: Any) -> None:
        raise AssertionError("Torch not compiled with CUDA enabled")

    monkeypatch.setattr(torch, "empty", empty)
    with pytest.raises(DeviceError) as caught:
        usable_device(name, "--device")
    assert (caught.value.key, caught.value.found) == ("--device", str(name))
    assert caught.value.expected == "cpu"


def test_a_device_that_is_there() -> None:
    for name in ("cpu", torch.device("cpu")):
        assert usable_device(name) == torch.device("cpu")


@pytest.mark.parametrize("processes", [1, 2, 3, 8])
@pytest.mark.parametrize("cores", [1, 2])
def test_more_processes_than_cores_get_one_warning(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    processes: int,
    cores: int,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    monkeypatch.setattr(torch.version, "cuda", None)
    env = DistEnv(world_size=processes, local_world_size=processes)
    warn_of_slow_devices(env, torch.device("cpu"))
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == (processes > cores)
    assert all(f"{processes} processes share {cores} CPU" in message for message in messages)
    caplog.clear()
    warn_of_slow_devices(env, torch.device("cuda", 0))
    assert not caplog.records


@pytest.mark.parametrize(("visible", "warned"), [(None, 1), ("0", 1), ("", 0), ("-1", 0)])
def test_a_cuda_build_without_a_gpu_gets_a_warning_unless_it_is_meant(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    visible: str | None,
    warned: int,
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "12.4")
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    warn_of_slow_devices(DistEnv(), torch.device("cpu"))
    assert len(caplog.records) == warned


def test_slurm_may_show_each_task_one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    os.environ.update(SLURM)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose_device(DistEnv(5, 8, 1, 4)) == torch.device("cuda", 0)
