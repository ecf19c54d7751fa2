"""Losses and gradients that are no numbers: noticed before they reach the parameters.

After each backward pass one number tells whether all gradients are finite; where they are not, the
parameters, the optimizer's state and BatchNorm's statistics stay as they were. On the CPU the
number is looked at in every step. On a GPU the fused optimizers look at it on the device, so that
nothing waits for it; what happened is looked up when a line of the log is due, or a checkpoint. By
then some steps may have passed: with the policy ``stop`` none of them changed anything either.

With fp16's gradient scaler, gradients that overflow are part of its work: it leaves such steps out
itself. There only the loss is judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pyskl.distributed.processes import mean_over_ranks

Policy = Literal["stop", "skip", "ignore"]


@dataclass
class _Marks:
    """Of each step since the last look, on the device: what was not finite."""

    losses: list[Tensor]
    gradients: list[Tensor]


class FiniteGuard:
    """Keeps what is not finite out of a model.

    Args:
        model: The model.
        optimizer: Over its parameters.
        policy: ``'stop'``: nothing changes any more once a step is not finite. ``'skip'``: such a
            step is left out. ``'ignore'``: nothing is looked at.
        scaled: Whether a gradient scaler is at work.
    """

    def __init__(
        self, model: nn.Module, optimizer: Optimizer, policy: Policy, *, scaled: bool
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.policy = policy
        self.scaled = scaled
        self.on_device = bool(optimizer.defaults.get("fused"))
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._buffers = [b for b in model.buffers() if b.is_floating_point()]
        self._kept = [buffer.clone() for buffer in self._buffers]
        self._marks = _Marks([], [])
        self._frozen: Tensor | None = None

    def before_step(self) -> None:
        """Keep the statistics that the forward pass is going to change."""
        if self.policy != "ignore" and self._buffers:
            torch._foreach_copy_(self._kept, self._buffers)

    def may_update(self, loss: Tensor, norm: Tensor | None) -> bool:
        """Judge a step after its backward pass; return whether the optimizer may take it.

        Args:
            loss: A scalar.
            norm: The norm of all gradients, if it is known.

        Where the optimizer judges on the device it is told so, and the answer is yes.
        """
        if self.policy == "ignore":
            return True
        bad_loss = ~torch.isfinite(loss.detach())
        # With a scaler it is the scaler that sees the gradients and leaves a step out.
        bad = bad_loss if self.scaled else ~torch.isfinite(self._norm() if norm is None else norm)
        self._marks.losses.append(bad_loss)
        self._marks.gradients.append(bad)
        if self.on_device or self.scaled:
            self._restore_on_device(bad)
            if not self.scaled:
                self._tell_optimizer(bad)
            return True
        if not bool(bad):
            return True
        for buffer, kept in zip(self._buffers, self._kept):
            buffer.copy_(kept)
        return False

    def _norm(self) -> Tensor:
        """Return a norm of all gradients: finite if all are (and their squares don't overflow)."""
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        if not gradients:
            return torch.zeros(())
        return torch.stack(torch._foreach_norm(gradients)).max()  # 2-norms: the fastest to take

    def _restore_on_device(self, bad: Tensor) -> None:
        for buffer, kept in zip(self._buffers, self._kept):
            torch.where(bad, kept, buffer, out=buffer)

    def _tell_optimizer(self, bad: Tensor) -> None:
        if self.policy == "stop":
            bad = self._frozen = bad if self._frozen is None else bad | self._frozen
        # What a gradient scaler would set: the fused kernels then change nothing.
        self.optimizer.found_inf = bad.float()  # type: ignore[attr-defined]
        self.optimizer.grad_scale = None  # type: ignore[attr-defined]

    def cleaned(self, figures: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the figures of the last step, or zeros where it was left out on the device."""
        if self.policy != "skip" or not self.on_device:
            return dict(figures)
        bad = self._marks.losses[-1] | self._marks.gradients[-1]
        return {name: torch.where(bad, 0.0, value.detach()) for name, value in figures.items()}

    def look(self) -> list[tuple[int, bool]]:
        """Return the steps since the last look that were not finite on any process.

        Waits for the device; every process has to call it, after the same step.

        Returns:
            How many steps ago (0 for the last), and whether this process's own loss was not finite.
        """
        marks, self._marks = self._marks, _Marks([], [])
        if not marks.losses:
            return []
        own = torch.stack(marks.losses)
        anybody = mean_over_ranks((own | torch.stack(marks.gradients)).float())
        if float(anybody.sum()) == 0:
            return []
        steps = len(marks.losses)
        return [
            (steps - 1 - index, bool(own[index]))
            for index, share in enumerate(anybody.tolist())
            if share > 0
        ]
