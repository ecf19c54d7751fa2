"""The samples that a report draws, and which joints their predictions came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from pyskl.reports.page import Example, Missing, Predictions, choose_examples
from pyskl.skeleton import LAYOUTS, SkeletonLayout, resolve_layout


@dataclass(frozen=True)
class GatheredSamples:
    """The samples to draw.

    Attributes:
        examples: Mistakes, then hits.
        layout: Of all of them; None where there are none.
        missing: What can't be drawn, and why.
    """

    examples: Sequence[Example] = ()
    layout: SkeletonLayout | None = None
    missing: Sequence[Missing] = field(default=())


def gather_samples(
    config: Mapping[str, Any],
    predictions: Predictions,
    number: int,
    *,
    checkpoint: Path | None = None,
    importance: bool = False,
    trusted: bool = False,
) -> GatheredSamples:
    """Read the samples of a gallery from a run's test data.

    Args:
        config: The run's config.
        predictions: Of its test samples, in their order.
        number: How many samples.
        checkpoint: The weights that predicted, for the importance.
        importance: Whether to compute the joints' importance, for which the network runs.
        trusted: Load files with plain pickle, which runs what they say.
    """
    chosen = choose_examples(predictions, number)
    if not chosen:
        return GatheredSamples()
    dataset = build_data(config, "test", trusted=trusted, make_packs=False)
    try:
        samples = [_raw_sample(dataset, index) for _, index in chosen]
        layout = _layout(config, samples[0])
        clips = [_clip(sample, layout) for sample in samples]
    except InputError as error:
        return GatheredSamples(missing=[Missing(f"The skeletons of the gallery: {error}")])
    missing = []
    if importance:
        try:
            weights = _importances(
                config, dataset, predictions, [index for _, index in chosen], checkpoint, trusted
            )
            clips = [
                clip.replaced(importance=one) for clip, one in zip(clips, weights, strict=True)
            ]
        except InputError as error:
            missing.append(Missing(f"The importance of the joints: {error}"))
    examples = [
        Example(kind, index, clip) for (kind, index), clip in zip(chosen, clips, strict=True)
    ]
    return GatheredSamples(examples, layout, missing)


def _raw_sample(dataset: Any, index: int) -> Mapping[str, Any]:
    """Return a sample as the annotation file has it."""
    if isinstance(dataset, RepeatDataset):
        return _raw_sample(dataset.dataset, index % len(dataset.dataset))
    if isinstance(dataset, ConcatDataset):
        for inner in dataset.datasets:
            if index < len(inner):
                return _raw_sample(inner, index)
            index -= len(inner)
    raw = getattr(dataset, "raw_sample", None)
    if raw is None:
        raise InputError(f"{type(dataset).__name__} hands out no samples as they are in the file")
    sample: Mapping[str, Any] = raw(index)
    return sample


def _layout(config: Mapping[str, Any], sample: Mapping[str, Any]) -> SkeletonLayout:
    """Return the layout of the model, else the built-in one that the joints leave."""
    graph = config.get("model", {}).get("backbone", {}).get("graph_cfg") or {}
    if graph.get("layout") is not None:
        return resolve_layout(graph["layout"])
    fitting = fitting_layouts(sample)
    if len(fitting) == 1:
        return LAYOUTS[fitting[0]]
    raise InputError("neither the model's config nor the number of joints says which layout it is")


def _clip(sample: Mapping[str, Any], layout: SkeletonLayout) -> Clip:
    keypoint = np.asarray(sample["keypoint"], dtype=np.float32)
    clip = Clip.of_sample({**sample, "keypoint": keypoint})
    clip.check_layout(layout)
    return clip


def _importances(
    config: Mapping[str, Any],
    dataset: Any,
    predictions: Predictions,
    indices: Sequence[int],
    checkpoint: Path | None,
    trusted: bool,
) -> list[np.ndarray]:
    """Return the importance of the joints for the predicted class of each sample.

    Raises:
        InputError: if it can't be computed.
    """
    if checkpoint is None:
        raise InputError("the checkpoint that the scores are of is not in the work dir")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = init_recognizer(config, checkpoint, device, trusted=trusted)
    if not hasattr(model, "logits"):
        raise InputError(f"{type(model).__name__} is no recognizer with logits(keypoint)")
    get_logger().info("importance of the joints of %d samples, on %s", len(indices), device)
    found = []
    for index in indices:
        keypoint = collate([dataset[index]])["keypoint"][0].to(device)  # clips, M, T, V, C
        joints = _raw_sample(dataset, index)["keypoint"].shape[2]
        if keypoint.dim() != 5 or keypoint.shape[3] != joints:
            raise InputError(
                f"the pipeline makes {tuple(keypoint.shape)} of {joints} joints: they can't be "
                "told apart"
            )
        found.append(joint_importance(model, keypoint, int(predictions.predicted[index])))
    return found
