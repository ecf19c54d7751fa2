"""Check the training state in a checkpoint before resuming from it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from types import NoneType
from typing import Any

from pyskl.checkpoints.checkpoint import OpenedCheckpoint
from pyskl.errors import CheckpointError

# Far above any real count; larger numbers could overflow.
_MAX_COUNT = 2**53

# Smallest and largest value of each number in `meta`; the last is that of `init_random_seed`.
_RANGES = {
    "epoch": (0, _MAX_COUNT),
    "iter": (0, _MAX_COUNT),
    "iters_per_epoch": (1, _MAX_COUNT),
    "batch": (1, _MAX_COUNT),
    "world_size": (1, _MAX_COUNT),
    "seed": (0, 2**63 - 1),
}


def check_resumable(checkpoint: OpenedCheckpoint) -> None:
    """Check that a checkpoint has the position of its run and only valid values.

    Loading its weights and states checks whether they fit the model.

    Raises:
        CheckpointError: if training can't be resumed from it; ``errors`` lists all problems.
    """
    meta = checkpoint.meta
    missing = [] if checkpoint.optimizer is not None else ["optimizer"]
    missing += [f"meta.{name}" for name in ("epoch", "iter") if name not in meta]
    errors = [CheckpointError("is missing", key=key) for key in missing]
    if not errors:
        errors = [*_errors_of_meta(meta), *_errors_of_states(checkpoint)]
    if errors:
        raise CheckpointError(
            "training can't be resumed from it; to start from its weights only, use load_from:",
            file=checkpoint.source,
            errors=errors,
        )


def _errors_of_meta(meta: Mapping[str, Any]) -> Iterator[CheckpointError]:
    wrong = [
        name
        for name, (low, high) in _RANGES.items()
        if name in meta
        and not (name == "seed" and meta[name] is None)
        and not _is_integer(meta[name], low, high)
    ]
    for name in wrong:
        low, high = _RANGES[name]
        yield _error(f"meta.{name}", meta[name], f"a whole number from {low} to {high}")
    if not wrong and "iters_per_epoch" in meta:
        per_epoch, iteration = int(meta["iters_per_epoch"]), int(meta["iter"])
        first, last = meta["epoch"] * per_epoch, (meta["epoch"] + 1) * per_epoch
        if not first <= iteration <= last:
            expected = f"{first} to {last} after {meta['epoch']} epochs of {per_epoch} iterations"
            yield _error("meta.iter", iteration, expected)
    if not isinstance(meta.get("interim", False), bool):
        yield _error("meta.interim", meta["interim"], "True or False")
    options, data = meta.get("options"), meta.get("data")
    if options is not None and not _is_plain_dict(options):
        yield _error("meta.options", options, "numbers and text by name")
    if data is not None and not _is_data(data):
        yield _error("meta.data", data, "the facts of each data set by use")
    best = meta.get("best")
    if best is not None and not _is_best(best):
        expected = "key, score, epoch and file (best_KEY_epoch_NUMBER.pth) of the best checkpoint"
        yield _error("meta.best", best, expected)


def _errors_of_states(checkpoint: OpenedCheckpoint) -> Iterator[CheckpointError]:
    if not isinstance(checkpoint.optimizer, Mapping):
        yield _error("optimizer", checkpoint.optimizer, "a dict")
    if checkpoint.scaler is not None and not _is_scaler(checkpoint.scaler):
        yield _error("scaler", checkpoint.scaler, "the state of a GradScaler")
    if not isinstance(checkpoint.processes, (list, tuple)):
        yield _error("processes", checkpoint.processes, "a list")


def _error(key: str, found: Any, expected: str) -> CheckpointError:
    text = f"{type(found).__name__} {found!r}"
    found = text if len(text) <= 80 else f"{text[:77]}..."
    return CheckpointError("wrong value", key=key, found=found, expected=expected)


def _is_integer(value: Any, low: int, high: int) -> bool:
    is_integer = isinstance(value, Integral) and not isinstance(value, bool)
    return is_integer and low <= int(value) <= high


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_plain_dict(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(item, (str, int, float, NoneType)) for item in value.values()
    )


def _is_data(value: Any) -> bool:
    """Return whether this describes the data sets in the format of ``meta``."""
    return isinstance(value, Mapping) and all(
        isinstance(leaves, list) and all(map(_is_plain_dict, leaves)) for leaves in value.values()
    )


def _is_best(best: Any) -> bool:
    """Return whether this describes the best checkpoint in the format of ``meta``."""
    return (
        isinstance(best, Mapping)
        and isinstance(best.get("key"), str)
        and _is_number(best.get("score"))
        and _is_integer(best.get("epoch"), 0, _MAX_COUNT)
        and isinstance(best.get("file"), str)
        and re.fullmatch(r"best_\w+_epoch_\d+\.pth", best["file"]) is not None
    )


def _is_scaler(state: Any) -> bool:
    """Return whether this is the state of a GradScaler, which is empty if it is disabled."""
    if not isinstance(state, Mapping):
        return False
    if not state:
        return True
    numbers: list[Any] = [state.get(key) for key in ("scale", "growth_factor", "backoff_factor")]
    if not all(_is_number(number) and math.isfinite(number) for number in numbers):
        return False
    scale, growth, backoff = numbers
    return (
        scale >= 0
        and growth > 1 > backoff > 0
        and _is_integer(state.get("growth_interval"), 1, _MAX_COUNT)
        and _is_integer(state.get("_growth_tracker"), 0, _MAX_COUNT)
    )
