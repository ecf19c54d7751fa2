"""What makes two finished runs the same: every bit but times and places."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

# Of a checkpoint's `meta`: the name of the log, which is the time at which the run was started.
_OF_THE_CLOCK = {"log"}
# Of a line of the log.
_TIMES = {"time", "data_time", "memory"}


def differences(first: Path, second: Path, *, same_files: bool = True) -> list[str]:
    """Return in what two work dirs of finished runs differ; nothing if they are the same.

    Compared are the last and the best checkpoint (weights, statistics, optimizer, scaler, states of
    the processes, position, best score), the scores, the names of all checkpoints, and the lines
    of the log: in order, without what it says of the machine and of time.

    Args:
        first: A work dir.
        second: Another.
        same_files: Whether there must be the same checkpoints; else those in common are compared.
    """
    found = []
    names = [{path.name for path in folder.glob("*.pth")} for folder in (first, second)]
    if same_files and names[0] != names[1]:
        found.append(f"checkpoints {sorted(names[0])} and {sorted(names[1])}")
    for name in sorted(names[0] & names[1]):
        loaded = [
            torch.load(folder / name, weights_only=True, map_location="cpu")
            for folder in (first, second)
        ]
        found += [f"{name}: {where}" for where in _unequal("", *loaded)]
    for name in ("last_pred.pkl", "best_pred.pkl"):
        files = [folder / name for folder in (first, second)]
        if files[0].exists() != files[1].exists() or (
            files[0].exists() and files[0].read_bytes() != files[1].read_bytes()
        ):
            found.append(name)
    lines = [_figures(folder) for folder in (first, second)]
    if lines[0] != lines[1]:
        found.append(f"lines of the log: {_first_difference(*lines)}")
    return found


def _unequal(where: str, a: Any, b: Any) -> Iterator[str]:
    """Yield the places in two nested values that differ in a bit."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        if a.dtype != b.dtype or a.shape != b.shape or _bits(a) != _bits(b):
            yield where
    elif isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in sorted({*a, *b} - _OF_THE_CLOCK, key=str):
            if key in a and key in b:
                yield from _unequal(f"{where}/{key}", a[key], b[key])
            else:
                yield f"{where}/{key} (only in one)"
    elif isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b):
        for index, (one, other) in enumerate(zip(a, b)):
            yield from _unequal(f"{where}/{index}", one, other)
    elif type(a) is not type(b) or a != b:
        yield f"{where} ({str(a)[:60]!r} and {str(b)[:60]!r})"


def _bits(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().numpy().tobytes()


def _figures(work_dir: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's log that tell of its course.

    A run that was killed before its first checkpoint begins anew, with a file of its own: the
    checkpoint names the file that counts.
    """
    meta = torch.load(work_dir / "latest.pth", weights_only=True, map_location="cpu")["meta"]
    path = work_dir / f"{meta['log']}.log.json"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        {key: value for key, value in line.items() if key not in _TIMES}
        for line in lines
        if "mode" in line
    ]


def _first_difference(a: list[Any], b: list[Any]) -> str:
    for one, other in zip(a, b):
        if one != other:
            return f"{one} and {other}"
    return f"{len(a)} and {len(b)} of them"
