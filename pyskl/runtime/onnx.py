"""An exported ``.onnx`` file, computed by onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.errors import DeviceError, InputError
from pyskl.runtime.metadata import INPUT, KEY, OUTPUT, ModelMetadata
from pyskl.runtime.recognizer import ExportedRecognizer


class OnnxRecognizer(ExportedRecognizer):
    """A recognizer in an ``.onnx`` file that ``tools/export.py`` wrote; it needs no torch.

    The file is data: onnxruntime knows the operators that it may name, and runs no code of its
    maker's. It may still ask for any amount of time and memory.

    Args:
        path: The file.
        threads: Threads that compute one call; None leaves it to onnxruntime.
        providers: What computes, the first that can: ``'CPUExecutionProvider'``,
            ``'CUDAExecutionProvider'`` and what else onnxruntime was built with.

    Raises:
        InputError: if onnxruntime is missing, or the file is no such model.
        DeviceError: if onnxruntime lacks a provider.

    Example::

        recognizer = OnnxRecognizer('stgcn.onnx')
        recognizer.predict(keypoint)  # (M, T, V, C) → [(class, score), ...]
        recognizer.labels, recognizer.layout, recognizer.metadata
    """

    def __init__(
        self,
        path: str | Path,
        *,
        threads: int | None = None,
        providers: Sequence[str] = ("CPUExecutionProvider",),
    ) -> None:
        self._session = _session(Path(path), threads, providers)
        text = self._session.get_modelmeta().custom_metadata_map.get(KEY)
        super().__init__(path, ModelMetadata.from_json(text, str(path)))
        self._check_ends()

    def logits(self, keypoint: np.ndarray) -> np.ndarray:
        """Score clips (N, M, T, V, C) float32; returns (N, L) float32."""
        clips = np.ascontiguousarray(keypoint, np.float32)
        try:
            (found,) = self._session.run([OUTPUT], {INPUT: clips})
        except Exception as error:  # a stranger's graph can fail in any way
            first = (str(error).splitlines() or [""])[0]
            raise InputError(
                f"{self.path}: onnxruntime can't compute it for clips (N, M, T, V, C) = "
                f"{clips.shape} ({first[:300]})"
            ) from error
        return found

    def _check_ends(self) -> None:
        """Check that the graph takes and gives what the metadata says."""
        found = [
            (end.name, end.type, tuple(end.shape))
            for end in (*self._session.get_inputs(), *self._session.get_outputs())
        ]
        # Free axes have names, which other exporters may choose otherwise.
        shapes = (self.metadata.input_shape, ("N", self.num_classes))
        wanted = [(name, "tensor(float)", shape) for name, shape in zip((INPUT, OUTPUT), shapes)]
        if len(found) != 2 or not all(
            end[:2] == right[:2] and _same_sizes(end[2], right[2])
            for end, right in zip(found, wanted)
        ):
            raise InputError(
                f"{self.path}: by its metadata it takes and gives {wanted}, but by its graph "
                f"{found}"
            )


def _same_sizes(found: Sequence[Any], wanted: Sequence[Any]) -> bool:
    """Return whether two shapes have the same fixed sizes in the same places."""
    return len(found) == len(wanted) and all(
        a == b or (not isinstance(a, int) and not isinstance(b, int)) for a, b in zip(found, wanted)
    )


def _session(path: Path, threads: int | None, providers: Sequence[str]) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(
            "running an .onnx file needs onnxruntime: pip install onnxruntime"
        ) from error
    if not path.is_file():
        raise InputError(f"{path}: there is no such model")
    missing = [name for name in providers if name not in onnxruntime.get_available_providers()]
    if missing:
        raise DeviceError(
            f"onnxruntime has no {', '.join(missing)} here; it has "
            f"{', '.join(onnxruntime.get_available_providers())}"
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; they come as exceptions, too
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(path, options, providers=list(providers))
    except Exception as error:  # damaged bytes can spell any error
        first = (str(error).splitlines() or [""])[0]
        raise InputError(f"{path}: onnxruntime can't load it ({first[:300]})") from error
