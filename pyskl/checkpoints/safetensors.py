"""Weights in ``.safetensors`` files: a table of tensors by name, and nothing that could run."""

from __future__ import annotations

from pathlib import Path

import torch

from pyskl.errors import CheckpointError

SUFFIX = ".safetensors"


def read_weights(path: Path, map_location: str | torch.device = "cpu") -> dict[str, torch.Tensor]:
    """Return the tensors of a file by their names.

    Raises:
        CheckpointError: if the file is damaged, or the package safetensors is missing.
    """
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise CheckpointError(
            f"{path}: reading it needs the package safetensors: pip install safetensors"
        ) from error
    try:
        return load_file(path, device=str(map_location))
    except Exception as error:  # damaged bytes can spell any error
        first = (str(error).splitlines() or [""])[0]
        raise CheckpointError(f"{path}: damaged or not of safetensors ({first[:300]})") from error
