"""Checkpoints: written so that they are never half there, read without running what they say.

A checkpoint is ``dict(meta=..., state_dict=..., optimizer=..., scaler=...)``, the format of the
family; those of the family load here, and ours there.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from pyskl.checkpoints import safetensors
from pyskl.checkpoints.checksum import add_checksum, wrong_checksum
from pyskl.checkpoints.reader import read_checkpoint
from pyskl.errors import CheckpointError
from pyskl.files.atomic import point_to, replace_with
from pyskl.logging.log import get_logger

LATEST = "latest.pth"

# How many names of a list a message spells out.
_NAMES_SHOWN = 8
_SHAPES_SHOWN = 4


# --- writing --------------------------------------------------------------------------------------


def save_checkpoint(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint with its checksum; until it is safe on the disk the old one stays.

    Raises:
        CheckpointError: if it can't be written.
    """

    def write(partial: Path) -> None:
        # An open file, as torch's own writer tells less of what went wrong.
        with partial.open("wb") as file:
            torch.save(dict(checkpoint), file)
        add_checksum(partial)

    try:
        replace_with(path, write)
    except (OSError, RuntimeError) as error:  # torch's writer makes the latter of the former
        raise CheckpointError(
            f"{path} could not be written ({_cause(error)}); what was saved before is untouched"
        ) from error


def _cause(error: BaseException) -> str:
    """Return what the system said, which torch's writer hides behind a message of its own."""
    known: BaseException | None = error
    while known is not None and not isinstance(known, OSError):
        known = known.__cause__ or known.__context__
    return (str(known or error).splitlines() or [""])[0]


def point_latest_to(path: Path) -> None:
    """Make ``latest.pth`` of the same folder a link to ``path``; at no instant is it missing."""
    point_to(path.with_name(LATEST), path)


def prune_checkpoints(newest: Path, keep: int) -> None:
    """Delete what came before a checkpoint, but for the last few.

    Higher numbers are of another run in the same folder and stay, as mistaking them for newer ones
    would delete the checkpoint that was just written.

    Args:
        newest: ``<prefix>_<number>.pth``.
        keep: How many of that prefix to keep, ``newest`` among them; below 1 for all.
    """
    if keep < 1:
        return
    prefix, _, number = newest.stem.rpartition("_")
    older = [
        path for found, path in numbered_checkpoints(newest.parent, prefix) if found < int(number)
    ]
    for path in older[: max(0, len(older) - (keep - 1))]:
        path.unlink(missing_ok=True)


def numbered_checkpoints(work_dir: Path, prefix: str) -> list[tuple[int, Path]]:
    """Return ``(number, path)`` of the files ``<prefix>_<number>.pth``, by number."""
    pattern = re.compile(rf"{re.escape(prefix)}_(\d+)\.pth")
    found = [
        (int(match[1]), path)
        for path in work_dir.glob(f"{prefix}_*.pth")
        if (match := pattern.fullmatch(path.name))
    ]
    return sorted(found)


# --- reading --------------------------------------------------------------------------------------


def load_checkpoint(
    path: str | Path, *, map_location: str | torch.device = "cpu", trusted: bool = False
) -> dict[str, Any]:
    """Read a checkpoint, or a bare state dict, as ``dict(meta, state_dict, ...)``.

    Args:
        path: The file: what ``torch.save`` writes, or ``.safetensors``.
        map_location: Device to put tensors on.
        trusted: Read it with plain pickle, which runs whatever the file says. Only for files whose
            maker you trust as you trust their programs.

    Raises:
        CheckpointError: if the file is missing, damaged or holds no parameters.
        UntrustedFileError: if it asks for more than tensors, numbers, strings and containers.
    """
    path = Path(path)
    if path.is_dir():
        raise CheckpointError(f"{path}: this is a folder; expected a checkpoint")
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such checkpoint")
    damage = wrong_checksum(path)
    if damage is not None:
        raise CheckpointError(f"{path}: damaged or not a checkpoint ({damage})")
    if path.suffix == safetensors.SUFFIX:
        content: Any = safetensors.read_weights(path, map_location)
    else:
        content = read_checkpoint(path, map_location, trusted=trusted)
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path}: expected a dict, found {type(content).__name__}")
    checkpoint = dict(content)
    if "state_dict" not in checkpoint:
        if not checkpoint or not all(isinstance(v, torch.Tensor) for v in checkpoint.values()):
            raise CheckpointError(
                f"{path}: expected the key 'state_dict', or tensors by name; found the keys "
                f"{_shown(checkpoint)}"
            )
        checkpoint = {"state_dict": checkpoint}
    weights = checkpoint["state_dict"]
    if not isinstance(weights, Mapping) or not all(
        isinstance(value, torch.Tensor) for value in weights.values()
    ):
        raise CheckpointError(f"{path}: 'state_dict' should hold tensors by name")
    checkpoint["state_dict"] = OrderedDict(
        (str(name).removeprefix("module."), value) for name, value in weights.items()
    )
    meta = checkpoint.get("meta")
    checkpoint["meta"] = dict(meta) if isinstance(meta, Mapping) else {}
    return checkpoint


