"""The content of a report.

Shapes: N samples, L classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from pyskl.drawing.skeleton import Clip
from pyskl.evaluation.calibration import Reliability, reliability
from pyskl.evaluation.metrics import confusion_matrix
from pyskl.reports.runs import Run
from pyskl.skeleton import SkeletonLayout


@dataclass(frozen=True)
class Missing:
    """A part of the report that can't be shown.

    Attributes:
        what: What is missing, and why.
        command: The command that makes it, if there is one.
    """

    what: str
    command: str = ""


@dataclass(frozen=True)
class Predictions:
    """Scores of a run with the labels.

    Attributes:
        probabilities: (N, L), float.
        labels: True classes (N,).
        sample_ids: N ids.
        class_names: L names.
        note: How the probabilities were derived, if not read from the score file.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    sample_ids: list[str]
    class_names: list[str]
    note: str = ""

    @cached_property
    def predicted(self) -> np.ndarray:
        """Predicted classes (N,)."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def confidence(self) -> np.ndarray:
        """Probabilities of the predicted classes (N,)."""
        return self.probabilities.max(axis=1).astype(np.float64).clip(0, 1)

    @cached_property
    def hits(self) -> np.ndarray:
        """Whether each prediction is right (N,)."""
        return self.predicted == self.labels

    @cached_property
    def counts(self) -> np.ndarray:
        """Confusion matrix (L, L): rows are true classes, columns predicted ones."""
        return confusion_matrix(self.predicted, self.labels, len(self.class_names))

    @cached_property
    def class_accuracy(self) -> np.ndarray:
        """Accuracy of each class (L,); NaN if it has no samples."""
        with np.errstate(invalid="ignore"):
            return np.diag(self.counts) / self.counts.sum(axis=1)

    @cached_property
    def reliability(self) -> Reliability:
        """The reliability diagram."""
        return reliability(self.confidence, self.hits)

    @property
    def calibration_error(self) -> float:
        """The expected calibration error."""
        return self.reliability.expected_error

    @cached_property
    def mistakes(self) -> np.ndarray:
        """Indices of the wrong predictions, the most confident first."""
        return self.by_confidence(np.flatnonzero(~self.hits))

    def has_samples_of(self, other: Predictions) -> bool:
        """Return whether two runs were tested on the same samples and classes."""
        return (
            self.sample_ids == other.sample_ids
            and np.array_equal(self.labels, other.labels)
            and self.class_names == other.class_names
        )

    def by_confidence(self, indices: np.ndarray) -> np.ndarray:
        """Return sample indices sorted by confidence, the highest first."""
        return indices[np.argsort(-self.confidence[indices], kind="stable")]


@dataclass
class ReportedRun:
    """One of the runs of a report.

    Attributes:
        name: Short and unique.
        run: The content of its work dir.
        weights: The weights that were tested; empty if there are no scores.
        checkpoint: Their file, if it is known.
        figures: The metrics of its scores, by name.
        predictions: Of its test samples; None if it was not tested or they have several labels.
        facts: Further lines of the summary, by name.
        differences: (key, the first run's value, this one's) of the configs.
        missing: What can't be shown.
    """

    name: str
    run: Run
    weights: str = ""
    checkpoint: Path | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    predictions: Predictions | None = None
    facts: dict[str, str] = field(default_factory=dict)
    differences: Sequence[tuple[str, str, str]] = ()
    missing: list[Missing] = field(default_factory=list)


@dataclass(frozen=True)
class GallerySample:
    """A sample of the gallery.

    Attributes:
        kind: Whether the prediction is wrong or right.
        index: Its index among the samples.
        clip: The skeletons; the gallery sets title and notes.
    """

    kind: Literal["mistake", "hit"]
    index: int
    clip: Clip


@dataclass(frozen=True)
class ReportContent:
    """The content of a report.

    Attributes:
        title: Plain text.
        runs: One or more. Classes and samples are those of the first.
        gallery: The samples to draw.
        layout: The layout of their skeletons; None if there are none.
    """

    title: str
    runs: Sequence[ReportedRun]
    gallery: Sequence[GallerySample] = ()
    layout: SkeletonLayout | None = None

    @property
    def predictions(self) -> Predictions | None:
        """The predictions of the first run."""
        return self.runs[0].predictions
