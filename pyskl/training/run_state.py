"""All that a run needs to go on: taken from it for a checkpoint, and given back to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from pyskl.checkpoints.checkpoint import OpenedCheckpoint
from pyskl.checkpoints.resume_check import check_resumable
from pyskl.checkpoints.weights import load_optimizer, load_weights
from pyskl.errors import CheckpointError
from pyskl.logging.log import get_logger
from pyskl.logging.progress import Progress, Steps, moved, no_longer_exact
from pyskl.training.meter import Meter
from pyskl.training.process_state import gather_states, load_state, mean_statistics

# What reading a state raises that is not of the expected form.
_MISFITS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError)


@dataclass
class RunState:
    """What changes while a run goes on.

    Attributes:
        model: The recognizer.
        optimizer: Over its parameters.
        scaler: Of fp16's gradients.
        steps: What a step of the run takes.
        rank: Which of the processes this is.
        seed: Of the run.
        meter: The sums of the line of the log that is under way.
        progress: How far the run is.
    """

    model: nn.Module
    optimizer: Optimizer
    scaler: torch.amp.GradScaler
    steps: Steps
    rank: int
    seed: int
    meter: Meter = field(default_factory=Meter)
    progress: Progress = field(default_factory=Progress)

    def checkpoint(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        """Return the content of a checkpoint; every process has to call it.

        Args:
            meta: What else its ``meta`` should hold.
        """
        states = gather_states(self.model, self.meter)
        weights = self.model.state_dict()
        weights.update(mean_statistics(states))
        return {
            "meta": {
                **meta,
                "epoch": self.progress.epoch,
                "iter": self.progress.iteration,
                "iters_per_epoch": self.steps.per_epoch,
                "batch": self.steps.batch,
                "world_size": self.steps.world_size,
                "best": self.progress.best,
                "seed": self.seed,
            },
            "state_dict": weights,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "processes": states,
        }

    def resume(self, checkpoint: OpenedCheckpoint) -> None:
        """Continue from a checkpoint.

        Raises:
            CheckpointError: if it does not fit, or holds no training state.
        """
        check_resumable(checkpoint)
        meta = checkpoint.meta
        load_weights(self.model, checkpoint.state_dict, checkpoint.source)
        load_optimizer(self.optimizer, checkpoint)
        if self.scaler.is_enabled() and checkpoint.scaler:
            self.scaler.load_state_dict(checkpoint.scaler)
        self.progress = Progress(int(meta["epoch"]), int(meta["iter"]), meta.get("best"))
        then = Steps.of_meta(meta, self.steps)
        # Also where the steps are the same: what others wrote says only about where it stood.
        self.progress = moved(self.progress, then, self.steps)
        change = no_longer_exact(then, self.steps)
        if change is not None:
            get_logger().warning("%s", change)
        elif len(checkpoint.processes) == self.steps.world_size:
            self._load_own(checkpoint.processes, checkpoint.path)

    def _load_own(self, states: Sequence[Any], path: Path) -> None:
        try:
            load_state(self.model, self.meter, states, self.rank)
        except _MISFITS as error:
            raise CheckpointError(
                f"{path}: its state of process {self.rank} (processes) is not that of such a run "
                f"({type(error).__name__}: {error}); to start from its weights use load_from"
            ) from error
