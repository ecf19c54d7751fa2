"""The learning rate as a function of the iteration.

The rate of an iteration depends only on its number and the length of the run, so a resumed run has
the same rates as an uninterrupted one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from pyskl.errors import did_you_mean

POLICIES = ("fixed", "step", "CosineAnnealing")


def policy_name(policy: str) -> str:
    """Return the name of a policy, whose upper and lower case don't matter.

    Raises:
        ValueError: if there is no such policy.
    """
    for name in POLICIES:
        if name.lower() == policy.lower():
            return name
    raise ValueError(f"there is no policy {policy!r}{did_you_mean(policy, POLICIES)}")


class LearningRate:
    """The learning rate of each iteration of a run.

    Args:
        base_lr: The rate that the schedule starts from.
        epochs: Epochs of the run.
        iters_per_epoch: Iterations of an epoch.
        policy: ``'fixed'``; ``'step'``: multiplied by ``gamma`` at the start of each epoch in
            ``step`` (a single number: every ``step`` epochs); ``'CosineAnnealing'``: from
            ``base_lr`` to ``min_lr`` along half a cosine (Loshchilov and Hutter, "SGDR", ICLR 2017,
            equation 5, without restarts). Upper and lower case don't matter.
        by_epoch: Whether the schedule advances by epochs, counted from 0, or by iterations.
        step: For ``'step'``.
        gamma: For ``'step'``.
        min_lr: For ``'CosineAnnealing'``; 0 by default. For ``'step'``: the lower bound.
        min_lr_ratio: The same, as a share of ``base_lr``.
        warmup: How the rate rises to the schedule's over the first ``warmup_iters`` iterations:
            ``'constant'``, ``'linear'``, ``'exp'`` (Goyal et al., "Accurate, Large Minibatch SGD",
            2017, section 2.2), or None.
        warmup_iters: Length of the warm-up, in iterations (in epochs if ``warmup_by_epoch``).
        warmup_ratio: Share of the rate at the start of the warm-up.
        warmup_by_epoch: See ``warmup_iters``.

    Raises:
        ValueError: for invalid or conflicting arguments.

    Example:
        >>> rate = LearningRate(0.1, epochs=4, iters_per_epoch=10, policy='step', step=[2])
        >>> rate.at(19), round(rate.at(20), 4)
        (0.1, 0.01)
    """

    def __init__(
        self,
        base_lr: float,
        epochs: int,
        iters_per_epoch: int,
        *,
        policy: str = "fixed",
        by_epoch: bool = True,
        step: int | Sequence[int] | None = None,
        gamma: float = 0.1,
        min_lr: float | None = None,
        min_lr_ratio: float | None = None,
        warmup: Literal["constant", "linear", "exp"] | None = None,
        warmup_iters: int = 0,
        warmup_ratio: float = 0.1,
        warmup_by_epoch: bool = False,
    ) -> None:
        policy = policy_name(policy)
        if policy == "step" and (step is None or (isinstance(step, int) and step < 1)):
            raise ValueError(
                "policy 'step' needs step: a list of epochs, or a period of at least 1"
            )
        if min_lr is not None and min_lr_ratio is not None:
            raise ValueError("give min_lr or min_lr_ratio, not both")
        if warmup not in (None, "constant", "linear", "exp"):
            raise ValueError(
                f"warmup should be 'constant', 'linear', 'exp' or None, found {warmup!r}"
            )
        if warmup is not None and (warmup_iters < 1 or not 0 < warmup_ratio <= 1):
            raise ValueError(
                "a warm-up needs warmup_iters of at least 1 and warmup_ratio in (0, 1], found "
                f"{warmup_iters} and {warmup_ratio}"
            )
        self.base_lr = base_lr
        self.epochs = epochs
        self.iters_per_epoch = iters_per_epoch
        self.policy = policy
        self.by_epoch = by_epoch
        self.step = step
        self.gamma = gamma
        self.min_lr = min_lr
        self.min_lr_ratio = min_lr_ratio
        self.warmup = warmup
        self.warmup_iters = warmup_iters * (iters_per_epoch if warmup_by_epoch else 1)
        self.warmup_ratio = warmup_ratio

    def at(self, iteration: int) -> float:
        """Return the rate of an iteration, counted from 0 over the whole run."""
        rate = self._scheduled(iteration)
        if self.warmup is None or iteration >= self.warmup_iters:
            return rate
        done = iteration / self.warmup_iters
        if self.warmup == "constant":
            return rate * self.warmup_ratio
        if self.warmup == "linear":
            return rate * (1 - (1 - done) * (1 - self.warmup_ratio))
        return rate * self.warmup_ratio ** (1 - done)

    def _scheduled(self, iteration: int) -> float:
        progress, end = iteration, self.epochs * self.iters_per_epoch
        if self.by_epoch:
            progress, end = iteration // self.iters_per_epoch, self.epochs
        if self.policy == "step":
            if isinstance(self.step, int):
                passed = progress // self.step
            else:
                passed = sum(progress >= milestone for milestone in self.step or ())
            return max(self.base_lr * self.gamma**passed, self._floor())
        if self.policy == "CosineAnnealing":
            low = self._floor()
            return low + (self.base_lr - low) * (1 + math.cos(math.pi * progress / end)) / 2
        return self.base_lr

    def _floor(self) -> float:
        if self.min_lr_ratio is not None:
            return self.base_lr * self.min_lr_ratio
        return self.min_lr or 0.0
