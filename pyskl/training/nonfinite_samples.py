"""Which samples a step was made of, and a file of them to look into what went wrong.

What a step reads is a function of the seed, the epoch and the step, so it can be read again after
the step has long passed.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from pyskl.checkpoints.checkpoint import save_checkpoint
from pyskl.datasets.sampling import TrainBatches
from pyskl.distributed.processes import from_all
from pyskl.errors import CheckpointError, InputError

# How many samples a message names.
_NAMED = 8


class TrainingError(InputError):
    """Training can't go on; the message says at which step and why."""


class Offender:
    """A step whose loss or gradients were not finite, as this process saw it.

    Args:
        loader: From ``build_dataloader(..., shuffle=True)``.
        epoch: Of the step, from 0.
        step: Within the epoch, from 0.
        own_loss: Whether the loss of this process was not finite.
    """

    def __init__(self, loader: DataLoader, epoch: int, step: int, *, own_loss: bool) -> None:
        self.epoch = epoch
        self.step = step
        self.own_loss = own_loss
        self._dataset: Any = loader.dataset
        self._collate = loader.collate_fn
        batches = copy.copy(loader.batch_sampler)
        if not isinstance(batches, TrainBatches):
            raise TypeError("Offender takes a loader built with shuffle=True")
        batches.set_epoch(epoch, first_batch=step)
        self._keys = next(iter(batches))

    def where(self) -> str:
        """Return the step in words."""
        return f"iteration {self.step + 1} of epoch {self.epoch + 1}"

    def samples(self) -> list[str]:
        """Return the ids of this process's samples, as far as the data set knows them."""
        known = getattr(getattr(self._dataset, "dataset", None), "sample_ids", None)
        return [str(key.index if known is None else known[key.index]) for key in self._keys]

    def batch(self) -> dict[str, Any]:
        """Read the samples again."""
        read = getattr(self._dataset, "__getitems__", None)
        keys = self._keys
        return self._collate(read(keys) if read else [self._dataset[key] for key in keys])

    def describe(self) -> str:
        """Return which samples it was, of the processes whose loss was not finite; for all alike.

        Every process has to call it.
        """
        broken = [
            name
            for name, keypoint in zip(self.samples(), self.batch()["keypoint"])
            if not bool(torch.isfinite(keypoint).all())
        ]
        found = from_all((self.own_loss, self.samples(), broken))
        blamed = [one for one in found if one[0]] or found
        text = f"samples {_listed([name for one in blamed for name in one[1]])}"
        not_numbers = [name for one in blamed for name in one[2]]
        if not_numbers:
            text += f", of which {_listed(not_numbers)} have keypoints that are not finite"
        return text

    def error(self, samples: str, kept: str, lr: float) -> TrainingError:
        """Return the error that ends a run for this step.

        Args:
            samples: What :meth:`describe` says.
            kept: What :meth:`save` says.
            lr: The step's learning rate.
        """
        return TrainingError(
            f"the loss or its gradients became non-finite in {self.where()} (lr {lr:.3g}): "
            f"{samples}; the weights did not take that step, and {kept}. A lower lr, a warm-up or "
            "gradient clipping may help; on_nonfinite='skip' leaves such steps out"
        )

    def save(self, folder: Path, rank: int, model: nn.Module, meta: Mapping[str, Any]) -> str:
        """Write the batch and the model's weights to a file; return where, or why not."""
        path = folder / f"nonfinite_epoch_{self.epoch + 1}_iter_{self.step + 1}_process_{rank}.pth"
        batch = {key: value for key, value in self.batch().items() if isinstance(value, Tensor)}
        about = {"epoch": self.epoch + 1, "iter": self.step + 1, "process": rank}
        content = {
            "meta": {**meta, **about, "samples": self.samples()},
            "batch": batch,
            "state_dict": model.state_dict(),
        }
        try:
            save_checkpoint(content, path)
        except CheckpointError as error:
            return str(error)
        return f"the batch and the weights are in {path}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(repr, names[:_NAMED])) + more
