"""``WandbLoggerHook``: Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pyskl.logging.trackers.base import Figures, RunInfo, Tracker, imported, installed, is_failing
from pyskl.registry import LOGGER_HOOKS


@LOGGER_HOOKS.register_module()
class WandbLoggerHook:
    """Reports to Weights & Biases, or with ``WANDB_MODE=offline`` to files for ``wandb sync``.

    Args:
        init_kwargs: Arguments of ``wandb.init``, such as ``project``, ``entity``, ``name``,
            ``tags``, ``mode``.

    The id of the run is kept in the work dir, so that a run which goes on is the same one there.
    What the service was told of already is not told again: an exact resume measures the same.
    """

    def __init__(self, init_kwargs: Mapping[str, Any] | None = None) -> None:
        self.init_kwargs = dict(init_kwargs or {})

    def open(self, run: RunInfo) -> Tracker | None:
        """Begin a run of the service, or go on with the one from before."""
        if not installed("wandb", "WandbLoggerHook"):
            return None
        wandb = imported("wandb")
        settings = {
            "dir": str(run.work_dir),
            "name": f"{run.work_dir.name}-{run.name}",
            "id": self.init_kwargs.get("id") or run.kept_id("wandb"),
            "resume": "allow",
            "config": dict(run.config),
            **self.init_kwargs,
        }
        return _Reported(wandb, wandb.init(**settings))


class _Reported:
    """A run of the service."""

    def __init__(self, wandb: Any, run: Any) -> None:
        self._wandb, self._run = wandb, run
        self._from = int(run.step)  # 0 for a new run, else after the last step that was told

    def log(self, figures: Figures, step: int) -> None:
        """Report figures."""
        if step >= self._from:
            self._run.log(dict(figures), step=step)

    def image(self, name: str, array: np.ndarray, step: int) -> None:
        """Report a picture."""
        if step >= self._from:
            self._run.log({name: self._wandb.Image(array)}, step=step)

    def close(self) -> None:
        """End the run; one that an exception ends counts as failed."""
        self._run.finish(exit_code=int(is_failing()))
