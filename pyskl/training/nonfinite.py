"""Detect losses and gradients that are not finite before they reach the parameters.

After each backward pass one tensor holds whether all gradients are finite. If they are not, the
parameters, the optimizer state and the BatchNorm statistics stay unchanged. On the CPU that tensor
is read in every step. On a GPU the fused optimizers evaluate it on the device, so that no step
waits for the device; the host reads it when it writes a log line or a checkpoint. Some steps may
run meanwhile; with the policy ``'stop'`` they change nothing.

With fp16 the gradient scaler skips steps whose gradients overflow, so only the loss is checked.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from pyskl.checkpoints.checkpoint import save_checkpoint
from pyskl.datasets.sampling import TrainBatches
from pyskl.distributed.collectives import gather_objects, mean_over_ranks
from pyskl.errors import CheckpointError, InputError

Policy = Literal["stop", "skip", "ignore"]

# Sample ids in a message.
_MAX_LISTED = 8


class TrainingError(InputError):
    """Training can't continue; the message says at which step and why."""


class NonFiniteGuard:
    """Prevents updates of a model with values that are not finite.

    Args:
        model: The model.
        optimizer: Its optimizer.
        policy: ``'stop'``: nothing changes after a step that is not finite. ``'skip'``: such a step
            is skipped. ``'ignore'``: nothing is checked.
        scaled: Whether a gradient scaler is enabled.

    Attributes:
        on_device: Whether the optimizer evaluates the check on the device.
    """

    def __init__(
        self, model: nn.Module, optimizer: Optimizer, policy: Policy, *, scaled: bool
    ) -> None:
        self.optimizer = optimizer
        self.policy = policy
        self.scaled = scaled
        self.on_device = bool(optimizer.defaults.get("fused"))
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._buffers = [b for b in model.buffers() if b.is_floating_point()]
        self._saved = [buffer.clone() for buffer in self._buffers]
        # On the device, of each step since the last call of `collect`: (bad loss, bad gradients).
        self._flags: list[tuple[Tensor, Tensor]] = []
        self._stopped: Tensor | None = None

    def before_step(self) -> None:
        """Save the statistics, which the forward pass changes."""
        if self.policy != "ignore" and self._buffers:
            torch._foreach_copy_(self._saved, self._buffers)

    def allow_update(self, loss: Tensor, norm: Tensor | None) -> bool:
        """Check a step after its backward pass; return whether to call the optimizer.

        Returns True if the optimizer evaluates the check on the device.

        Args:
            loss: A scalar.
            norm: The norm of all gradients, if it is known.
        """
        if self.policy == "ignore":
            return True
        bad_loss = bad = ~torch.isfinite(loss.detach())
        if not self.scaled:
            bad = ~torch.isfinite(self._gradient_norm() if norm is None else norm)
        self._flags.append((bad_loss, bad))
        if self.scaled or self.on_device:
            for buffer, saved in zip(self._buffers, self._saved):
                torch.where(bad, saved, buffer, out=buffer)
            if not self.scaled:
                if self.policy == "stop":
                    bad = self._stopped = bad if self._stopped is None else bad | self._stopped
                # What a gradient scaler sets, too: the fused kernels then skip the update.
                self.optimizer.found_inf = bad.float()  # type: ignore[attr-defined]
                self.optimizer.grad_scale = None  # type: ignore[attr-defined]
            return True
        if not bad:
            return True
        for buffer, saved in zip(self._buffers, self._saved):
            buffer.copy_(saved)
        return False

    def _gradient_norm(self) -> Tensor:
        """Return a norm of all gradients: finite if all are (and their squares don't overflow)."""
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        if not gradients:
            return torch.zeros(())
        return torch.stack(torch._foreach_norm(gradients)).max()  # 2-norms are the fastest

    def masked(self, metrics: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the metrics of the last step, or zeros if it was skipped on the device."""
        if self.policy != "skip" or not self.on_device:
            return dict(metrics)
        bad_loss, bad_gradients = self._flags[-1]
        bad = bad_loss | bad_gradients
        return {name: torch.where(bad, 0.0, value.detach()) for name, value in metrics.items()}

    def collect(self) -> list[tuple[int, bool]]:
        """Return the steps since the last call that were not finite on any process.

        Waits for the device. Every process has to call it after the same step.

        Returns:
            How many steps ago (0 for the last), and whether this process's own loss was not finite.
        """
        flags, self._flags = self._flags, []
        if not flags:
            return []
        losses, gradients = (torch.stack(column) for column in zip(*flags))
        share_of_ranks = mean_over_ranks((losses | gradients).float())
        if share_of_ranks.sum() == 0:
            return []
        return [
            (len(flags) - 1 - index, bool(losses[index]))
            for index, share in enumerate(share_of_ranks.tolist())
            if share > 0
        ]


class NonFiniteStep:
    """A step whose loss or gradients were not finite, seen from this process.

    The samples are a function of the seed, the epoch and the step, so they can be read again later.

    Args:
        loader: From ``build_dataloader(..., shuffle=True)``.
        epoch: Epoch of the step, from 0.
        step: Within the epoch, from 0.
        own_loss: Whether the loss of this process was not finite.
    """

    def __init__(self, loader: DataLoader, epoch: int, step: int, *, own_loss: bool) -> None:
        self.own_loss = own_loss
        self.name = f"iteration {step + 1} of epoch {epoch + 1}"
        self._position = {"epoch": epoch + 1, "iter": step + 1}
        self._loader = loader
        batches = copy.copy(loader.batch_sampler)
        if not isinstance(batches, TrainBatches):
            raise TypeError("NonFiniteStep needs a loader built with shuffle=True")
        batches.set_epoch(epoch, first_batch=step)
        self._keys = next(iter(batches))

    def sample_ids(self) -> list[str]:
        """Return the ids of this process's samples, or their indices if there are no ids."""
        dataset: Any = self._loader.dataset
        ids = getattr(getattr(dataset, "dataset", None), "sample_ids", None)
        return [str(key.index if ids is None else ids[key.index]) for key in self._keys]

    def read_batch(self) -> dict[str, Any]:
        """Read the samples of this process again."""
        dataset: Any = self._loader.dataset
        read = getattr(dataset, "__getitems__", None)
        return self._loader.collate_fn(
            read(self._keys) if read else [dataset[key] for key in self._keys]
        )

    def describe_samples(self) -> str:
        """Return the samples of the processes whose loss was not finite, the same on every process.

        Every process has to call it.
        """
        ids = self.sample_ids()
        broken = [
            sample_id
            for sample_id, keypoint in zip(ids, self.read_batch()["keypoint"])
            if not torch.isfinite(keypoint).all()
        ]
        found = gather_objects((self.own_loss, ids, broken))
        affected = [one for one in found if one[0]] or found
        text = f"samples {_listed([name for one in affected for name in one[1]])}"
        broken = [name for one in affected for name in one[2]]
        if broken:
            text += f"; the keypoints of {_listed(broken)} are not finite"
        return text

    def error(self, samples: str, lr: float, saved: str | None = None) -> TrainingError:
        """Return the error that ends a run because of this step.

        Args:
            samples: From :meth:`describe_samples`.
            lr: The learning rate of the step.
            saved: From :meth:`save`, if the step was saved.
        """
        return TrainingError(
            f"the loss or its gradients became non-finite in {self.name} (lr {lr:.3g})",
            found=samples + (f". {saved}" if saved else ""),
            hint="the weights were not updated; a lower lr, a warm-up or gradient clipping may "
            "help; on_nonfinite='skip' skips such steps",
        )

    def save(self, folder: Path, rank: int, model: nn.Module, meta: Mapping[str, Any]) -> str:
        """Write the batch and the model's weights to a file; return a message."""
        epoch, step = self._position["epoch"], self._position["iter"]
        path = folder / f"nonfinite_epoch_{epoch}_iter_{step}_process_{rank}.pth"
        batch = {k: v for k, v in self.read_batch().items() if isinstance(v, Tensor)}
        samples = self.sample_ids()
        content = {
            "meta": {**meta, **self._position, "process": rank, "samples": samples},
            "batch": batch,
            "state_dict": model.state_dict(),
        }
        try:
            save_checkpoint(content, path)
        except CheckpointError as error:
            return str(error)
        return f"The batch and the weights are in {path}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    return ", ".join(map(repr, names[:_MAX_LISTED])) + more
