"""ExportedProgram (``.pt2``): the graph that ``torch.export`` finds, for torch's own compilers."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from pyskl.errors import InputError
from pyskl.export.source import Source, exporting
from pyskl.export.torch_recognizer import TorchRecognizer
from pyskl.runtime.metadata import INPUT, KEY, ModelMetadata


def write(source: Source, path: Path) -> None:
    """Write a model."""
    # torch finds the least size of each axis itself: T must not become 1 on the way, as it would
    # then be taken for a constant.
    axes = dict.fromkeys(source.dynamic, torch.export.Dim.DYNAMIC)
    with exporting():
        program = torch.export.export(
            source.clip_model, (source.example,), dynamic_shapes={INPUT: axes}
        )
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)  # paths of this machine
        # An open file, as by name torch takes no other suffix than .pt2.
        with path.open("wb") as file:
            torch.export.save(program, file, extra_files={KEY: source.metadata.to_json()})


def read(path: Path) -> TorchRecognizer:
    """Read a model back. The file is a program: see :func:`pyskl.export.open_recognizer`.

    Raises:
        InputError: if it is no such file.
    """
    extra = {KEY: ""}
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = torch.export.load(file, extra_files=extra).module()
    except Exception as error:  # damaged bytes can spell any error
        first = (str(error).splitlines() or [""])[0][:300]
        raise InputError(f"{path}: torch can't load it as a program ({first})") from error
    return TorchRecognizer(path, ModelMetadata.from_json(extra[KEY] or None, str(path)), model)
