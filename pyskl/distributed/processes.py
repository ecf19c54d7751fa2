"""One process or many: who am I, which device is mine, and how do the others hear of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import zip_longest
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import nn

from pyskl.distributed.rendezvous import agree_on_name, open_store
from pyskl.distributed.timeouts import Patience, at_most
from pyskl.errors import DeviceError, InputError, LostProcessError, RunError

Launcher = Literal["none", "pytorch", "slurm"]

# What the processes of this start are called in the store by which they met, which may know others
# (see `own_part`), and that store: it has to live as long as the group.
_name = ""
_store: dist.Store | None = None

# The buffers of BatchNorm that each process has its own of while it trains.
STATISTICS = ("running_mean", "running_var")


@dataclass(frozen=True)
class Place:
    """Where this process runs.

    Attributes:
        rank: Its number among all processes.
        world_size: The number of all processes.
        local_rank: Its number among those of this machine.
        local_world_size: The number of those of this machine.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_world_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0


def place_from_environment(launcher: Launcher) -> Place:
    """Read from the environment where the launcher put this process.

    ``'pytorch'`` reads what torchrun sets, ``'slurm'`` what srun sets; the latter also prepares
    the variables that ``torch.distributed`` reads (MASTER_ADDR is the first host of the job, PORT
    chooses MASTER_PORT).

    Raises:
        DeviceError: if the launcher's variables are not there.
    """
    if launcher == "none":
        return Place()
    if launcher == "slurm":
        _adopt_slurm()
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise DeviceError(
            f"--launcher {launcher} needs {', '.join(missing)} in the environment; start with "
            "tools/dist_train.sh or tools/dist_test.sh, or leave --launcher out for one process"
        )
    try:
        return Place(*(int(os.environ[name]) for name in names))
    except ValueError:
        found = ", ".join(f"{name}={os.environ[name]!r}" for name in names)
        raise DeviceError(f"--launcher {launcher} needs whole numbers, found {found}") from None


def _adopt_slurm() -> None:
    missing = [name for name in ("SLURM_PROCID", "SLURM_NTASKS") if name not in os.environ]
    if missing:
        raise DeviceError(
            f"--launcher slurm needs {', '.join(missing)} in the environment: start the command "
            "with srun"
        )
    tasks = os.environ["SLURM_NTASKS"]
    os.environ["RANK"] = os.environ["SLURM_PROCID"]
    os.environ["WORLD_SIZE"] = tasks
    os.environ["LOCAL_RANK"] = os.environ.get("SLURM_LOCALID", "0")
    # SLURM_STEP_TASKS_PER_NODE reads like "4" or "4(x2)"; nodes of a job are filled alike.
    per_node = os.environ.get("SLURM_STEP_TASKS_PER_NODE") or os.environ.get(
        "SLURM_NTASKS_PER_NODE", tasks
    )
    os.environ["LOCAL_WORLD_SIZE"] = per_node.partition("(")[0].partition(",")[0]
    if "MASTER_ADDR" not in os.environ:
        os.environ["MASTER_ADDR"] = _first_slurm_host()
    # All tasks must agree on a port without talking: the job's number spreads jobs over the range.
    job = int(os.environ.get("SLURM_JOB_ID", "0"))
    os.environ.setdefault("MASTER_PORT", os.environ.get("PORT", str(20000 + job % 20000)))


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
            f"the first host of the Slurm node list {nodes!r} could not be found ({error}); set "
            "MASTER_ADDR to it"
        ) from error


