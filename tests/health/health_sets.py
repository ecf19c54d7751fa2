"""Made-up data sets without a problem, for tests that put one in.

Shapes: M persons, T frames, V joints, C coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.health.examine import examine
from pyskl.health.expectations import ConfigExpectations
from pyskl.health.raw_annotations import RawAnnotations
from pyskl.health.report import HealthReport

Sample = dict[str, Any]
CLASSES, EACH = 3, 8  # the last two of each class are measured on


@dataclass
class Set:
    """A data set that a test may spoil."""

    samples: list[Any]
    split: dict[str, list[str]] | None
    extra: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, index: int) -> Any:
        return self.samples[index]

    def file(self) -> RawAnnotations:
        """Return it as it would be read."""
        return RawAnnotations(Path("set.pkl"), self.samples, self.split, self.extra)

    def report(self, expected: ConfigExpectations | None = None) -> HealthReport:
        """Examine it."""
        return examine(self.file(), expected)

    def content(self) -> Any:
        """Return what its pickle would hold."""
        return self.file().content()


def found(report: HealthReport) -> dict[str, list[str]]:
    """Return the names of each kind of finding."""
    return {finding.kind: [item.name for item in finding.items] for finding in report.findings}


def healthy_set(seed: int = 0, *, dims: int = 3, dtype: str = "float32", persons: int = 1) -> Set:
    """Return 24 samples of three classes: bodies that sway, in metres or in pixels."""
    rng = np.random.default_rng(seed)
    samples = [
        healthy_sample(rng, name=f"clip{index:02}", label=index % CLASSES, dims=dims, dtype=dtype,
                       persons=persons)
        for index in range(CLASSES * EACH)
    ]  # fmt: skip
    ids = [sample["frame_dir"] for sample in samples]
    middle = CLASSES * (EACH - 2)
    return Set(samples, {"train": ids[:middle], "val": ids[middle:]})


def healthy_sample(
    rng: np.random.Generator, *, name: str, label: int, dims: int, dtype: str, persons: int
) -> Sample:
    """Return a body that stands somewhere, upright along y, and sways by centimetres."""
    T, V = int(rng.integers(20, 60)), 25 if dims == 3 else 17
    body = rng.uniform(-0.3, 0.3, (V, dims))
    body[:, 1] = np.linspace(-0.8, 0.8, V)  # from the feet (joint 0) to the head
    place = rng.uniform(-0.5, 0.5, (persons, 1, 1, dims)) + np.arange(persons)[:, None, None, None]
    phase = rng.uniform(0, 6, (persons, 1, V, dims))
    sway = 0.05 * np.sin(np.linspace(0, 9, T)[:, None, None] + phase)
    keypoint = body + place + sway + (0, 0, 3)[:dims]
    sample: Sample = {"frame_dir": name, "label": label, "total_frames": T}
    if dims == 2:
        keypoint = 500 + 150 * keypoint
        sample["keypoint_score"] = rng.uniform(0.4, 1, keypoint.shape[:3]).astype(dtype)
        sample["img_shape"] = sample["original_shape"] = (1080, 1920)
    sample["keypoint"] = keypoint.astype(dtype)
    return sample
