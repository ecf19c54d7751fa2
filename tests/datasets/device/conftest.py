"""Data sets and both of their loaders.

Shapes: N batch, M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyskl.datasets import PoseDataset

Pipeline = list[dict[str, Any]]


def _random_samples(
    seed: int, count: int, *, dims: int = 3, longest: int = 60, dtype: str = "float32"
) -> list[dict[str, Any]]:
    """Return samples of 1 to 3 persons and 3 to ``longest`` frames with some missing joints."""
    rng = np.random.default_rng(seed)
    samples = []
    for number in range(count):
        persons, frames = int(rng.integers(1, 4)), int(rng.integers(3, longest + 1))
        shape = (persons, frames, 25 if dims == 3 else 17, dims)
        keypoint = rng.normal(size=shape)
        sample = {"frame_dir": f"s{number}", "label": number % 5, "total_frames": frames}
        if dims == 2:
            keypoint = 200 + 900 * rng.random(shape)
            sample["keypoint_score"] = rng.random(shape[:3]).astype(dtype)
            sample["img_shape"] = (1080, 1920 - number)
        keypoint[rng.random(shape[:3]) < 0.1] = 0
        samples.append({**sample, "keypoint": keypoint.astype(dtype)})
    return samples


@pytest.fixture(scope="session")
def random_samples() -> Callable[..., list[dict[str, Any]]]:
    """A function that makes samples; see :func:`_random_samples`."""
    return _random_samples


@pytest.fixture(scope="session")
def make_dataset(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., PoseDataset]:
    """A function that makes a data set of samples: ``make_dataset(samples, pipeline, ...)``."""
    folder = tmp_path_factory.mktemp("sets")

    def make(
        samples: Sequence[dict[str, Any]], pipeline: Sequence[Any], **options: Any
    ) -> PoseDataset:
        path = Path(folder / f"{len(list(folder.iterdir()))}.pkl")
        path.write_bytes(pickle.dumps(list(samples)))
        return PoseDataset(path, pipeline, **options)

    return make


def _ending(num_person: int = 2, mode: str = "zero") -> Pipeline:
    return [
        {"type": "FormatGCNInput", "num_person": num_person, "mode": mode},
        {"type": "Collect", "keys": ["keypoint", "label"], "meta_keys": []},
        {"type": "ToTensor", "keys": ["keypoint"]},
    ]


@pytest.fixture(scope="session")
def ending() -> Callable[..., Pipeline]:
    """A function that gives the transforms that every pipeline ends with."""
    return _ending
