"""TorchScript: the model as torch recorded it, for programs that use libtorch."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from pyskl.errors import InputError
from pyskl.export.source import Source, exporting
from pyskl.export.torch_recognizer import TorchRecognizer
from pyskl.runtime.metadata import KEY, ModelMetadata


def write(source: Source, path: Path) -> None:
    """Write a model."""
    with exporting():
        traced = torch.jit.trace(source.clip_model, source.example, check_trace=False)
        torch.jit.save(traced, str(path), _extra_files={KEY: source.metadata.to_json()})


def read(path: Path) -> TorchRecognizer:
    """Read a model back. The file is a program: see :func:`pyskl.export.open_recognizer`.

    Raises:
        InputError: if it is no such file.
    """
    extra = {KEY: ""}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is deprecated
            model = torch.jit.load(str(path), map_location="cpu", _extra_files=extra)
    except Exception as error:  # damaged bytes can spell any error
        raise InputError(f"{path}: torch can't load it as TorchScript ({_first(error)})") from error
    text = extra[KEY]
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return TorchRecognizer(path, ModelMetadata.from_json(text or None, str(path)), model)


def _first(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:300]
