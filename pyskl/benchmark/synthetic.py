"""Synthetic annotations of the size and shape of NTU RGB+D, for a machine without the data.

The coordinates are noise: transforms and networks take the same time for them. The numbers of
persons and frames, which decide how long they take, are distributed as in NTU RGB+D: one person in
seven of ten samples (2D detections: one to three), a median of 80 frames.

Shapes: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from pyskl.errors import InputError
from pyskl.files.pickling import dump_pickle

_MEDIAN_FRAMES, _LOG_DEVIATION = 80, 0.35
_FRAMES = (30, 300)  # the shortest and the longest sample
# Number of coordinates → numbers of persons and their probabilities.
_PERSONS = {3: ([1, 2], [0.7, 0.3]), 2: ([1, 2, 3], [0.6, 0.3, 0.1])}
_IMAGE_SHAPE = (1080, 1920)  # height and width, pixels
_POOL = 2**18  # random values that all samples are cut from


@dataclass(frozen=True)
class SampleShape:
    """What the samples of a data set have in common.

    Attributes:
        joints: V.
        coordinates: C, 2 (pixels) or 3 (metres).
        scores: Whether each joint has a confidence.
        classes: Number of classes.
    """

    joints: int
    coordinates: int
    scores: bool
    classes: int


def shape_for(model: nn.Module) -> SampleShape:
    """Return the shape of the samples that a recognizer takes.

    Raises:
        InputError: if the backbone has no ``graph.layout``.
    """
    backbone: Any = getattr(model, "backbone", None)
    layout = getattr(getattr(backbone, "graph", None), "layout", None)
    if layout is None:
        raise InputError(
            f"no synthetic data for {type(backbone).__name__}, which has no graph.layout",
            key="ann_file",
            hint="name an annotation file that exists",
        )
    classes = getattr(getattr(model, "cls_head", None), "num_classes", 2)
    channels = getattr(backbone, "in_channels", layout.dim)
    # Networks on 2D joints take x, y and the score of each stream.
    scores = layout.dim == 2 and channels % 3 == 0
    return SampleShape(layout.num_joints, layout.dim, scores, int(classes))


def make_samples(shape: SampleShape, count: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Return annotations with ``keypoint`` (M, T, V, C) float16.

    They are views of one pool of random values, so many samples take little memory.
    """
    rng = np.random.default_rng(seed)
    pool = rng.standard_normal(_POOL, dtype=np.float32)
    if shape.coordinates == 2:
        pool = np.abs(pool) * 300  # pixels
    pool = pool.astype(np.float16)
    scores = rng.random(_POOL, dtype=np.float32).astype(np.float16)
    frames = np.exp(rng.normal(np.log(_MEDIAN_FRAMES), _LOG_DEVIATION, count)).round().astype(int)
    frames = frames.clip(*_FRAMES)
    numbers, probabilities = _PERSONS[shape.coordinates]
    persons = rng.choice(numbers, size=count, p=probabilities)
    samples = []
    for index, (M, T) in enumerate(zip(persons.tolist(), frames.tolist(), strict=True)):
        size = (M, T, shape.joints, shape.coordinates)
        sample: dict[str, Any] = {
            "frame_dir": f"synthetic_{index}",
            "label": index % shape.classes,
            "total_frames": T,
            "keypoint": _cut(pool, size, rng),
        }
        if shape.coordinates == 2:
            sample["img_shape"] = sample["original_shape"] = _IMAGE_SHAPE
        if shape.scores:
            sample["keypoint_score"] = _cut(scores, size[:3], rng)
        samples.append(sample)
    return samples


def _cut(pool: np.ndarray, size: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """Return a random piece of the pool in the given shape."""
    length = int(np.prod(size))
    if length > len(pool):
        pool = np.resize(pool, length)
    start = int(rng.integers(len(pool) - length + 1))
    return pool[start : start + length].reshape(size)


def write_annotations(
    path: Path, samples: Sequence[Mapping[str, Any]], train: set[str], other: set[str]
) -> None:
    """Write samples as an annotation file.

    Args:
        path: The pickle.
        samples: The samples.
        train: Names of training splits. They get seven tenths of the samples, or all if there are
            no other splits.
        other: Names of the splits for validation and test. They get the rest, or all if there are
            no training splits.
    """
    ids = [sample["frame_dir"] for sample in samples]
    middle = max(1, len(ids) * 7 // 10)
    all_in_each = len(ids) < 2 or not train or not other - train
    splits = dict.fromkeys(other, ids if all_in_each else ids[middle:])
    splits |= dict.fromkeys(train, ids if all_in_each else ids[:middle])
    Path(path).write_bytes(dump_pickle({"split": splits, "annotations": list(samples)}))
