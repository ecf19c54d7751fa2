"""Run exported ``.onnx`` files with onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.errors import DeviceError, InputError
from pyskl.runtime.metadata import INPUT, KEY, OUTPUT, ModelMetadata
from pyskl.runtime.recognizer import CLIPS_PER_CALL, Recognizer

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


class OnnxRecognizer(Recognizer):
    """A recognizer in an ``.onnx`` file that ``tools/export.py`` wrote. It needs no torch.

    The file is data: onnxruntime runs the operators that it knows, and no code from the file. A
    graph can still take any amount of time and memory.

    Args:
        path: The file.
        device: ``'cpu'``, ``'cuda'``, or ``'auto'`` for CUDA if onnxruntime has it.
        threads: Number of threads of one call; None leaves it to onnxruntime.

    Attributes:
        metadata: The metadata in the file.

    Raises:
        InputError: if onnxruntime is missing, or the file is not such a model.
        DeviceError: if onnxruntime can't use the device.

    Example::

        recognizer = OnnxRecognizer('stgcn.onnx')
        recognizer.predict(keypoint)  # (M, T, V, C) → [(class, score), ...]
        recognizer.labels, recognizer.layout, recognizer.metadata
    """

    def __init__(
        self, path: str | Path, device: str = "cpu", *, threads: int | None = None
    ) -> None:
        self._session = _open_session(Path(path), device, threads)
        text = self._session.get_modelmeta().custom_metadata_map.get(KEY)
        self.metadata = ModelMetadata.from_json(text, str(path))
        super().__init__(str(path), **self.metadata.recognizer_arguments())
        self._check_graph()

    def logits(self, clips: np.ndarray) -> np.ndarray:
        """Score clips (N, M, T, V, C), float32; returns (N, L)."""
        clips = np.ascontiguousarray(clips, np.float32)
        try:
            parts = [
                self._session.run([OUTPUT], {INPUT: clips[start : start + CLIPS_PER_CALL]})[0]
                for start in range(0, len(clips), CLIPS_PER_CALL)
            ]
        except Exception as error:  # the error classes of onnxruntime have no common base
            raise InputError(
                f"onnxruntime can't compute the model: {first_line(error)}",
                file=self.name,
                key="(N, M, T, V, C)",
                found=clips.shape,
            ) from error
        return np.concatenate(parts)

    def _check_graph(self) -> None:
        """Check that the inputs and outputs of the graph are those of the metadata."""
        ends = [*self._session.get_inputs(), *self._session.get_outputs()]
        found = [(end.name, end.type, _fixed(end.shape)) for end in ends]
        expected = [
            (INPUT, "tensor(float)", _fixed(self.input_shape)),
            (OUTPUT, "tensor(float)", _fixed(("N", self.num_classes))),
        ]
        if found != expected:
            raise InputError(
                "the graph is not the one that its metadata describes",
                file=self.name,
                found=found,
                expected=str(expected),
            )


def _fixed(shape: Sequence[Any]) -> list[int | None]:
    """Return a shape with None for free axes, which exporters name as they like."""
    return [size if isinstance(size, int) else None for size in shape]


def _open_session(path: Path, device: str, threads: int | None) -> Any:
    if not path.is_file():
        raise InputError("there is no such model", file=path)
    if device not in ("auto", "cpu", "cuda"):
        raise DeviceError(
            "not a device for .onnx files",
            key="--device",
            found=device,
            expected="auto, cpu or cuda",
        )
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(
            "an .onnx file needs onnxruntime", file=path, hint="pip install onnxruntime"
        ) from error
    available = onnxruntime.get_available_providers()
    if device == "cuda" and _CUDA not in available:
        raise DeviceError(
            "this onnxruntime has no CUDA",
            key="--device",
            found=", ".join(available),
            hint="pip install onnxruntime-gpu",
        )
    use_cuda = device == "cuda" or (device == "auto" and _CUDA in available)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only; they are raised, too
    if threads is not None:
        options.intra_op_num_threads = threads
    providers = [_CUDA, _CPU] if use_cuda else [_CPU]
    try:
        return onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # the error classes of onnxruntime have no common base
        raise InputError(
            f"onnxruntime can't load it: {first_line(error)}",
            file=path,
            expected="an .onnx file that tools/export.py wrote",
        ) from error


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, shortened; for errors of other libraries."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
