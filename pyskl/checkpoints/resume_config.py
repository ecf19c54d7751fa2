"""What a checkpoint says of its run, checked before a run goes on from it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from pyskl.errors import CheckpointError

# No run counts so far; larger numbers would only overflow what computes with them.
_MOST = 2**53

# What each number of `meta` may be, where it is there; the last is that of `init_random_seed`.
_RANGES = {
    "epoch": (0, _MOST),
    "iter": (0, _MOST),
    "iters_per_epoch": (1, _MOST),
    "batch": (1, _MOST),
    "world_size": (1, _MOST),
    "seed": (0, 2**63 - 1),
}


def check_resumable(checkpoint: Mapping[str, Any], source: str | Path) -> None:
    """Check that a checkpoint says where its run stood, and nothing that can't be.

    Whether its weights and states fit the run is told where they are loaded.

    Args:
        checkpoint: From :func:`pyskl.checkpoints.checkpoint.load_checkpoint`.
        source: Where it came from, for messages.

    Raises:
        CheckpointError: if training can't be resumed from it.
    """
    meta = checkpoint["meta"]
    missing = [name for name in ("optimizer",) if name not in checkpoint]
    missing += [f"meta.{name}" for name in ("epoch", "iter") if name not in meta]
    if missing:
        raise CheckpointError(
            f"{source} holds weights but no {', '.join(missing)}, so training can't be resumed "
            "from it; to start from its weights use load_from"
        )
    faults = [*_faults_of_meta(meta), *_faults_of_states(checkpoint)]
    if faults:
        raise CheckpointError(
            f"{source}: training can't be resumed from it; to start from its weights use "
            "load_from:\n  " + "\n  ".join(faults)
        )


def _faults_of_meta(meta: Mapping[str, Any]) -> Iterator[str]:
    wrong = []
    for name, (least, most) in _RANGES.items():
        silent = name not in meta or (name == "seed" and meta[name] is None)
        if not silent and not _is_whole(meta[name], least, most):
            wrong.append(name)
            yield (
                f"meta.{name} should be a whole number from {least} to {most}, found "
                f"{_shown(meta[name])}"
            )
    if not wrong and "iters_per_epoch" in meta:
        per_epoch, done = int(meta["iters_per_epoch"]), int(meta["iter"])
        first, last = meta["epoch"] * per_epoch, (meta["epoch"] + 1) * per_epoch
        if not first <= done <= last:
            yield (
                f"meta.iter should lie in {first} to {last} after {meta['epoch']} epochs of "
                f"{per_epoch} iterations, found {done}"
            )
    if not isinstance(meta.get("interim", False), bool):
        yield f"meta.interim should be True or False, found {_shown(meta['interim'])}"
    best = meta.get("best")
    if best is not None and not _is_best(best):
        yield (
            "meta.best should hold the key, score, epoch and file (best_KEY_epoch_NUMBER.pth) of "
            f"the best checkpoint, found {_shown(best)}"
        )


def _faults_of_states(checkpoint: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(checkpoint["optimizer"], Mapping):
        yield f"optimizer should be a dict, found {_shown(checkpoint['optimizer'])}"
    scaler = checkpoint.get("scaler")
    if scaler is not None and not _is_scaler(scaler):
        yield f"scaler should be the state of a GradScaler, found {_shown(scaler)}"
    processes = checkpoint.get("processes", [])
    if not isinstance(processes, (list, tuple)):
        yield f"processes should be a list, found {_shown(processes)}"


def _is_whole(value: Any, least: int, most: int) -> bool:
    if not isinstance(value, Integral) or isinstance(value, bool):
        return False
    return least <= int(value) <= most


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_best(best: Any) -> bool:
    """Return whether what a file says of the best checkpoint is of the form that runs write."""
    if not isinstance(best, Mapping) or not {"key", "score", "epoch", "file"} <= best.keys():
        return False
    return (
        isinstance(best["key"], str)
        and _is_number(best["score"])
        and _is_whole(best["epoch"], 0, _MOST)
        and isinstance(best["file"], str)
        and re.fullmatch(r"best_\w+_epoch_\d+\.pth", best["file"]) is not None
    )


def _is_scaler(state: Any) -> bool:
    """Return whether this is the state of a GradScaler; that of one not in use is empty."""
    if not isinstance(state, Mapping):
        return False
    if not state:
        return True
    numbers: list[Any] = [state.get(key) for key in ("scale", "growth_factor", "backoff_factor")]
    if not all(_is_number(number) and -math.inf < number < math.inf for number in numbers):
        return False
    scale, growth, backoff = numbers
    return (
        scale >= 0
        and growth > 1 > backoff > 0
        and _is_whole(state.get("growth_interval"), 1, _MOST)
        and _is_whole(state.get("_growth_tracker"), 0, _MOST)
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 80 else text[:77] + '...'}"
