"""The rank and the device of this process in a distributed run."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import Literal

import torch

from pyskl.errors import DeviceError
from pyskl.logging.log import get_logger

Launcher = Literal["none", "pytorch", "slurm"]


@dataclass(frozen=True)
class DistEnv:
    """The rank of this process in a run.

    Attributes:
        rank: Rank among all processes.
        world_size: Number of processes.
        local_rank: Rank among the processes of this machine.
        local_world_size: Number of processes on this machine.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_world_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    @classmethod
    def from_launcher(cls, launcher: Launcher) -> DistEnv:
        """Read the environment variables of torchrun (``'pytorch'``) or srun (``'slurm'``).

        For Slurm this also sets the variables that ``torch.distributed`` reads. MASTER_ADDR is the
        first host of the job; the variable PORT selects MASTER_PORT.

        Raises:
            DeviceError: if the launcher's variables are missing or are not numbers.
        """
        if launcher == "none":
            return cls()
        if launcher == "slurm":
            _set_variables_from_slurm()
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        _require(
            names,
            launcher,
            "start with tools/dist_train.sh or tools/dist_test.sh, or omit --launcher for a single "
            "process",
        )
        try:
            return cls(*(int(os.environ[name]) for name in names))
        except ValueError:
            raise DeviceError(
                "the launcher's environment variables are wrong",
                key=f"--launcher {launcher}",
                found=", ".join(f"{name}={os.environ[name]!r}" for name in names),
                expected="whole numbers",
            ) from None


def _require(names: tuple[str, ...], launcher: str, hint: str) -> None:
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise DeviceError(
            f"{', '.join(missing)} missing from the environment",
            key=f"--launcher {launcher}",
            hint=hint,
        )


def _set_variables_from_slurm() -> None:
    _require(("SLURM_PROCID", "SLURM_NTASKS"), "slurm", "start the command with srun")
    environ = os.environ
    tasks = environ["SLURM_NTASKS"]
    # SLURM_STEP_TASKS_PER_NODE looks like "4" or "4(x2)"; all nodes run the same number of tasks.
    per_node = environ.get("SLURM_STEP_TASKS_PER_NODE") or environ.get(
        "SLURM_NTASKS_PER_NODE", tasks
    )
    environ["RANK"] = environ["SLURM_PROCID"]
    environ["WORLD_SIZE"] = tasks
    environ["LOCAL_RANK"] = environ.get("SLURM_LOCALID", "0")
    environ["LOCAL_WORLD_SIZE"] = per_node.partition("(")[0].partition(",")[0]
    if "MASTER_ADDR" not in environ:
        environ["MASTER_ADDR"] = _first_slurm_host()
    # The tasks of a job must agree on a port without communication, different from other jobs.
    job = int(environ.get("SLURM_JOB_ID", "0"))
    environ.setdefault("MASTER_PORT", environ.get("PORT", str(20000 + job % 20000)))


def _first_slurm_host() -> str:
    nodes = os.environ.get("SLURM_STEP_NODELIST") or os.environ.get("SLURM_NODELIST", "")
    if nodes and "[" not in nodes and "," not in nodes:
        return nodes
    try:
        hosts = subprocess.run(
            ["scontrol", "show", "hostnames", nodes], capture_output=True, text=True, check=True
        )
        return hosts.stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError) as error:
        raise DeviceError(
            f"could not find the first host of the Slurm node list ({error})",
            key="SLURM_NODELIST",
            found=nodes,
            hint="set MASTER_ADDR to the first host",
        ) from error


def usable_device(name: str | torch.device, key: str = "device") -> torch.device:
    """Return the device that a user named.

    Args:
        name: Such as ``'cpu'``, ``'cuda'`` or ``'cuda:1'``.
        key: The name of the argument or option, for the message.

    Raises:
        DeviceError: if torch can't use it on this machine.
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    # Torch asserts that it was built with CUDA.
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DeviceError(
            f"torch can't use this device: {reason}",
            key=key,
            found=str(name),
            expected="cpu" if not torch.cuda.is_available() else "cpu, cuda or cuda:N",
        ) from error
    return device


def warn_of_slow_devices(env: DistEnv, device: torch.device) -> None:
    """Warn if this process computes on the CPU against what was probably meant, or shares cores.

    Args:
        env: Rank and world size.
        device: Where it computes.
    """
    if device.type != "cpu":
        return
    if torch.version.cuda is not None and os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1"):
        get_logger().warning(
            "training and testing use the CPU: this torch is built for CUDA %s but finds no GPU "
            "that it can use (nvidia-smi shows GPUs and driver; CUDA_VISIBLE_DEVICES= says that "
            "the CPU is meant)",
            torch.version.cuda,
        )
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    if env.local_world_size > cores:
        get_logger().warning(
            "%d processes share %d CPU core(s), which is slower than one process for each",
            *(env.local_world_size, cores),
        )


def choose_device(env: DistEnv) -> torch.device:
    """Return the GPU of this process, or the CPU if the machine has no GPU.

    Raises:
        DeviceError: if the machine has more processes than GPUs.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if gpus == 0:
        return torch.device("cpu")
    if gpus == 1 and "SLURM_PROCID" in os.environ:
        return torch.device("cuda", 0)  # Slurm can hide the GPUs of other tasks
    if gpus < env.local_world_size:
        raise DeviceError(
            "more processes than GPUs",
            found=f"{env.local_world_size} processes on a machine with {gpus} GPU(s)",
            hint=f"start {gpus}, or set CUDA_VISIBLE_DEVICES= (empty) to use the CPU",
        )
    return torch.device("cuda", env.local_rank)
