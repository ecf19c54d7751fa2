"""Samples and annotation files for the tests of data sets.

The fixtures are session-wide functions, so that hypothesis may call them again and again.
Shapes: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Sample = dict[str, Any]


def _make_sample(
    seed: int = 0,
    *,
    persons: int = 2,
    frames: int = 12,
    joints: int = 25,
    dims: int = 3,
    dtype: str = "float16",
    label: int = 0,
    frame_dir: str = "S001",
) -> Sample:
    """Return a sample without zero joints; 2D ones are in pixels and have scores."""
    rng = np.random.default_rng(seed)
    shape = (persons, frames, joints, dims)
    sample: Sample = {"frame_dir": frame_dir, "label": label, "total_frames": frames}
    if dims == 3:
        sample["keypoint"] = (rng.normal(size=shape) + 3 * rng.choice([-1, 1], 3)).astype(dtype)
        return sample
    size = np.array([1920, 1080])
    sample["keypoint"] = (rng.uniform(0.1, 0.9, size=shape) * size).astype(dtype)
    sample["keypoint_score"] = rng.uniform(0.1, 1, size=shape[:3]).astype(dtype)
    sample["img_shape"] = sample["original_shape"] = (1080, 1920)
    return sample


def _write_annotations(
    path: Path, samples: list[Sample], split: dict[str, list[str]] | None = None
) -> Path:
    """Write an annotation file; without ``split`` a bare list of samples."""
    content = samples if split is None else {"split": split, "annotations": samples}
    path.write_bytes(pickle.dumps(content))
    return path


@pytest.fixture(scope="session")
def make_sample() -> Callable[..., Sample]:
    """A function that makes a sample; see :func:`_make_sample`."""
    return _make_sample


@pytest.fixture(scope="session")
def write_annotations() -> Callable[..., Path]:
    """A function that writes an annotation file; see :func:`_write_annotations`."""
    return _write_annotations


@pytest.fixture
def ann_file(tmp_path: Path) -> Path:
    """A file of 20 samples of 4 classes, 3D, of different lengths; splits train (16), val (4)."""
    samples = [
        _make_sample(
            i, persons=1 + i % 2, frames=5 + i, label=i % 4, frame_dir=f"clip{i}", dtype="float32"
        )
        for i in range(20)
    ]
    ids = [sample["frame_dir"] for sample in samples]
    return _write_annotations(tmp_path / "toy.pkl", samples, {"train": ids[:16], "val": ids[16:]})


@pytest.fixture
def ann_file_2d(tmp_path: Path) -> Path:
    """A file of 8 samples of 4 classes, COCO joints with scores, no splits."""
    samples = [
        _make_sample(
            i, persons=1 + i % 3, frames=5 + i, joints=17, dims=2, label=i % 4, frame_dir=f"clip{i}"
        )
        for i in range(8)
    ]
    return _write_annotations(tmp_path / "toy2d.pkl", samples)
