"""A recognizer that a config describes, computed by torch.

Shapes: N samples, L classes, M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pyskl.datasets.pipelines import Compose
from pyskl.errors import AnnotationError
from pyskl.evaluation.scoring import predictions
from pyskl.runtime.sample import complete_sample
from pyskl.skeleton import SkeletonLayout

# Clips that one thread of a CPU takes at once; more take memory and no less time.
_CLIPS_AT_ONCE = 16


class ModelRecognizer:
    """A recognizer of torch with its test pipeline.

    Args:
        model: A :class:`pyskl.models.RecognizerGCN`, in evaluation mode.
        pipeline: The transforms of ``data.test``, or their configs.
        labels: The names of the classes, where known.

    Raises:
        ConfigError: for a faulty pipeline.
    """

    def __init__(
        self, model: nn.Module, pipeline: Sequence[Any], labels: Sequence[str] | None = None
    ) -> None:
        self.model = model
        self._pipeline = Compose(pipeline)
        self._labels = None if labels is None else tuple(labels)

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The names of the classes, where known."""
        return self._labels

    @property
    def layout(self) -> SkeletonLayout | None:
        """The skeleton of the model's graph; None where it has none."""
        return layout_of_model(self.model)

    @property
    def num_classes(self) -> int:
        """The number of classes L."""
        return int(self.model.cls_head.num_classes)  # type: ignore[union-attr, arg-type]

    def prepare(self, sample: Mapping[str, Any] | np.ndarray) -> np.ndarray:
        """Return the clips of a sample, (clips, M, T, V, C) float32.

        Raises:
            AnnotationError: if it is malformed or does not fit the pipeline.
        """
        full = complete_sample(sample)
        try:
            return np.asarray(self._pipeline(full)["keypoint"], dtype=np.float32)
        except ValueError as error:
            raise AnnotationError(f"sample {full['frame_dir']!r}: {error}") from error

    def scores(self, batch: np.ndarray) -> np.ndarray:
        """Score clips (N, clips, M, T, V, C); see :meth:`pyskl.models.RecognizerGCN.predict`.

        On the CPU the threads share out the samples, or the clips of a single one.

        Raises:
            ValueError: if they do not fit the model.
        """
        keypoint = torch.from_numpy(np.ascontiguousarray(batch, dtype=np.float32))
        device = next(self.model.parameters()).device
        if len(keypoint) == 1:
            averaged = getattr(self.model, "average_clips", None) in ("prob", "score")
            if device.type == "cpu" and keypoint.shape[1] > 1 and averaged:
                return self._shared_out(keypoint).numpy()
            with torch.inference_mode():
                found = self.model.predict(keypoint.to(device))  # type: ignore[operator]
            return found.float().cpu().numpy()
        at_once = len(keypoint)
        if device.type == "cpu":
            at_once = max(1, _CLIPS_AT_ONCE // keypoint.shape[1])
        parts = ({"keypoint": part} for part in keypoint.split(at_once))
        return torch.cat(list(predictions(self.model, parts, device))).cpu().numpy()

    def _shared_out(self, keypoint: Tensor) -> Tensor:
        """Score the clips of one sample (1, clips, M, T, V, C), each thread some of them."""
        parts = keypoint.chunk(torch.get_num_threads(), dim=1)
        batches = ({"keypoint": part} for part in parts)
        found = torch.stack(list(predictions(self.model, batches, keypoint.device)))
        # Those of a part are averaged already: parts count by their clips.
        share = torch.tensor([part.shape[1] / keypoint.shape[1] for part in parts])
        return torch.einsum("p,pnl->nl", share, found)


def layout_of_model(model: nn.Module) -> SkeletonLayout | None:
    """Return the layout of a recognizer's graph; None where it has none."""
    graph = getattr(getattr(model, "backbone", None), "graph", None)
    layout = getattr(graph, "layout", None)
    return layout if isinstance(layout, SkeletonLayout) else None