def choose_device(place: Place) -> torch.device:
    """Return the device of this process: its GPU, or the CPU where the machine has no GPU.

    Raises:
        DeviceError: if the machine has GPUs, but fewer than processes.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if gpus == 0:
        return torch.device("cpu")
    if gpus == 1 and "SLURM_PROCID" in os.environ:
        return torch.device("cuda", 0)  # slurm was asked to show each task a GPU of its own
    if gpus < place.local_world_size:
        raise DeviceError(
            f"{place.local_world_size} processes were started on a machine with {gpus} "
            f"GPU{'s' if gpus > 1 else ''}: start {gpus}, or set CUDA_VISIBLE_DEVICES= (empty) to "
            "train on the CPU"
        )
    return torch.device("cuda", place.local_rank)


def join(
    place: Place,
    device: torch.device,
    backend: str | None = None,
    patience: Patience | None = None,
) -> None:
    """Join the process group, where there is more than one process.

    Args:
        place: Where this process runs.
        device: Its device.
        backend: The config's wish; 'nccl' is only heard on a GPU.
        patience: How long to wait for the others, and what they do together may take.

    Raises:
        DeviceError: if process 0 can't listen on its port.
        LostProcessError: if others don't come, or end while all meet. Whoever is gone for good when
            all have come, and are about to connect, ends this process.
    """
    global _name, _store
    patience = patience or Patience()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if place.world_size == 1 or dist.is_initialized():
        return
    chosen = (backend or "nccl") if device.type == "cuda" else "gloo"
    _store = open_store(place.rank, place.world_size, patience.join)
    _name = agree_on_name(_store, place.rank, place.world_size, patience.join)
    problem = "a process was killed since, or the network between them lets only some connect"
    try:
        with at_most(patience.timeout, f"the processes met, but did not connect: {problem}"):
            dist.init_process_group(
                chosen,
                store=own_part(_store, "group"),
                rank=place.rank,
                world_size=place.world_size,
                device_id=device if chosen == "nccl" else None,
                timeout=timedelta(seconds=patience.stall),
            )
    except (RuntimeError, ConnectionError) as error:
        first_line = str(error).partition("\n")[0]
        raise LostProcessError(
            f"the processes met, but could not connect: {problem} ({first_line})"
        ) from error


def own_part(store: dist.Store, use: str) -> dist.Store:
    """Return the part of a store that is for one use by the processes of this start alone."""
    start = _name or os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")  # who joined otherwise
    return dist.PrefixStore(f"pyskl/{use}/{start}", store)


def leave() -> None:
    """Leave the process group, where there is one."""
    global _store
    if dist.is_initialized():
        dist.destroy_process_group()
    _store = None


def in_group() -> bool:
    """Return whether there are other processes to talk to."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def is_main() -> bool:
    """Return whether this process is the main one of its group, or has none."""
    return not in_group() or dist.get_rank() == 0


def barrier() -> None:
    """Wait until all processes are here."""
    if in_group():
        dist.barrier()


def from_main(value: Any) -> Any:
    """Return the main process's value on every process."""
    if not in_group():
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


@contextmanager
def failing_together() -> Iterator[None]:
    """Let all processes fail as the main one does, where its part of the block fails.

    For what the main process does alone: without this the others would go on, and fail later for
    want of a partner, each with a traceback of its own.
    """
    error: Exception | None = None
    try:
        yield
    except (InputError, RunError) as caught:
        error = caught
    error = from_main(error) or error
    if error is not None:
        raise error


def from_all(value: Any) -> list[Any]:
    """Return every process's value, in the order of ranks, on every process."""
    if not in_group():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def check_same_everywhere(facts: Mapping[str, str]) -> None:
    """Check that all processes found the same.

    Args:
        facts: What was found, by what it is called in the message.

    Raises:
        InputError: on every process, naming what differs and between which processes.
    """
    found = from_all(dict(facts))
    for name in facts:
        groups: dict[Any, list[int]] = {}
        for rank, theirs in enumerate(found):
            groups.setdefault(theirs.get(name), []).append(rank)
        if len(groups) > 1:
            first, second, *_ = groups
            raise InputError(
                f"the processes of a run must be started alike, but differ in {name}: processes "
                f"{groups[first]} and {groups[second]}{_difference(str(first), str(second))}"
            )


def _difference(first: str, second: str) -> str:
    for a, b in zip_longest(first.splitlines(), second.splitlines(), fillvalue=""):
        if a != b:
            return f" ({a.strip()[:80]!r} against {b.strip()[:80]!r})"
    return ""


def mean_over_ranks(values: torch.Tensor) -> torch.Tensor:
    """Return the mean of a tensor over all processes."""
    if not in_group():
        return values
    values = values.clone()
    dist.all_reduce(values)
    return values / dist.get_world_size()


def average_batchnorm(model: nn.Module) -> None:
    """Give every process the mean of all processes' running statistics.

    In training each process keeps statistics of its own batches only; before they are used or
    saved, all of them should count, and every process should have the same.
    """
    if not in_group():
        return
    for name, buffer in model.named_buffers():
        if name.endswith(STATISTICS):
            dist.all_reduce(buffer)
            buffer /= dist.get_world_size()
