"""safetensors: the weights alone, in a format that can't hold anything that runs."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from torch import Tensor

from pyskl.checkpoints.checkpoint import read_safetensors
from pyskl.checkpoints.weights import load_weights
from pyskl.export.source import Source
from pyskl.export.torch_recognizer import TorchRecognizer
from pyskl.runtime.metadata import KEY


def write(source: Source, path: Path) -> None:
    """Write the weights of a recognizer, by the names of its checkpoint.

    They are neither fused nor rearranged: the file takes the place of the checkpoint.
    """
    from safetensors.torch import save

    half = source.metadata.precision == "fp16"
    tensors = {
        name: value.half() if half and value.is_floating_point() else value
        for name, value in source.recognizer.state_dict().items()
    }
    content = save(
        {name: value.contiguous().clone() for name, value in tensors.items()},
        metadata={"format": "pt", KEY: source.metadata.to_json()},
    )
    path.write_bytes(content)


def reread(source: Source, path: Path) -> TorchRecognizer:
    """Read the weights back, into a recognizer of the same config."""
    recognizer: Any = copy.deepcopy(source.recognizer)
    for value in recognizer.state_dict().values():
        value.zero_()  # what the file lacks must not be there by itself
    load_weights(recognizer, read_safetensors(path), str(path))

    def logits(clips: Tensor) -> Tensor:
        return recognizer.logits(clips).squeeze(1)  # (N, 1, L) → (N, L)

    return TorchRecognizer(path, source.metadata, logits)
