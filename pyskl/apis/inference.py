"""Recognise the action of one sequence, and open recognizers for many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from pyskl.checkpoints.checkpoint import open_checkpoint
from pyskl.checkpoints.weights import load_weights
from pyskl.config import load_config
from pyskl.datasets.dataset_tree import first_with
from pyskl.datasets.label_names import names_of_data
from pyskl.datasets.loader import collate
from pyskl.datasets.pipelines import Compose
from pyskl.distributed.env import DistEnv, choose_device
from pyskl.errors import AnnotationError, DeviceError, InputError
from pyskl.inference.ensemble import Member, stream_of_pipeline
from pyskl.inference.model import ModelRecognizer, layout_of_model
from pyskl.inference.sources import read_one
from pyskl.models import build_model
from pyskl.models.convert import replace_sync_batchnorm
from pyskl.runtime.recognizer import best_classes
from pyskl.runtime.sample import complete_sample
from pyskl.training.memory import keep_freed_memory


def init_recognizer(
    config: str | Path | Mapping[str, Any] | Config,
    checkpoint: str | Path | None = None,
    device: str | torch.device = "cpu",
    *,
    trusted: bool = False,
) -> nn.Module:
    """Build a recognizer that is ready for :func:`inference_recognizer`.

    Args:
        config: The config, or its path.
        checkpoint: Path or URL of the weights; None leaves them random.
        device: Where to put it.
        trusted: Load the checkpoint with plain pickle, which runs what it says.

    Returns:
        The model in evaluation mode; its config is in ``model.cfg``.
    """
    cfg = load_config(config)
    model = build_model(cfg.model)
    if checkpoint is not None:
        opened = open_checkpoint(checkpoint, trusted=trusted)
        load_weights(model, opened.state_dict, opened.source)
    if torch.device(device).type == "cpu":
        model = replace_sync_batchnorm(model)
    model.cfg = cfg
    return model.to(device).eval()


def inference_recognizer(
    model: nn.Module, sample: Mapping[str, Any] | np.ndarray | str | Path, topk: int = 5
) -> list[tuple[int, float]]:
    """Recognise the action of one sequence.

    Args:
        model: From :func:`init_recognizer`; its config's ``data.test.pipeline`` is applied.
        sample: A sample as annotation files hold them (``label`` is not needed), or its
            ``keypoint`` alone: (M, T, V, C), or (T, V, C) for one person; or the path of a
            recording of any format that :func:`pyskl.recordings.read_recording` takes.
        topk: How many classes to return.

    Returns:
        ``(class, score)`` of the best classes, the best first.

    Raises:
        AnnotationError: if the sample is malformed.
        RecordingError: if the recording can't be read, or its joints are not those of the model.
        InputError: if the model does not average the clips of a sample.

    Example::

        model = init_recognizer(config, checkpoint)
        inference_recognizer(model, 'S001C001P001R001A023.skeleton', topk=1)
    """
    if isinstance(sample, (str, Path)):
        sample = read_one(sample, layout_of_model(model))
    full, cfg = complete_sample(sample), cast(Config, model.cfg)
    try:
        prepared = Compose(first_with(cfg, "test")["pipeline"])(full)
    except ValueError as error:
        raise AnnotationError(f"sample {full['frame_dir']!r}: {error}") from error
    keypoint = collate([prepared])["keypoint"].to(next(model.parameters()).device)
    with torch.inference_mode():
        scores = model.predict(keypoint)[0].float().cpu().numpy()  # type: ignore[operator]
    if scores.ndim > 1:
        raise InputError(
            "the model keeps the clips of a sample apart (average_clips=None), so there is no "
            "ranking of the classes: set model.average_clips = 'prob'"
        )
    return best_classes(scores, topk)


def open_recognizer(
    config: str | Path | Mapping[str, Any] | Config,
    checkpoint: str | Path | None = None,
    device: str = "auto",
    *,
    cfg_options: Sequence[str] = (),
    trusted: bool = False,
) -> Member:
    """Build a recognizer for many samples: for :class:`pyskl.inference.Ensemble`.

    Args:
        config: The config, or its path; ``data.test.pipeline`` is applied to samples.
        checkpoint: Path or URL of the weights; None leaves them random.
        device: ``'auto'`` for the first GPU, or the CPU where there is none; or its name.
        cfg_options: ``key=value`` overrides of the config.
        trusted: Load the checkpoint with plain pickle, which runs what it says.

    Raises:
        InputError: for faults of the config or the checkpoint.
        DeviceError: if there is no such device.
    """
    place = _device(device)
    if place.type == "cpu":
        keep_freed_memory()
    cfg = load_config(config, cfg_options)
    model = init_recognizer(cfg, checkpoint, place, trusted=trusted)
    dataset = first_with(cfg, "test")
    recognizer = ModelRecognizer(model, dataset["pipeline"])
    labels = names_of_data(dataset, recognizer.num_classes)
    name = config if isinstance(config, (str, Path)) else checkpoint or "the model"
    return Member(
        ModelRecognizer(model, dataset["pipeline"], labels),
        str(name),
        stream_of_pipeline(dataset["pipeline"]),
    )


def _device(name: str) -> torch.device:
    if name == "auto":
        return choose_device(DistEnv())
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built with CUDA
        first = (str(error).splitlines() or [""])[0]
        raise DeviceError(f"--device {name}: there is no such device here ({first[:200]})") from (
            error
        )
    return device
