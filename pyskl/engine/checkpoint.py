"""Checkpoints: written so that they are never half there, read without running what they say.

A checkpoint is ``dict(meta=..., state_dict=..., optimizer=..., scaler=...)``, the format of the
family; those of the family load here, and ours there.
"""

from __future__ import annotations

import os
import pickle
import re
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from pyskl.engine.log import get_logger
from pyskl.errors import CheckpointError, UntrustedFileError

LATEST = "latest.pth"

# What torch says of a name that it does not admit, and of all else that is wrong with a file.
_REFUSED_NAME = re.compile(r"unsupported (?:global: )?(?:global|class) ([\w.]+)", re.IGNORECASE)
_UNPICKLER_DETAIL = re.compile(r"WeightsUnpickler error:\s*(\S.*)")

# How many names of a list a message spells out.
_NAMES_SHOWN = 8


# --- writing --------------------------------------------------------------------------------------


def save_checkpoint(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint beside ``path`` and move it there once it is safe on the disk."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            torch.save(dict(checkpoint), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:  # torch's writer makes the latter of the former
        raise CheckpointError(
            f"{path} could not be written ({error}); what was saved before is untouched"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    _flush_folder(path.parent)


def point_latest_to(path: Path) -> None:
    """Make ``latest.pth`` of the same folder a link to ``path``; at no instant is it missing."""
    partial = path.with_name(f".{LATEST}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    try:
        partial.symlink_to(path.name)
    except OSError:  # a file system without links
        partial.write_bytes(path.read_bytes())
    os.replace(partial, path.with_name(LATEST))
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Make a renaming in the folder survive a power cut, where the system can do that."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
        path: The file.
        map_location: Device to put tensors on.
        trusted: Read it with plain pickle, which runs whatever the file says. Only for files whose
            maker you trust as you trust their programs.

    Raises:
        CheckpointError: if the file is missing, damaged or holds no parameters.
        UntrustedFileError: if it asks for more than tensors, numbers, strings and containers.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such checkpoint")
    content = _read(path, map_location, trusted=trusted)
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


def _read(path: Path, map_location: str | torch.device, *, trusted: bool) -> Any:
    try:
        if trusted:
            return torch.load(path, map_location=map_location, weights_only=False)
        with _harmless_types_admitted(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols; what matters becomes an error
            return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        refused = _REFUSED_NAME.search(str(error))
        if refused is None:
            detail = _UNPICKLER_DETAIL.search(str(error))
            what = detail[1] if detail else str(error).partition("\n")[0]
            raise CheckpointError(f"{path}: damaged or not a checkpoint ({what})") from error
        raise UntrustedFileError(
            f"{path} was refused: it asks for {refused[1]}, and loading it could run a program. If "
            "you trust whoever made it, say so with --trust-files (trusted=True in Python)"
        ) from None
    except Exception as error:  # damaged bytes can spell any error
        first = (str(error).splitlines() or [""])[0]
        raise CheckpointError(
            f"{path}: damaged or not a checkpoint ({type(error).__name__}: {first})"
        ) from error


@contextmanager
def _harmless_types_admitted() -> Iterator[None]:
    """Admit what checkpoints of the family hold besides tensors: NumPy's numbers."""
    safe_globals = getattr(torch.serialization, "safe_globals", None)
    if safe_globals is None:  # torch 2.4 admits for the whole process
        torch.serialization.add_safe_globals(_NUMPY_NUMBERS)
        yield
        return
    with safe_globals(_NUMPY_NUMBERS):
        yield


class _Dtype:
    """Stands in for ``numpy.dtype``, whose state can pass bytes off as pointers: a number's type.

    Args:
        code: Such as ``'f8'``.
    """

    def __init__(self, code: str, *_: Any) -> None:
        self.dtype = np.dtype(str(code))
        if self.dtype.kind not in "biuf":
            raise ValueError(f"it holds a NumPy scalar of type {code!r}, which is no number")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take the byte order from a dtype's state, and nothing else."""
        self.dtype = self.dtype.newbyteorder(state[1])


def _named(function: Any, module: str, name: str) -> Any:
    """Give a stand-in the name of what it stands in for, by which torch looks it up."""
    function.__module__, function.__name__, function.__qualname__ = module, name, name
    return function


def _scalar_of(module: str) -> Any:
    def scalar(dtype: _Dtype, value: bytes) -> Any:
        return np.frombuffer(value, dtype.dtype, count=1)[0]

    return _named(scalar, module, "scalar")


# NumPy 1 and 2 name the same function differently, and either may read the other's files.
_NUMPY_NUMBERS: list[Any] = [
    _named(_Dtype, "numpy", "dtype"),
    _scalar_of("numpy.core.multiarray"),
    _scalar_of("numpy._core.multiarray"),
]


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
        faults.append(f"{len(shapes)} of another shape (file's for model's): {_shown(shapes)}")
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
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{source}: its optimizer state does not fit {type(optimizer).__name__} ({error}); "
            "to start from its weights use load_from"
        ) from error


# Entries of a parameter group that say how to compute, not what; torch adds some with time.
_OPTIMIZER_SWITCHES = {
    "capturable", "decoupled_weight_decay", "differentiable", "foreach", "fused", "maximize",
}  # fmt: skip


def check_resumable(checkpoint: Mapping[str, Any], source: str | Path) -> None:
    """Check that a checkpoint says where its run stood.

    Raises:
        CheckpointError: if training can't be resumed from it.
    """
    missing = [name for name in ("optimizer",) if name not in checkpoint]
    missing += [f"meta.{name}" for name in ("epoch", "iter") if name not in checkpoint["meta"]]
    if missing:
        raise CheckpointError(
            f"{source} holds weights but no {', '.join(missing)}, so training can't be resumed "
            "from it; to start from its weights use load_from"
        )


def _shown(names: Any) -> str:
    names = [str(name) for name in names]
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more
