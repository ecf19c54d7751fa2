"""Communication between the processes of a run; with a single process nothing is exchanged."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from pyskl.errors import InputError, RunError

# The BatchNorm buffers that differ between processes during training.
RUNNING_STATISTICS = ("running_mean", "running_var")


def is_distributed() -> bool:
    """Return whether this process belongs to a process group with others."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def is_main_process() -> bool:
    """Return whether this is rank 0, or the only process."""
    return not is_distributed() or dist.get_rank() == 0


def barrier() -> None:
    """Wait until all processes reach this call."""
    if is_distributed():
        dist.barrier()


def broadcast_object(value: Any) -> Any:
    """Return the value of rank 0 on every process."""
    if not is_distributed():
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def gather_objects(value: Any) -> list[Any]:
    """Return the values of all processes, in the order of ranks, on every process."""
    if not is_distributed():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


@contextmanager
def raise_on_all_ranks() -> Iterator[None]:
    """Raise the :class:`InputError` or :class:`RunError` of any rank's block on every rank.

    Use it around work that only some ranks do. Otherwise the other ranks would continue and fail
    later in a collective, each with a traceback of its own.
    """
    error: Exception | None = None
    try:
        yield
    except (InputError, RunError) as caught:
        error = caught
    errors = [one for one in gather_objects(error) if one is not None]
    if errors:
        raise error or errors[0]


def check_same_on_all_ranks(facts: Mapping[str, str]) -> None:
    """Check that all processes have the same values.

    Args:
        facts: Values by the name to use in the message.

    Raises:
        InputError: on every process, with the name of a fact that differs.
    """
    found = gather_objects(dict(facts))
    for name in facts:
        ranks_by_value: dict[Any, list[int]] = {}
        for rank, theirs in enumerate(found):
            ranks_by_value.setdefault(theirs.get(name), []).append(rank)
        if len(ranks_by_value) > 1:
            first, second, *_ = ranks_by_value
            lines = zip_longest(str(first).splitlines(), str(second).splitlines(), fillvalue="")
            a, b = next((pair for pair in lines if pair[0] != pair[1]), ("", ""))
            raise InputError(
                f"the processes of a run must have the same {name}, but processes "
                f"{ranks_by_value[first]} and {ranks_by_value[second]} differ",
                key=name,
                found=f"{a.strip()[:80]!r} and {b.strip()[:80]!r}",
            )


def mean_over_ranks(values: torch.Tensor) -> torch.Tensor:
    """Return the mean of a tensor over all processes."""
    if not is_distributed():
        return values
    values = values.clone()
    dist.all_reduce(values)
    return values / dist.get_world_size()


def average_batchnorm(model: nn.Module) -> None:
    """Replace the running statistics of BatchNorm on every process by their mean.

    In training each process updates them with its own batches only. Evaluation needs statistics of
    all batches, the same on every process.
    """
    if not is_distributed():
        return
    for name, buffer in model.named_buffers():
        if name.endswith(RUNNING_STATISTICS):
            dist.all_reduce(buffer)
            buffer /= dist.get_world_size()


def data_parallel(
    model: nn.Module, device: torch.device, *, find_unused_parameters: bool = False
) -> nn.Module:
    """Wrap a model in DistributedDataParallel, if there are several processes.

    Each process keeps its own running statistics; see :func:`average_batchnorm`.

    Args:
        model: On ``device``.
        device: Of this process.
        find_unused_parameters: For models with parameters that a step may not use.
    """
    if not is_distributed():
        return model
    # torch 2.13 renamed the option that copies the buffers of rank 0 in each forward pass.
    parameters = inspect.signature(DistributedDataParallel).parameters
    renamed = "forward_sync_buffers" in parameters
    copy_buffers: dict[str, Any] = {
        "forward_sync_buffers" if renamed else "broadcast_buffers": False
    }
    return DistributedDataParallel(
        model,
        device_ids=[device.index] if device.type == "cuda" else None,
        find_unused_parameters=find_unused_parameters,
        **copy_buffers,
    )
