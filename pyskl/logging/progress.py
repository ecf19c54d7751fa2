"""How far a run is, and where that is for a run with other steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass
class Progress:
    """How far a run is; what a checkpoint's ``meta`` holds of it.

    Attributes:
        epoch: Finished epochs.
        iteration: Finished iterations of the whole run.
        best: ``{'key', 'score', 'epoch', 'file'}`` of the best checkpoint, once there is one.
    """

    epoch: int = 0
    iteration: int = 0
    best: dict[str, Any] | None = None


@dataclass(frozen=True)
class Steps:
    """What a step of a run takes.

    Attributes:
        per_epoch: Steps of an epoch.
        batch: Samples a process.
        world_size: Processes.
    """

    per_epoch: int
    batch: int
    world_size: int

    @classmethod
    def of_meta(cls, meta: Mapping[str, Any], now: Steps) -> Steps:
        """Return those of the run that wrote a checkpoint's ``meta``; ``now`` where it is silent.

        Checkpoints of the family say ``epoch`` and ``iter``, and are written at an epoch's end.
        """
        per_epoch = now.per_epoch
        if "iters_per_epoch" in meta:
            per_epoch = int(meta["iters_per_epoch"])
        elif meta["epoch"]:
            per_epoch = max(1, round(meta["iter"] / meta["epoch"]))
        batch, world_size = meta.get("batch", now.batch), meta.get("world_size", now.world_size)
        return cls(per_epoch, int(batch), int(world_size))


def moved(progress: Progress, then: Steps, now: Steps) -> Progress:
    """Return the position of a run among other steps.

    An epoch is the same samples whatever its steps, so the position in samples is kept by keeping
    the share of the epoch.
    """
    inside = max(0, progress.iteration - progress.epoch * then.per_epoch)
    inside = min(now.per_epoch, round(inside / then.per_epoch * now.per_epoch))
    return Progress(progress.epoch, progress.epoch * now.per_epoch + inside, progress.best)


def no_longer_exact(then: Steps, now: Steps) -> str | None:
    """Return what a run with other steps does otherwise; None where nothing is other."""
    changes = [
        f"{label} {before} → {after}"
        for label, before, after in (
            ("processes", then.world_size, now.world_size),
            ("samples a process and step", then.batch, now.batch),
            ("steps an epoch", then.per_epoch, now.per_epoch),
        )
        if before != after
    ]
    if not changes:
        return None
    same_samples = then.batch * then.world_size == now.batch * now.world_size
    others = "" if same_samples else "which samples form a step, "
    return (
        f"{', '.join(changes)}: the schedule goes on as many samples into the same epoch, but the "
        f"run is no longer the one that it would have been: {others}the statistics that BatchNorm "
        "takes of them and what dropout drops differ"
    )
