"""Collect the state of a run for a checkpoint, and restore it.

Most of it is the same on all processes. Within an epoch the running statistics of BatchNorm, the
random states and the sums of the meter differ. A checkpoint holds these for every process
(``processes``) and the mean statistics (in ``state_dict``), so saving does not change the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pyskl.checkpoints.checkpoint import OpenedCheckpoint
from pyskl.checkpoints.resume_check import check_resumable
from pyskl.checkpoints.weights import load_optimizer, load_weights
from pyskl.checkpoints.writer import copy_to_cpu
from pyskl.distributed.collectives import RUNNING_STATISTICS, gather_objects, is_distributed
from pyskl.errors import CheckpointError
from pyskl.logging.log import get_logger
from pyskl.training.meter import Meter
from pyskl.training.seeding import random_states, set_random_states

# Errors that reading a malformed state raises.
_MALFORMED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError)


@dataclass
class Progress:
    """The position of a run.

    Attributes:
        epoch: Finished epochs.
        iteration: Finished iterations of the whole run.
        best: ``{'key', 'score', 'epoch', 'file'}`` of the best checkpoint, if any.
    """

    epoch: int = 0
    iteration: int = 0
    best: dict[str, Any] | None = None


@dataclass(frozen=True)
class StepSize:
    """How a run divides an epoch into steps.

    Attributes:
        steps_per_epoch: Steps of an epoch.
        batch: Samples per process and step.
        world_size: Processes.
    """

    steps_per_epoch: int
    batch: int
    world_size: int

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any], default: StepSize) -> StepSize:
        """Return the step size of the run that wrote a checkpoint's ``meta``.

        Checkpoints of mmcv hold only ``epoch`` and ``iter``, and are written after an epoch.
        """
        per_epoch = default.steps_per_epoch
        if "iters_per_epoch" in meta:
            per_epoch = int(meta["iters_per_epoch"])
        elif meta["epoch"]:
            per_epoch = max(1, round(meta["iter"] / meta["epoch"]))
        batch = meta.get("batch", default.batch)
        return cls(per_epoch, int(batch), int(meta.get("world_size", default.world_size)))

    def convert(self, epoch: int, iteration: int, other: StepSize) -> int:
        """Return the iteration at the same share of the epoch with another step size.

        Args:
            epoch: Finished epochs.
            iteration: Finished iterations of this step size.
            other: The other step size.
        """
        done = max(0, iteration - epoch * self.steps_per_epoch)
        done = round(done / self.steps_per_epoch * other.steps_per_epoch)
        return epoch * other.steps_per_epoch + min(other.steps_per_epoch, done)

    def describe_change(self, other: StepSize) -> str | None:
        """Return a message about resuming with another step size, or None if they are equal."""
        changes = [
            f"{label} {before} → {after}"
            for label, before, after in (
                ("processes", self.world_size, other.world_size),
                ("samples per process and step", self.batch, other.batch),
                ("steps per epoch", self.steps_per_epoch, other.steps_per_epoch),
            )
            if before != after
        ]
        if not changes:
            return None
        same = self.batch * self.world_size == other.batch * other.world_size
        return (
            f"{', '.join(changes)}: the run resumes at the same share of the epoch, but not "
            f"exactly: {'' if same else 'the samples of each step, '}the batch statistics of "
            "BatchNorm and the dropout masks differ from those of an uninterrupted run"
        )


@dataclass
class RunState:
    """The state that training changes.

    Attributes:
        model: The recognizer.
        optimizer: Its optimizer.
        scaler: The gradient scaler of fp16.
        step_size: Step size of the run.
        rank: Rank of this process.
        seed: Seed of the run.
        meter: The sums of the current log line.
        progress: The position of the run.
    """

    model: nn.Module
    optimizer: Optimizer
    scaler: torch.amp.GradScaler
    step_size: StepSize
    rank: int
    seed: int
    meter: Meter = field(default_factory=Meter)
    progress: Progress = field(default_factory=Progress)

    def checkpoint(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        """Return the content of a checkpoint; every process has to call it.

        Args:
            meta: Further entries of its ``meta``.
        """
        own = {
            "buffers": self._own_buffers() if is_distributed() else {},
            "meter": self.meter.state_dict(),
            "random": random_states(),
        }
        processes = gather_objects(copy_to_cpu(own))
        weights = self.model.state_dict()
        for name in processes[0]["buffers"]:
            if name.endswith(RUNNING_STATISTICS):
                values = torch.stack([state["buffers"][name] for state in processes])
                weights[name] = values.sum(0) / len(processes)
        return {
            "meta": {
                **meta,
                "epoch": self.progress.epoch,
                "iter": self.progress.iteration,
                "iters_per_epoch": self.step_size.steps_per_epoch,
                "batch": self.step_size.batch,
                "world_size": self.step_size.world_size,
                "best": self.progress.best,
                "seed": self.seed,
            },
            "state_dict": weights,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "processes": processes,
        }

    def resume(self, checkpoint: OpenedCheckpoint, device: torch.device) -> None:
        """Continue from a checkpoint.

        Raises:
            CheckpointError: if it does not fit, or has no training state.
        """
        check_resumable(checkpoint)
        meta = checkpoint.meta
        load_weights(self.model, checkpoint.state_dict, checkpoint.source)
        load_optimizer(self.optimizer, checkpoint)
        if self.scaler.is_enabled() and checkpoint.scaler:
            self.scaler.load_state_dict(checkpoint.scaler)
        before = StepSize.from_meta(meta, self.step_size)
        # Also with the same step size: other programs may store an inexact position.
        iteration = before.convert(int(meta["epoch"]), int(meta["iter"]), self.step_size)
        self.progress.epoch, self.progress.iteration = int(meta["epoch"]), iteration
        self.progress.best = meta.get("best")
        change = before.describe_change(self.step_size)
        if change is not None:
            get_logger().warning("%s", change)
        elif len(checkpoint.processes) == self.step_size.world_size:
            try:
                self._load_own_state(checkpoint.processes, device)
            except _MALFORMED as error:
                raise CheckpointError(
                    f"the state of process {self.rank} is malformed",
                    file=checkpoint.path,
                    key="processes",
                    found=f"{type(error).__name__}: {error}",
                    hint="to start from its weights only, use load_from",
                ) from error

    def _load_own_state(self, processes: Sequence[Any], device: torch.device) -> None:
        state = processes[self.rank]
        buffers = self._own_buffers()
        for name, value in state["buffers"].items():
            if buffers[name].shape != value.shape:
                raise ValueError(
                    f"{name} has shape {tuple(value.shape)}, not {tuple(buffers[name].shape)}"
                )
            buffers[name].copy_(value)
        self.meter.load_state_dict(state["meter"], device)
        set_random_states(state["random"])

    def _own_buffers(self) -> dict[str, Tensor]:
        """Return the buffers that differ between processes."""
        saved = self.model.state_dict().keys()
        return {
            name: buffer
            for name, buffer in self.model.named_buffers()
            if buffer.is_floating_point() and name in saved
        }
