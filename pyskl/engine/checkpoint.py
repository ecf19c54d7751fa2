"""Checkpoints: written so that they are never half there, read without running what they say.

A checkpoint is ``dict(meta=..., state_dict=..., optimizer=..., scaler=...)``, the format of the
family; those of the family load here, and ours there.
"""

from __future__ import annotations

import os
import pickle
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pyskl.engine.log import get_logger
from pyskl.errors import CheckpointError, UntrustedFileError

try:  # NumPy 2 moved the function that its scalars' pickles name
    from numpy._core.multiarray import scalar as _numpy_scalar
except ImportError:  # NumPy 1.26
    from numpy.core.multiarray import scalar as _numpy_scalar  # type: ignore[no-redef]

LATEST = "latest.pth"

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
    except OSError as error:
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


def prune_checkpoints(work_dir: Path, prefix: str, keep: int) -> None:
    """Delete all but the newest ``keep`` of ``<prefix>_<number>.pth``; a negative ``keep`` none."""
    if keep < 0:
        return
    numbered = numbered_checkpoints(work_dir, prefix)
    for _, path in numbered[: len(numbered) - keep]:
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
        checkpoint = {"meta": {}, "state_dict": checkpoint}
    checkpoint["state_dict"] = OrderedDict(
        (str(name).removeprefix("module."), value)
        for name, value in checkpoint["state_dict"].items()
    )
    return checkpoint


def _read(path: Path, map_location: str | torch.device, *, trusted: bool) -> Any:
    try:
        if trusted:
            return torch.load(path, map_location=map_location, weights_only=False)
        with _harmless_types_admitted():
            return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        refused = re.search(r"[Uu]nsupported global: GLOBAL ([\w.]+)|class ([\w.]+) ", str(error))
        if refused is None and "weights_only" not in str(error).lower():
            raise CheckpointError(f"{path}: damaged or not a checkpoint ({error})") from error
        name = next((part for part in (refused.groups() if refused else ()) if part), None)
        what = f"it asks for {name}" if name else str(error).splitlines()[0]
        raise UntrustedFileError(
            f"{path} was refused: {what}, and loading it could run a program. If you trust "
            "whoever made it, say so with --trust-files (trusted=True in Python)"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise CheckpointError(
            f"{path}: damaged or not a checkpoint ({type(error).__name__}: {first})"
        ) from error


@contextmanager
def _harmless_types_admitted() -> Iterator[None]:
    """Admit what checkpoints of the family hold besides tensors: NumPy's numbers."""
    types: list[Any] = [
        np.dtype,
        *{type(np.dtype(code)) for code in ("f2", "f4", "f8", "i4", "i8", "u1", "?")},
    ]
    # NumPy 1 and 2 name the same function differently, and either may read the other's files.
    named = [(_numpy_scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    safe_globals = getattr(torch.serialization, "safe_globals", None)
    if safe_globals is None:  # torch 2.4 admits for the whole process, under the type's own name
        torch.serialization.add_safe_globals([*types, _numpy_scalar])
        yield
        return
    with safe_globals([*types, *named]):
        yield


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
    own = model.state_dict()
    given = dict(state_dict)
    other_shape = {
        name: (tuple(given[name].shape), tuple(own[name].shape))
        for name in given.keys() & own.keys()
        if given[name].shape != own[name].shape
    }
    skipped = [name for name in other_shape if new_head and name.startswith("cls_head.")]
    if skipped:
        pairs = ", ".join(
            "{} {} for {}".format(name, *other_shape[name]) for name in sorted(skipped)
        )
        get_logger().warning(
            "the classifier of %s has another size and starts untrained (%s)", source, pairs
        )
        for name in skipped:
            del other_shape[name], given[name]
    missing = [name for name in own if name not in given and name not in skipped]
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
    model.load_state_dict(given, strict=False)


def _shown(names: Any) -> str:
    names = [str(name) for name in names]
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more
