"""Recognizers that run in torch.

Shapes: N clips, M persons, T frames, V joints, C channels, L classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor, nn

from pyskl.apis.inference import init_recognizer
from pyskl.config import load_config
from pyskl.datasets.dataset_tree import first_with
from pyskl.datasets.label_names import names_of_data
from pyskl.distributed.env import DistEnv, choose_device, usable_device
from pyskl.errors import InputError
from pyskl.evaluation.scoring import is_compiled
from pyskl.inference.sources import read_recording_sample
from pyskl.runtime.onnx import first_line
from pyskl.runtime.recognizer import CLIPS_PER_CALL, Recognizer
from pyskl.skeleton import SkeletonLayout
from pyskl.training.memory import keep_freed_memory


class TorchRecognizer(Recognizer):
    """A recognizer that scores clips with a torch function.

    Args:
        name: Its name in messages, usually its file.
        score_clips: Maps clips (N, M, T, V, C) float32 to logits (N, L).
        device: The device to compute on.
        threads: On a CPU, score different clips in different threads, which is faster than several
            threads for each clip.
        description: The other arguments of :class:`pyskl.runtime.Recognizer`.
    """

    def __init__(
        self,
        name: str,
        score_clips: Callable[[Tensor], Tensor],
        *,
        device: str | torch.device = "cpu",
        threads: bool = False,
        **description: Any,
    ) -> None:
        super().__init__(name, **description)
        self.device = torch.device(device)
        self._score_clips = score_clips
        self._threads = threads and self.device.type == "cpu"

    @classmethod
    def of_model(
        cls,
        model: nn.Module,
        pipeline: Sequence[Any],
        *,
        name: str = "the model",
        labels: Sequence[str] | None = None,
    ) -> TorchRecognizer:
        """Wrap a model.

        Args:
            model: A :class:`pyskl.models.RecognizerGCN` in evaluation mode.
            pipeline: The transforms of ``data.test``, or their configs.
            name: Its name in messages.
            labels: The names of the classes, if known.
        """
        recognizer: Any = model
        return cls(
            name,
            lambda clips: recognizer.logits(clips).squeeze(1),  # N, 1, L → N, L
            device=next(model.parameters()).device,
            threads=not is_compiled(model),  # compiled code is not safe in several threads
            pipeline=pipeline,
            num_classes=int(recognizer.cls_head.num_classes),
            average_clips=recognizer.average_clips,
            labels=labels,
            layout=layout_of_model(model),
        )

    def logits(self, clips: np.ndarray) -> np.ndarray:
        """Score clips (N, M, T, V, C), float32; returns (N, L)."""
        keypoint = torch.from_numpy(np.ascontiguousarray(clips, np.float32))
        threads = torch.get_num_threads() if self._threads else 1
        at_once = len(keypoint)
        if self.device.type == "cpu":
            at_once = min(-(-at_once // threads), CLIPS_PER_CALL)  # rounded up
        parts = keypoint.split(at_once)
        try:
            if threads == 1 or len(parts) == 1:
                found = [self._score(part) for part in parts]
            else:
                torch.set_num_threads(1)
                try:
                    with ThreadPoolExecutor(threads) as pool:
                        found = list(pool.map(self._score, parts))
                finally:
                    torch.set_num_threads(threads)
        except (RuntimeError, AssertionError, ValueError) as error:
            raise InputError(
                f"torch can't compute the model: {first_line(error)}",
                file=self.name,
                key="(N, M, T, V, C)",
                found=clips.shape,
            ) from error
        return torch.cat(found).numpy()

    def _score(self, clips: Tensor) -> Tensor:
        with torch.inference_mode():
            return self._score_clips(clips.to(self.device)).float().cpu()


def layout_of_model(model: nn.Module) -> SkeletonLayout | None:
    """Return the layout of a recognizer's graph, or None if it has none."""
    graph = getattr(getattr(model, "backbone", None), "graph", None)
    layout = getattr(graph, "layout", None)
    return layout if isinstance(layout, SkeletonLayout) else None


def open_recognizer(
    config: str | Path | Mapping[str, Any] | Config,
    checkpoint: str | Path | None = None,
    device: str = "auto",
    *,
    cfg_options: Sequence[str] = (),
    trusted: bool = False,
) -> TorchRecognizer:
    """Build a recognizer from a config and a checkpoint.

    Args:
        config: The config, or its path. ``data.test.pipeline`` is applied to samples.
        checkpoint: Path or URL of the weights; None leaves them random.
        device: ``'auto'`` for the first GPU or else the CPU, or a device of torch.
        cfg_options: ``key=value`` overrides of the config.
        trusted: Load the checkpoint with plain pickle, which can run code.

    Raises:
        InputError: for errors in the config or the checkpoint.
        DeviceError: if there is no such device.
    """
    place = choose_device(DistEnv()) if device == "auto" else usable_device(device, "--device")
    if place.type == "cpu":
        keep_freed_memory()
    cfg = load_config(config, cfg_options)
    model: Any = init_recognizer(cfg, checkpoint, place, trusted=trusted)
    dataset = first_with(cfg, "test")
    return TorchRecognizer.of_model(
        model,
        dataset["pipeline"],
        name=str(config if isinstance(config, (str, Path)) else checkpoint or "the model"),
        labels=names_of_data(dataset, model.cls_head.num_classes),
    )


def inference_recognizer(
    model: nn.Module,
    sample: Mapping[str, Any] | np.ndarray | Tensor | Sequence[Any] | str | Path,
    topk: int = 5,
    *,
    img_shape: Sequence[int] | None = None,
) -> list[tuple[int, float]]:
    """Recognise the action of one sequence.

    Args:
        model: From :func:`pyskl.apis.init_recognizer`. ``data.test.pipeline`` of its config is
            applied.
        sample: A sample as annotation files hold it (``label`` is not needed), or just its
            ``keypoint``, as an array, a tensor or nested lists: (M, T, V, C), or (T, V, C) for one
            person; or the path of a recording in any format of
            :func:`pyskl.recordings.read_recording`.
        topk: Number of classes to return.
        img_shape: (height, width) in pixels of the images that 2D joints are seen in, if the sample
            does not say it.

    Returns:
        ``(class, score)`` of the best classes, best first.

    Raises:
        AnnotationError: if the sample is malformed, all zeros, or does not fit the model.
        RecordingError: if the recording can't be read, or its joints are not those of the model.
        InputError: if the model is no recognizer with a config, is in training mode, or does not
            average the clips of a sample.

    Example::

        model = init_recognizer(config, checkpoint)
        inference_recognizer(model, 'S001C001P001R001A023.skeleton', topk=1)
    """
    cfg: Any = getattr(model, "cfg", None)
    if not isinstance(cfg, (Mapping, Config)):
        raise InputError(
            "is no config, which has the pipeline of the samples",
            key="model.cfg",
            found=type(cfg).__name__,
            hint="make the model with init_recognizer(config, checkpoint), or set model.cfg = "
            "load_config(config)",
        )
    for name in ("logits", "cls_head", "average_clips"):
        if not hasattr(model, name):
            raise InputError(
                f"is no recognizer: it has no {name}", key="model", found=type(model).__name__
            )
    if model.training:
        raise InputError("is in training mode", key="model", hint="call model.eval() first")
    recognizer = TorchRecognizer.of_model(model, first_with(cfg, "test")["pipeline"])
    if isinstance(sample, (str, Path)):
        sample = read_recording_sample(sample, recognizer.layout)
    return recognizer.predict(sample, topk, img_shape)
