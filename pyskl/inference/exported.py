"""Exported models as members of an ensemble; without torch."""

from __future__ import annotations

from pathlib import Path

from pyskl.errors import DeviceError, InputError
from pyskl.inference.ensemble import Member, stream_of_pipeline
from pyskl.runtime import OnnxRecognizer

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def open_onnx(path: str | Path, device: str = "auto") -> Member:
    """Open a model that ``tools/export.py`` wrote.

    Args:
        path: The ``.onnx`` file.
        device: ``'cpu'``, ``'cuda'``, or ``'auto'`` for the latter where onnxruntime has it.

    Raises:
        InputError: if onnxruntime is missing, or the file is no such model.
        DeviceError: if onnxruntime can't compute there.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"--device {device}: an .onnx file takes auto, cpu or cuda")
    if Path(path).suffix.lower() != ".onnx":
        raise InputError(
            f"{path}: --model takes an .onnx file that tools/export.py wrote; a checkpoint goes "
            "with its config: CONFIG CHECKPOINT"
        )
    cuda = device == "cuda" or (device == "auto" and _CUDA in _providers())
    recognizer = OnnxRecognizer(path, providers=(_CUDA, _CPU) if cuda else (_CPU,))
    return Member(recognizer, str(path), stream_of_pipeline(recognizer.metadata.pipeline))


def _providers() -> list[str]:
    try:
        import onnxruntime
    except ImportError:  # the recognizer says so
        return []
    return list(onnxruntime.get_available_providers())
