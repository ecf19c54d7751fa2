"""Read the samples of a report's gallery from the test data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pyskl.apis.data import build_data
from pyskl.apis.inference import init_recognizer
from pyskl.datasets.loader import collate
from pyskl.datasets.wrappers import ConcatDataset, RepeatDataset
from pyskl.drawing.skeleton import Clip
from pyskl.drawing.skeleton.sample_source import fitting_layouts
from pyskl.errors import InputError
from pyskl.logging.log import get_logger
from pyskl.reports.joint_importance import joint_importance
from pyskl.reports.page.content import GallerySample, Missing, Predictions
from pyskl.reports.page.gallery import choose_samples
from pyskl.skeleton import LAYOUTS, SkeletonLayout, resolve_layout


def read_gallery(
    config: Mapping[str, Any],
    predictions: Predictions,
    number: int,
    *,
    checkpoint: Path | None = None,
    importance: bool = False,
    trusted: bool = False,
) -> tuple[list[GallerySample], SkeletonLayout | None, list[Missing]]:
    """Read the samples of a gallery from a run's test data.

    Args:
        config: The run's config.
        predictions: Of all test samples, in their order.
        number: How many samples.
        checkpoint: The weights that made the predictions, for the importance.
        importance: Run the network to compute the importance of the joints.
        trusted: Load files with plain pickle, which runs any code in them.

    Returns:
        The samples, their layout, and what can't be drawn.
    """
    chosen = choose_samples(predictions, number)
    if not chosen:
        return [], None, []
    dataset = build_data(config, "test", trusted=trusted, make_packs=False)
    try:
        samples = [_raw_sample(dataset, index) for _, index in chosen]
        layout = _layout(config, samples[0])
        clips = []
        for sample in samples:
            keypoint = np.asarray(sample["keypoint"], dtype=np.float32)
            clips.append(Clip.of_sample({**sample, "keypoint": keypoint}))
            clips[-1].check_layout(layout)
    except InputError as error:
        return [], None, [Missing(f"The skeletons of the gallery: {error}")]
    missing = []
    if importance:
        try:
            found = _importance(
                config, dataset, predictions, [index for _, index in chosen], checkpoint, trusted
            )
            clips = [clip.replaced(importance=one) for clip, one in zip(clips, found, strict=True)]
        except InputError as error:
            missing.append(Missing(f"The importance of the joints: {error}"))
    gallery = [GallerySample(kind, index, clip) for (kind, index), clip in zip(chosen, clips)]
    return gallery, layout, missing


def _raw_sample(dataset: Any, index: int) -> Mapping[str, Any]:
    """Return a sample as in the annotation file."""
    if isinstance(dataset, RepeatDataset):
        return _raw_sample(dataset.dataset, index % len(dataset.dataset))
    if isinstance(dataset, ConcatDataset):
        for part in dataset.datasets:
            if index < len(part):
                return _raw_sample(part, index)
            index -= len(part)
    if not hasattr(dataset, "raw_sample"):
        raise InputError(f"{type(dataset).__name__} has no raw_sample(index)")
    sample: Mapping[str, Any] = dataset.raw_sample(index)
    return sample


def _layout(config: Mapping[str, Any], sample: Mapping[str, Any]) -> SkeletonLayout:
    """Return the layout of the model, or else the only built-in one that fits the joints."""
    graph = config.get("model", {}).get("backbone", {}).get("graph_cfg") or {}
    if graph.get("layout") is not None:
        return resolve_layout(graph["layout"])
    fitting = fitting_layouts(sample)
    if len(fitting) != 1:
        raise InputError(
            "the layout is unknown: neither the model's config names it nor do the "
            "joints identify it"
        )
    return LAYOUTS[fitting[0]]


def _importance(
    config: Mapping[str, Any],
    dataset: Any,
    predictions: Predictions,
    indices: Sequence[int],
    checkpoint: Path | None,
    trusted: bool,
) -> list[np.ndarray]:
    """Return the importance of the joints (V,) for the predicted class of each sample."""
    if checkpoint is None:
        raise InputError("the checkpoint of these scores is not known or not in the work dir")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = init_recognizer(config, checkpoint, device, trusted=trusted)
    if not hasattr(model, "logits"):
        raise InputError(f"{type(model).__name__} has no logits(keypoint)")
    get_logger().info(
        "computing the importance of joints in %d samples on %s", len(indices), device
    )
    found = []
    for index in indices:
        keypoint = collate([dataset[index]])["keypoint"][0].to(device)  # clips, M, T, V, C
        joints = _raw_sample(dataset, index)["keypoint"].shape[2]
        if keypoint.dim() != 5 or keypoint.shape[3] != joints:
            raise InputError(
                "the pipeline's output has no axis of joints",
                key="keypoint",
                found=tuple(keypoint.shape),
                expected=f"(clips, M, T, {joints}, C)",
            )
        found.append(joint_importance(model, keypoint, int(predictions.predicted[index])))
    return found
