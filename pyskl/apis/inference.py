"""Recognise the action of one sequence."""

from __future__ import annotations

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
from pyskl.errors import AnnotationError
from pyskl.models import build_model
from pyskl.models.units.norm import replace_sync_batchnorm


def init_recognizer(
    config: str | Path | Config,
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
    cfg = config if isinstance(config, Config) else load_config(config)
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
    """
    if isinstance(sample, np.ndarray):
        keypoint = sample if sample.ndim == 4 else sample[None]
        sample = {"keypoint": keypoint}
    sample = {"frame_dir": "sample", "label": 0, "start_index": 0, "modality": "Pose", **sample}
    if "total_frames" not in sample and np.ndim(sample["keypoint"]) == 4:
        sample["total_frames"] = sample["keypoint"].shape[1]
    fault = sample_fault(sample)
    if fault is not None:
        raise AnnotationError(f"sample {sample['frame_dir']!r}: {fault}")
    cfg: Any = model.cfg
    test = cfg.data.test
    while "pipeline" not in test:
        test = test["dataset"]
    prepared = Compose(test["pipeline"])({**sample, "test_mode": True})
    keypoint = collate([prepared])["keypoint"].to(next(model.parameters()).device)
    with torch.inference_mode():
        scores = model.predict(keypoint)[0].float().cpu().numpy()  # type: ignore[operator]
    best = np.argsort(-scores, kind="stable")[:topk]
    return [(int(index), float(scores[index])) for index in best]
