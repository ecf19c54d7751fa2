"""An exported model that torch runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pyskl.errors import InputError
from pyskl.runtime.metadata import ModelMetadata
from pyskl.runtime.recognizer import ExportedRecognizer


class TorchRecognizer(ExportedRecognizer):
    """A recognizer whose clips a function of torch scores.

    Args:
        path: The file, for messages.
        metadata: What the file says of itself.
        function: Maps keypoints (N, M, T, V, C) float32 to logits (N, L).
    """

    def __init__(
        self, path: str | Path, metadata: ModelMetadata, function: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__(path, metadata)
        self._function = function

    def logits(self, keypoint: np.ndarray) -> np.ndarray:
        """Score clips (N, M, T, V, C) float32; returns (N, L) float32.

        Raises:
            InputError: if the model does not take clips of that shape.
        """
        clips = torch.from_numpy(np.ascontiguousarray(keypoint, np.float32))
        try:
            with torch.no_grad():
                return self._function(clips).float().numpy()
        except (RuntimeError, AssertionError, ValueError) as error:
            first = (str(error).strip().splitlines() or [""])[0]
            raise InputError(
                f"{self.path}: torch can't compute it for clips (N, M, T, V, C) = "
                f"{tuple(clips.shape)} ({first[:300]})"
            ) from error
