"""What of a run's state is not the same on all of its processes.

Between the ends of epochs each process has its own running statistics of BatchNorm; generators and
the sums of the meter differ likewise. A checkpoint holds them for every process (``processes``)
beside the model's mean statistics (``state_dict``), so that saving changes nothing of the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pyskl.checkpoints.writer import copy_to_cpu
from pyskl.distributed.processes import STATISTICS, from_all, in_group
from pyskl.training.meter import Meter
from pyskl.training.seeding import random_states, set_random_states


def gather_states(model: nn.Module, meter: Meter) -> list[dict[str, Any]]:
    """Return the state of every process, in host memory, on every process."""
    own = {
        "buffers": dict(_own_buffers(model)) if in_group() else {},
        "meter": meter.state(),
        "random": random_states(),
    }
    return from_all(copy_to_cpu(own))


def load_state(
    model: nn.Module, meter: Meter, states: Sequence[Mapping[str, Any]], rank: int
) -> None:
    """Give a process what :func:`gather_states` found of it.

    Raises:
        ValueError: if a buffer has another shape; states of another form raise what reading them
            comes to, a TypeError or KeyError for example.
    """
    state = states[rank]
    buffers = dict(_own_buffers(model))
    for name, value in state["buffers"].items():
        if buffers[name].shape != value.shape:
            raise ValueError(f"{name} is {tuple(value.shape)} for {tuple(buffers[name].shape)}")
        buffers[name].copy_(value)
    meter.load_state(state["meter"], next(model.parameters()).device)
    set_random_states(state["random"])


def mean_statistics(states: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    """Return the running statistics that all processes have on average."""
    names = [name for name in states[0]["buffers"] if name.endswith(STATISTICS)]
    return {
        name: torch.stack([state["buffers"][name] for state in states]).sum(0) / len(states)
        for name in names
    }


def _own_buffers(model: nn.Module) -> list[tuple[str, Tensor]]:
    kept = model.state_dict().keys()
    return [
        (name, buffer)
        for name, buffer in model.named_buffers()
        if buffer.is_floating_point() and name in kept
    ]
