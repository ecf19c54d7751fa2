"""Made-up annotations of the size and shape of NTU RGB+D, for a machine without the data.

The positions are noise: transforms and networks take as long for them as for people. Numbers of
persons and frames, which decide how long they take, are drawn as they occur in NTU RGB+D: one
person in seven samples of ten (2D detections: one to three), a median of 80 frames.

Shapes: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from pyskl.errors import InputError

_MEDIAN_FRAMES, _LOG_DEVIATION = 80, 0.35
_FRAMES = (30, 300)  # the shortest and the longest sample
_PERSONS = {3: ([1, 2], [0.7, 0.3]), 2: ([1, 2, 3], [0.6, 0.3, 0.1])}  # by number of coordinates
_IMAGE = (1080, 1920)  # height and width, pixels
_POOL = 2**18  # random values that all samples are cut out of


@dataclass(frozen=True)
class SampleShape:
    """What the samples of a data set have in common.

    Attributes:
        joints: V.
        coordinates: C, 2 (pixels) or 3 (metres).
        scores: Whether each joint has a confidence.
        classes: Labels are below it.
    """

    joints: int
    coordinates: int
    scores: bool
    classes: int


def shape_for(model: nn.Module) -> SampleShape:
    """Return the shape of the samples that a recognizer's config is meant for.

    Raises:
        InputError: if the backbone does not tell its layout, as those of this package do.
    """
    backbone: Any = getattr(model, "backbone", None)
    layout = getattr(getattr(backbone, "graph", None), "layout", None)
    if layout is None:
        raise InputError(
            "a made-up data set follows the skeleton layout of the backbone, but "
            f"{type(backbone).__name__} has no graph.layout; name an annotation file that exists"
        )
    classes = getattr(getattr(model, "cls_head", None), "num_classes", 2)
    channels = getattr(backbone, "in_channels", layout.dim)
    # Networks on 2D joints read x, y and the score of each stream.
    scores = layout.dim == 2 and channels % 3 == 0
    return SampleShape(layout.num_joints, layout.dim, scores, int(classes))


def make_samples(shape: SampleShape, count: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Return annotations: ``keypoint`` (M, T, V, C) float16 and what goes with it.

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
    choices, shares = _PERSONS[shape.coordinates]
    persons = rng.choice(choices, size=count, p=shares)
    samples = []
    for index, (M, T) in enumerate(zip(persons.tolist(), frames.tolist(), strict=True)):
        size = (M, T, shape.joints, shape.coordinates)
        sample: dict[str, Any] = {
            "frame_dir": f"made_up_{index}",
            "label": index % shape.classes,
            "total_frames": T,
            "keypoint": _cut(pool, size, rng),
        }
        if shape.coordinates == 2:
            sample["img_shape"] = sample["original_shape"] = _IMAGE
        if shape.scores:
            sample["keypoint_score"] = _cut(scores, size[:3], rng)
        samples.append(sample)
    return samples


def _cut(pool: np.ndarray, size: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """Return a piece of the pool in a shape."""
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
        train: Names of training splits; they get seven tenths of the samples, or all where there
            are no other splits.
        other: Names of the splits to validate and to test on; they get the rest, or likewise.
    """
    ids = [sample["frame_dir"] for sample in samples]
    middle = max(1, len(ids) * 7 // 10)
    shared = len(ids) < 2 or not train or not other - train
    parts = dict.fromkeys(other, ids if shared else ids[middle:])
    parts |= dict.fromkeys(train, ids if shared else ids[:middle])
    with open(path, "wb") as file:
        pickle.dump({"split": parts, "annotations": list(samples)}, file, protocol=4)