def load_weights(
    model: nn.Module, state_dict: Mapping[str, torch.Tensor], source: str, *, new_head: bool = False
) -> None:
    """Copy the weights of a checkpoint into a model.

    Args:
        model: The model.
        state_dict: Its parameters and buffers by name.
        source: Where they came from; used in messages.
        new_head: Leave out classifier weights of another number of classes, with a warning that
            says so; for fine-tuning.

    Raises:
        CheckpointError: naming the keys and shapes that don't fit.
    """
    given = dict(state_dict)
    left_out = misfits(model, given, source, new_head=new_head)
    if left_out:
        pairs = ", ".join(f"{name} {a} for {b}" for name, (a, b) in sorted(left_out.items()))
        get_logger().warning(
            "the classifier of %s has another size and starts untrained (%s)", source, pairs
        )
        for name in left_out:
            del given[name]
    model.load_state_dict(given, strict=False)


def misfits(
    model: nn.Module, given: Mapping[str, torch.Tensor], source: str, *, new_head: bool = False
) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Check that weights fit a model, which stays as it is; see :func:`load_weights`.

    Returns:
        Name → shapes in the file and in the model, of the weights that ``new_head`` leaves out.
    """
    own = model.state_dict()
    other_shape = {
        name: (tuple(given[name].shape), tuple(own[name].shape))
        for name in given.keys() & own.keys()
        if given[name].shape != own[name].shape
    }
    left_out = {
        name: other_shape.pop(name)
        for name in list(other_shape)
        if new_head and name.startswith("cls_head.")
    }
    missing = [name for name in own if name not in given]
    unexpected = [name for name in given if name not in own]
    faults = []
    if missing:
        faults.append(f"{len(missing)} missing: {_shown(missing)}")
    if unexpected:
        faults.append(f"{len(unexpected)} that the model lacks: {_shown(unexpected)}")
    if other_shape:
        shapes = [f"{name} {a} for {b}" for name, (a, b) in sorted(other_shape.items())]
        faults.append(f"{len(shapes)} of another shape (file's for model's):")
        faults += [f"  {shape}" for shape in shapes[:_SHAPES_SHOWN]]
        if len(shapes) > _SHAPES_SHOWN:
            faults.append(f"  and {len(shapes) - _SHAPES_SHOWN} more")
    if faults:
        raise CheckpointError(
            f"{source} does not fit the model that the config describes:\n  " + "\n  ".join(faults)
        )
    return left_out


def load_optimizer(optimizer: Optimizer, state: Mapping[str, Any], source: str) -> None:
    """Give an optimizer the state that a checkpoint holds.

    Raises:
        CheckpointError: if it is the state of another optimizer, or of other parameters.
    """
    try:
        known = set.intersection(*(set(group) for group in state["param_groups"]))
        missing = sorted(set(optimizer.defaults) - known - _OPTIMIZER_SWITCHES)
        if missing:
            raise ValueError(f"it lacks {', '.join(missing)}")
        optimizer.load_state_dict(dict(state))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{source}: its optimizer state does not fit {type(optimizer).__name__} ({error}); "
            "to start from its weights use load_from"
        ) from error


# Entries of a parameter group that say how to compute, not what; torch adds some with time.
_OPTIMIZER_SWITCHES = {
    "capturable", "decoupled_weight_decay", "differentiable", "foreach", "fused", "maximize",
}  # fmt: skip


def _shown(names: Any) -> str:
    names = [str(name) for name in names]
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more
