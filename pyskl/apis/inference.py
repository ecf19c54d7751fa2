"""Recognise the action of one sequence."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from pyskl.config import load_config
from pyskl.datasets.annotation import sample_fault
from pyskl.datasets.loader import collate
from pyskl.datasets.pipelines import Compose
from pyskl.engine.checkpoint import load_checkpoint, load_weights
from pyskl.engine.download import local_checkpoint
from pyskl.errors import AnnotationError, InputError
from pyskl.models import build_model
from pyskl.models.units.norm import replace_sync_batchnorm


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
        path = local_checkpoint(checkpoint, trusted=trusted)
        weights = load_checkpoint(path, trusted=trusted)["state_dict"]
        load_weights(model, weights, str(checkpoint))
    if torch.device(device).type == "cpu":
        model = replace_sync_batchnorm(model)
    model.cfg = cfg
    return model.to(device).eval()


def inference_recognizer(
    model: nn.Module, sample: Mapping[str, Any] | np.ndarray, topk: int = 5
) -> list[tuple[int, float]]:
    """Recognise the action of one sequence.

    Args:
        model: From :func:`init_recognizer`; its config's ``data.test.pipeline`` is applied.
        sample: A sample as annotation files hold them (``label`` is not needed), or its
            ``keypoint`` alone: (M, T, V, C), or (T, V, C) for one person.
        topk: How many classes to return.

    Returns:
        ``(class, score)`` of the best classes, the best first.

    Raises:
        AnnotationError: if the sample is malformed.
        InputError: if the model does not average the clips of a sample.
    """
    if isinstance(sample, np.ndarray):
        sample = {"keypoint": sample[None] if sample.ndim == 3 else sample}
    sample = _completed(sample)
    try:
        prepared = _pipeline(model)(sample)
    except ValueError as error:
        raise AnnotationError(f"sample {sample['frame_dir']!r}: {error}") from error
    keypoint = collate([prepared])["keypoint"].to(next(model.parameters()).device)
    with torch.inference_mode():
        scores = model.predict(keypoint)[0].float().cpu().numpy()  # type: ignore[operator]
    if scores.ndim > 1:
        raise InputError(
            "the model keeps the clips of a sample apart (average_clips=None), so there is no "
            "ranking of the classes: set model.average_clips = 'prob'"
        )
    best = np.argsort(-scores, kind="stable")[:topk]
    return [(int(index), float(scores[index])) for index in best]


def _completed(sample: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checked copy of a sample with what a data set would add, as pipelines expect it."""
    full = {"frame_dir": "sample", **copy.deepcopy(dict(sample)), "label": 0}
    keypoint = full.get("keypoint")
    shape = np.shape(keypoint) if isinstance(keypoint, np.ndarray) else ()
    full.setdefault("total_frames", shape[1] if len(shape) == 4 else 0)
    fault = sample_fault(full)
    if fault is not None:
        raise AnnotationError(f"sample {full['frame_dir']!r}: {fault}")
    return {"start_index": 0, "modality": "Pose", **full, "test_mode": True}


def _pipeline(model: nn.Module) -> Compose:
    cfg: Any = model.cfg
    test = cfg.data.test
    while "pipeline" not in test:
        test = test[0] if isinstance(test, list) else test.get("dataset") or test["datasets"]
    return Compose(test["pipeline"])
